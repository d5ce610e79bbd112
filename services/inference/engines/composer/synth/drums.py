"""Synthesised drum kits: each hit is made once in a few versions and played in turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from services.inference.engines.composer.sounds.bank import Bank
from services.inference.engines.composer.synth.filters import (
    bandpass,
    filtered,
    highpass,
    lowpass,
    peak,
)
from services.inference.engines.composer.synth.recorded import KIT_HITS
from services.inference.engines.composer.synth.resample import read_at
from services.inference.engines.composer.synth.tables import (
    SAMPLE_RATE_HZ,
    Doubles,
    Floats,
    decay,
    ramp_cycles,
    ring,
    sine,
)
from services.inference.engines.composer.synth.voice import Random

VERSIONS = 3

TRANSITION_FRAMES = 2 * SAMPLE_RATE_HZ
"""Length of a riser and of a swell."""


@dataclass(frozen=True, slots=True)
class Kit:
    """How a kit sounds. Times are time constants."""

    kick_hz: float = 50.0
    kick_sweep_hz: float = 170.0
    kick_s: float = 0.14
    kick_click: float = 0.35
    snare_hz: float = 190.0
    snare_s: float = 0.09
    snare_noise: float = 0.9
    snare_body: float = 0.7
    hat_s: float = 0.028
    hat_hz: float = 7500.0
    tom_hz: float = 110.0
    tom_s: float = 0.16
    ceiling_hz: float = 20_000.0
    """Nothing above; a worn sampler's bandwidth for lofi."""
    crush_frames: int = 1
    """Holds every n-th sample: the grit of old chips."""
    drive: float = 1.0
    levels: Mapping[str, float] = field(default_factory=dict)


KITS: dict[str, Kit] = {
    "lofi": Kit(52, 120, 0.11, 0.2, 180, 0.075, 0.7, 0.8, 0.03, 6500, ceiling_hz=14_000, drive=1.6,
                levels={"hat": 1.0, "snare": 0.9, "shaker": 1.3}),
    "house": Kit(50, 210, 0.17, 0.4, 200, 0.08, hat_s=0.03, hat_hz=8200, drive=1.5),
    "techno": Kit(46, 190, 0.2, 0.3, 180, 0.07, hat_s=0.024, hat_hz=8800, tom_hz=85, drive=2.4),
    "cinematic": Kit(40, 90, 0.45, 0.12, 160, 0.14, 0.8, 0.6, tom_hz=72, tom_s=0.4,
                     levels={"rim": 0.6, "crash": 0.8}),
    "synthwave": Kit(48, 150, 0.16, 0.3, 175, 0.2, 1.2, 0.8, 0.03, 7000, 120, 0.28, drive=1.5),
    "trap": Kit(46, 180, 0.16, 0.45, 210, 0.1, 1.1, 0.5, 0.018, 9000, drive=1.8),
    "hiphop": Kit(54, 150, 0.12, 0.4, 195, 0.085, 1.0, 0.8, 0.026, 6800, ceiling_hz=14_000,
                  drive=1.9),
    "jazz": Kit(62, 100, 0.1, 0.12, 210, 0.08, 0.8, 0.5, 0.035, 7000,
                levels={"kick": 0.55, "ride": 1.5, "snare": 0.6, "brush": 1.3}),
    "rock": Kit(56, 140, 0.11, 0.6, 200, 0.12, 1.0, 0.9, 0.04, 7000, 105, 0.22, drive=1.7),
    "pop": Kit(52, 170, 0.13, 0.45, 205, 0.1, 1.0, 0.7, 0.026, 8200, drive=1.5),
    "acoustic": Kit(58, 110, 0.11, 0.2, 210, 0.08, 0.7, 0.6, 0.03, 7200,
                    levels={"kick": 0.8, "brush": 1.0, "shaker": 0.65}),
    "chip": Kit(60, 320, 0.08, 0.0, 240, 0.06, 1.0, 0.4, 0.022, 6000, crush_frames=5, drive=1.4),
}  # fmt: skip
"""The kits by name."""

