"""Every instrument by name."""

from __future__ import annotations

from services.inference.engines.composer.sounds.bank import Bank
from services.inference.engines.composer.synth import struck
from services.inference.engines.composer.synth.ensemble import TIMBRES, Ensemble
from services.inference.engines.composer.synth.recorded import LAYERS, MANNERS, STAND_INS
from services.inference.engines.composer.synth.sampled import Layered, Sampled
from services.inference.engines.composer.synth.struck import Recipe
from services.inference.engines.composer.synth.tones import SHAPES, Tone
from services.inference.engines.composer.synth.voice import Random, Struck, Voice

_STRUCK: dict[str, tuple[Recipe, float, float, float]] = {
    # name: recipe, release in s, spread, corner of soft notes in Hz
    "piano": (struck.piano, 0.22, 0.4, 2300.0),
    "electric_piano": (struck.electric_piano, 0.18, 0.3, 1300.0),
    "acoustic_guitar": (struck.ACOUSTIC_GUITAR, 0.1, 0.3, 1600.0),
    "electric_guitar": (struck.ELECTRIC_GUITAR, 0.12, 0.3, 1500.0),
    "distorted_guitar": (struck.ELECTRIC_GUITAR, 0.06, 0.0, 2500.0),
    "lead_guitar": (struck.ELECTRIC_GUITAR, 0.1, 0.0, 2500.0),
    "harp": (struck.HARP, 0.6, 0.7, 1800.0),
    "kalimba": (struck.KALIMBA, 0.3, 0.5, 2200.0),
    "bells": (struck.BELLS, 0.7, 0.6, 3000.0),
    "vibraphone": (struck.VIBRAPHONE, 0.3, 0.5, 2000.0),
    "marimba": (struck.MARIMBA, 0.2, 0.6, 1800.0),
    "synth_pluck": (struck.synth_pluck, 0.12, 0.5, 1400.0),
    "electric_bass": (struck.ELECTRIC_BASS, 0.06, 0.0, 500.0),
    "upright_bass": (struck.UPRIGHT_BASS, 0.09, 0.0, 450.0),
    "sub_bass": (struck.sub_bass, 0.06, 0.0, 300.0),
}

DISTORTED = {"distorted_guitar": 9.0, "lead_guitar": 7.0}
"""Instrument → drive of its amplifier."""

MONO = frozenset({"electric_bass", "upright_bass", "sub_bass", "synth_bass", "chip_bass",
                  "fretless_bass", "slap_bass"})  # fmt: skip
"""Kept in the middle: lows belong there."""

NAMES = frozenset({*_STRUCK, *TIMBRES, *SHAPES, *STAND_INS})


def make_voice(name: str, random: Random, bank: Bank | None = None) -> Voice:
    """Return an instrument: its recording if the bank has it, else synthesised.

    `random` gives each of its synthesised sounds a stream.
    """
    manner = MANNERS.get(name)
    if bank is None or manner is None or manner.source not in bank.instruments:
        return _synthesised(STAND_INS.get(name, name), random)
    recorded = Sampled(manner, bank)
    if name in LAYERS:
        return Layered(recorded, _synthesised(name, random), LAYERS[name])
    return recorded


def _synthesised(name: str, random: Random) -> Voice:
    if name in _STRUCK:
        recipe, release_s, spread, dark_hz = _STRUCK[name]
        return Struck(recipe, random, release_s=release_s, spread=spread, dark_hz=dark_hz)
    if name in TIMBRES:
        return Ensemble(TIMBRES[name], random)
    return Tone(SHAPES[name], random)
