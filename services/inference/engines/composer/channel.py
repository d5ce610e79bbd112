"""A channel strip for each part: amplifier, equaliser, width, ducking, echo, gain."""

from __future__ import annotations

import numpy as np

from services.inference.engines.composer.effects import (
    Amplifier,
    Ducker,
    PingPong,
    Tremolo,
    Widener,
    Wow,
    decibels,
    in_time,
)
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.synth.filters import (
    Filter,
    Row,
    high_shelf,
    highpass,
    peak,
)
from services.inference.engines.composer.synth.instruments import DISTORTED, MONO
from services.inference.engines.composer.synth.tables import Floats

_SENDS_DB = {"drums": -11.0, "bass": -40.0, "chords": -3.0, "pad": 0.0, "arp": 0.0, "lead": -1.0}
"""Part → how much of it goes into the room, against the family's level."""

_EQ: dict[str, tuple[Row, ...]] = {
    "drums": (peak(380.0, -2.0), high_shelf(7000.0, 2.0)),
    "bass": (highpass(30.0), peak(220.0, -1.5)),
    "chords": (highpass(140.0), peak(320.0, -1.5)),
    "pad": (highpass(190.0), peak(420.0, -2.5), high_shelf(6000.0, 2.0)),
    "arp": (highpass(260.0), high_shelf(5000.0, 2.5)),
    "lead": (highpass(160.0), peak(2500.0, 1.5)),
}
_WIDTHS = {
    "drums": (0.14, 6.3),
    "chords": (0.55, 11.3),
    "pad": (0.3, 15.1),
    "arp": (0.55, 16.7),
    "lead": (0.24, 8.9),
}
"""Part → how much side it gets, and from how late an echo in ms."""


class Channel:
    """One part's strip: amplifier, equaliser, width, ducking, echo, gain."""

    def __init__(self, part: str, plan: Plan, kicks: list[int]) -> None:
        instrument = plan.parts[part]
        profile = plan.profile
        self.gain = 1.0
        self._mono = part == "bass" and instrument in MONO
        self._amplifier = Amplifier(DISTORTED[instrument]) if instrument in DISTORTED else None
        rows = _EQ[part]
        if instrument == "piano" and {"bass", "chords"} <= {
            name for name, played in plan.parts.items() if played == "piano"
        }:
            rows = (highpass(32.0),)  # one piano, whole
        self._eq = Filter(*rows, channels=1 if self._mono else 2)
        self._widener = Widener(*_WIDTHS[part]) if part in _WIDTHS else None
        period_s = plan.duration_frames / SAMPLE_RATE_HZ if plan.loop else None
        self._tremolo = (
            Tremolo(in_time(4.6, period_s), 0.22) if instrument == "electric_piano" else None
        )
        sways = profile.wow_cents and part in ("chords", "lead", "pad")
        self._wow = Wow(profile.wow_cents, period_s=period_s) if sways else None
        self._ducker = None
        if kicks and profile.sidechain_db and part != "drums":
            depth = profile.sidechain_db * (0.45 if part == "lead" else 1.0)
            beat_s = 60.0 / plan.tempo_bpm
            self._ducker = Ducker(kicks, depth, min(0.34, 0.62 * beat_s))
        self._echo = None
        if part in ("lead", "arp") and plan.family not in ("piano", "chiptune", "jazz"):
            three_sixteenths = 0.75 * 60.0 / plan.tempo_bpm * SAMPLE_RATE_HZ
            self._echo = PingPong(round(three_sixteenths), 0.3 if part == "lead" else 0.24)

    def __call__(self, stem: Floats, start: int) -> Floats:
        """Process the stem's next stretch, beginning at frame `start`. Shape [2, frames]."""
        block = stem
        if self._mono:
            block = (block[:1] + block[1:]) * np.float32(0.5)
        if self._amplifier:
            block = self._amplifier(block)
        block = self._eq(block)
        if self._wow:
            block = self._wow(block, start)
        if self._tremolo:
            block = self._tremolo(block, start)
        if self._widener:
            block = self._widener(block)
        if self._echo:
            block = block + self._echo(block)
        if self._ducker:
            block = self._ducker(block, start)
        block = block * np.float32(self.gain)
        return np.concatenate((block, block)) if self._mono else block


def room_send(part: str, plan: Plan) -> float:
    """How much of a part goes into the room."""
    return decibels(_SENDS_DB[part] + plan.profile.reverb_db)