_PANS = {"hat": 0.28, "open_hat": 0.28, "pedal_hat": 0.28, "ride": -0.35, "crash": -0.3,
         "shaker": -0.4, "rim": 0.22, "tom": -0.2, "brush": 0.15, "clap": -0.06}  # fmt: skip
_LEVELS = {"kick": 1.0, "snare": 0.62, "clap": 0.5, "hat": 0.22, "open_hat": 0.24,
           "pedal_hat": 0.2, "ride": 0.22, "crash": 0.34, "rim": 0.34, "shaker": 0.16,
           "tom": 0.6, "brush": 0.26, "riser": 0.16, "swell": 0.2}  # fmt: skip
_METAL_HZ = (2141.0, 2787.0, 3369.0, 3923.0, 5311.0, 6713.0)


class DrumKit:
    """A kit ready to play."""

    def __init__(self, name: str, random: Random, bank: Bank | None = None) -> None:
        self._kit = KITS[name]
        self._bank = bank
        self._hits = KIT_HITS.get(name, {}) if bank else {}
        self._random = random
        self._made: dict[tuple[str, int], Floats] = {}

    def hit(self, sound: str, velocity: float, turn: int) -> tuple[Floats, float, float]:
        """Return (samples of shape [1, frames], left gain, right gain)."""
        key = sound, turn % VERSIONS
        if key not in self._made:
            made = _RECIPES[sound](self._kit, self._random(f"{sound} {key[1]}"))
            plain = self._finish(made, sound)
            mixed = self._with_recording(made, *key)
            self._made[key] = (
                plain if mixed is None else _as_loud(self._finish(mixed, sound), plain)
            )
        place = _PANS.get(sound, 0.0)
        samples = self._made[key] * np.float32(velocity**1.4)
        return samples[None, :], 1.0 - max(0.0, place), 1.0 + min(0.0, place)

    def _with_recording(self, made: Doubles, sound: str, version: int) -> Doubles | None:
        """Mix a synthesised drum with the recorded one, if there is one."""
        names, share = self._hits.get(sound, ((), 0.0))
        names = tuple(name for name in names if self._bank and name in self._bank.hits)
        if not names or self._bank is None:
            return None
        recorded = self._bank.read_hit(names[version % len(names)])
        # No two strokes are alike: each turn is played a little faster or slower.
        ratio = (1.0, 1.013, 0.988)[version % 3]
        recorded = read_at(recorded, ratio, int(recorded.shape[1] / ratio))
        real = recorded[0].astype(np.float64)
        parts = ((real, share), (made, 1.0 - share))
        mixed = np.zeros(max(len(real), len(made)))
        for part, gain in parts:
            mixed[: len(part)] += gain * part / max(1e-9, float(np.abs(part).max()))
        return mixed

    def _finish(self, sound: Doubles, name: str) -> Floats:
        kit = self._kit
        sound = sound / max(1e-9, float(np.abs(sound).max()))
        if kit.drive > 1.0:
            pushed = sound * kit.drive
            sound = pushed / np.sqrt(1.0 + pushed * pushed)
        if kit.crush_frames > 1 and name != "kick":
            sound = np.repeat(sound[:: kit.crush_frames], kit.crush_frames)[: len(sound)]
        if kit.ceiling_hz < 19_000:
            sound = filtered(sound, lowpass(kit.ceiling_hz))
        sound = sound / max(1e-9, float(np.abs(sound).max()))
        fade = min(400, len(sound))
        sound[len(sound) - fade :] *= np.arange(fade, 0, -1) / fade
        gain = 0.7 * _LEVELS[name] * kit.levels.get(name, 1.0)
        return (sound * gain).astype(np.float32)


def _as_loud(sound: Floats, other: Floats) -> Floats:
    """Bring a hit to the energy of another, within 4 dB."""
    energies = [float(np.add.reduce(hit.astype(np.float64) ** 2)) for hit in (sound, other)]
    gain = math.sqrt(energies[1] / max(1e-12, energies[0]))
    return np.asarray(sound * np.float32(min(1.6, max(0.63, gain))), np.float32)


def _frames(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)


def _noise(rng: np.random.Generator, tau_s: float, length: float = 7.0) -> Doubles:
    frames = _frames(tau_s * length)
    return rng.standard_normal(frames) * decay(frames, tau_s)


def _kick(kit: Kit, rng: np.random.Generator) -> Doubles:
    frames = _frames(kit.kick_s * 5.5)
    fall_s = 0.028
    # The phase is the integral of a pitch that falls to its resting place.
    swept = kit.kick_sweep_hz * fall_s * (1.0 - decay(frames, fall_s))
    body = sine(ramp_cycles(kit.kick_hz, frames) + swept) * decay(frames, kit.kick_s)
    click = filtered(_noise(rng, 0.0025, 10.0), lowpass(6500.0), highpass(700.0))
    body[: len(click)] += kit.kick_click * click
    return np.asarray(body, np.float64)


def _snare(kit: Kit, rng: np.random.Generator) -> Doubles:
    frames = _frames(kit.snare_s * 6.0)
    noise = filtered(_noise(rng, kit.snare_s, 6.0), highpass(900.0), peak(4200.0, 4.0))
    hz = kit.snare_hz * (1.0 + 0.01 * (rng.random() - 0.5))
    tone = ring(frames, hz, 0.05) + 0.6 * ring(frames, hz * 1.68, 0.035)
    snap = filtered(_noise(rng, 0.006, 6.0), highpass(2500.0))
    sound = kit.snare_body * tone
    sound[: len(noise)] += 0.32 * kit.snare_noise * noise
    sound[: len(snap)] += 0.3 * snap
    return sound


def _clap(kit: Kit, rng: np.random.Generator) -> Doubles:  # noqa: ARG001  # a recipe
    frames = _frames(0.34)
    sound = np.zeros(frames)
    for start_s, tau_s in ((0.0, 0.006), (0.011, 0.006), (0.021, 0.007), (0.031, 0.07)):
        burst = _noise(rng, tau_s, 4.0)
        at = _frames(start_s * (0.95 + 0.1 * rng.random()))
        end = min(frames, at + len(burst))
        sound[at:end] += burst[: end - at]
    return filtered(sound, bandpass(1500.0, 0.9), highpass(700.0))


def _metal(rng: np.random.Generator, frames: int, scale: float) -> Doubles:
    """Six square waves out of tune with each other: the sound of a cymbal's plate."""
    sound = np.zeros(frames)
    for hz in _METAL_HZ:
        cycles = ramp_cycles(hz * scale, frames, float(rng.random()))
        sound += np.where(cycles - np.floor(cycles) < 0.5, 1.0, -1.0)
    return sound / len(_METAL_HZ)


def _cymbal(tau_s: float, hz: float, noisy: float, length: float = 6.0) -> Callable[..., Doubles]:
    def build(kit: Kit, rng: np.random.Generator) -> Doubles:
        tau = tau_s or kit.hat_s
        corner = hz or kit.hat_hz
        frames = _frames(tau * length)
        plate = _metal(rng, frames, 1.0) * (1.0 - noisy) + noisy * 0.6 * rng.standard_normal(frames)
        return filtered(plate * decay(frames, tau), highpass(corner, 0.9), highpass(corner * 0.6))

    return build


def _ride(kit: Kit, rng: np.random.Generator) -> Doubles:  # noqa: ARG001  # a recipe
    frames = _frames(1.6)
    wash = filtered(_metal(rng, frames, 1.13) * decay(frames, 0.3), highpass(5200.0))
    ping = ring(frames, 3150.0, 0.09) + 0.7 * ring(frames, 4710.0, 0.07)
    stick = filtered(_noise(rng, 0.004, 6.0), highpass(4000.0))
    sound = wash + 0.16 * ping
    sound[: len(stick)] += 0.4 * stick
    return sound


def _rim(kit: Kit, rng: np.random.Generator) -> Doubles:  # noqa: ARG001  # a recipe
    frames = _frames(0.12)
    sound = ring(frames, 1720.0, 0.012) + 0.7 * ring(frames, 480.0, 0.02)
    click = filtered(_noise(rng, 0.003, 6.0), highpass(1500.0))
    sound[: len(click)] += 0.4 * click
    return sound


def _shaker(kit: Kit, rng: np.random.Generator) -> Doubles:  # noqa: ARG001  # a recipe
    frames = _frames(0.14)
    swell = np.minimum(1.0, np.arange(frames) / _frames(0.018))
    noise = rng.standard_normal(frames) * decay(frames, 0.03) * swell
    return filtered(noise, highpass(5200.0), lowpass(13_000.0))


def _brush(kit: Kit, rng: np.random.Generator) -> Doubles:  # noqa: ARG001  # a recipe
    frames = _frames(0.3)
    swell = np.minimum(1.0, np.arange(frames) / _frames(0.03))
    noise = rng.standard_normal(frames) * decay(frames, 0.07) * swell
    return filtered(noise, bandpass(3800.0, 0.5), highpass(900.0))


def _tom(kit: Kit, rng: np.random.Generator) -> Doubles:
    frames = _frames(kit.tom_s * 6.0)
    hz = kit.tom_hz * (0.94 + 0.16 * rng.random())
    swept = 0.5 * hz * 0.05 * (1.0 - decay(frames, 0.05))
    body = sine(ramp_cycles(hz, frames) + swept) * decay(frames, kit.tom_s)
    skin = filtered(_noise(rng, 0.02, 7.0), bandpass(900.0, 0.6))
    body[: len(skin)] += 0.35 * skin
    return np.asarray(body, np.float64)


def _riser(kit: Kit, rng: np.random.Generator) -> Doubles:  # noqa: ARG001  # a recipe
    """Noise that opens and climbs: narrow bands handed over from low to high."""
    along = np.arange(TRANSITION_FRAMES) / TRANSITION_FRAMES
    noise = rng.standard_normal(TRANSITION_FRAMES)
    sound = np.zeros(TRANSITION_FRAMES)
    centres = (500.0, 900.0, 1600.0, 2800.0, 5000.0, 8500.0)
    for index, hz in enumerate(centres):
        place = (index + 0.5) / len(centres)
        share = np.maximum(0.0, 1.0 - np.abs(along - place) * len(centres) * 0.6)
        sound += filtered(noise, bandpass(hz, 1.4)) * share
    return sound * along * along


def _swell(kit: Kit, rng: np.random.Generator) -> Doubles:
    """A cymbal backwards."""
    crash = _RECIPES["crash"](kit, rng)[:TRANSITION_FRAMES]
    sound = np.zeros(TRANSITION_FRAMES)
    sound[TRANSITION_FRAMES - len(crash) :] = crash[::-1]
    return sound


_RECIPES: dict[str, Callable[[Kit, np.random.Generator], Doubles]] = {
    "kick": _kick,
    "snare": _snare,
    "clap": _clap,
    "hat": _cymbal(0.0, 0.0, 0.45),
    "pedal_hat": _cymbal(0.035, 5200.0, 0.4),
    "open_hat": _cymbal(0.13, 6500.0, 0.5, 4.0),
    "crash": _cymbal(0.7, 3600.0, 0.75, 4.5),
    "ride": _ride,
    "rim": _rim,
    "shaker": _shaker,
    "brush": _brush,
    "tom": _tom,
    "riser": _riser,
    "swell": _swell,
}
