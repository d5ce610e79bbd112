"""Single lines: band-limited wavetables with vibrato, a closing filter and a breath."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.inference.engines.composer.synth.filters import bandpass, filtered
from services.inference.engines.composer.synth.tables import (
    SAMPLE_RATE_HZ,
    Doubles,
    Floats,
    decay,
    level,
    ramp_cycles,
    rise,
    sine,
)
from services.inference.engines.composer.synth.voice import Random, Voice
from services.inference.engines.composer.theory import frequency_hz

_TABLE = 4096


@dataclass(frozen=True, slots=True)
class Shape:
    """`harmonic(k, hz)` is the level of the k-th harmonic."""

    harmonic: Callable[[int, float], float]
    dark_hz: float = 900.0
    """Corner of the dark table that a note falls back to."""
    close_s: float = 0.4
    """How fast a note falls back to it; 0 keeps it bright."""
    attack_s: float = 0.008
    release_s: float = 0.09
    fade_s: float = 0.0
    """Time constant of the loudness while held; 0 holds it."""
    vibrato_cents: float = 0.0
    vibrato_hz: float = 5.2
    detune_cents: float = 0.0
    """A second oscillator this much higher, for a fuller line."""
    breath: float = 0.0


class Tone(Voice):
    """A line played by one oscillator or two."""

    def __init__(self, shape: Shape, random: Random) -> None:
        self._shape = shape
        self._random = random
        self._tables: dict[int, tuple[Floats, Floats]] = {}

    def play(self, pitch: int, held_frames: int, velocity: float, start_frame: int) -> Floats:
        """See Voice."""
        shape = self._shape
        if pitch not in self._tables:
            self._tables[pitch] = self._make(pitch)
        dark, edge = self._tables[pitch]
        release = round(shape.release_s * SAMPLE_RATE_HZ)
        frames = held_frames + release
        base = frequency_hz(pitch)
        cycles = ramp_cycles(base, frames)
        if shape.vibrato_cents:
            # Vibrato comes in late, as a player's does.
            depth = base * (2.0 ** (shape.vibrato_cents / 1200.0) - 1.0)
            depth /= 2.0 * math.pi * shape.vibrato_hz
            onset = 1.0 - decay(frames, 0.35)
            cycles += depth * onset * sine(ramp_cycles(shape.vibrato_hz, frames))
        open_by: Floats | float = 0.35 + 0.65 * velocity
        if shape.close_s:
            open_by = np.asarray(decay(frames, shape.close_s) * open_by, np.float32)
        note = _read(dark, cycles) + _read(edge, cycles) * open_by
        if shape.detune_cents:
            other = cycles * 2.0 ** (shape.detune_cents / 1200.0) + 0.37
            note += 0.8 * (_read(dark, other) + _read(edge, other) * open_by)
            note *= 0.7
        if shape.breath:
            noise = self._random(f"breath {start_frame}").standard_normal(frames)
            blown = filtered(noise, bandpass(min(9000.0, base * 3.0), 0.8))
            note += (0.1 * shape.breath * blown).astype(np.float32)
        if shape.fade_s:
            note *= decay(frames, shape.fade_s).astype(np.float32)
        note = (note * np.float32(velocity**1.2)).astype(np.float32)
        attack = max(2, min(held_frames, round(shape.attack_s * SAMPLE_RATE_HZ)))
        note[:attack] *= rise(attack)
        note[frames - release :] *= rise(release)[::-1]
        return note[None, :]

    def _make(self, pitch: int) -> tuple[Floats, Floats]:
        base = frequency_hz(pitch)
        cycles = np.arange(_TABLE + 1) / _TABLE
        bright = np.zeros(_TABLE + 1)
        dark = np.zeros(_TABLE + 1)
        for k in range(1, min(200, int(14_000.0 / base)) + 1):
            loud = self._shape.harmonic(k, k * base)
            if loud:
                wave = sine(k * cycles) * loud
                bright += wave
                corner = max(self._shape.dark_hz, 1.5 * base)
                dark += wave / (1.0 + (k * base / corner) ** 3)
        scale = 0.1 / max(1e-9, level(bright))
        return (dark * scale).astype(np.float32), ((bright - dark) * scale).astype(np.float32)


def _read(table: Floats, cycles: Doubles) -> Floats:
    """Read a single-cycle table of _TABLE + 1 values with linear interpolation."""
    place = (cycles - np.floor(cycles)) * _TABLE
    whole = place.astype(np.int64)
    part = (place - whole).astype(np.float32)
    left = table[whole]
    right = table[whole + 1]
    return left + (right - left) * part


def _saw(k: int, hz: float) -> float:
    return 1.0 / k / (1.0 + (hz / 9000.0) ** 2)


def _pulse(width: float) -> Callable[[int, float], float]:
    def harmonic(k: int, hz: float) -> float:  # noqa: ARG001  # as bright as it gets
        return math.sin(math.pi * k * width) / k

    return harmonic


def _triangle(k: int, hz: float) -> float:  # noqa: ARG001  # as bright as it gets
    return 0.0 if k % 2 == 0 else (-1.0 if k % 4 == 3 else 1.0) / (k * k)


def _reed(k: int, hz: float) -> float:
    formant = 1.0 + 1.2 * math.exp(-(((hz - 1250.0) / 500.0) ** 2))
    return formant * math.pow(k, -0.9) / (1.0 + (hz / 4200.0) ** 2)


def _clarinet(k: int, hz: float) -> float:
    return (1.0 if k % 2 else 0.12) * math.pow(k, -0.95) / (1.0 + (hz / 3200.0) ** 2)


def _flute(k: int, hz: float) -> float:
    return {1: 1.0, 2: 0.32, 3: 0.12, 4: 0.05, 5: 0.02}.get(k, 0.0) / (1.0 + hz / 12_000.0)


def _violin(k: int, hz: float) -> float:
    body = (
        1.0 + math.exp(-(((hz - 520.0) / 200.0) ** 2)) + math.exp(-(((hz - 2900.0) / 900.0) ** 2))
    )
    return body / k / (1.0 + (hz / 6000.0) ** 2)


def _trumpet(k: int, hz: float) -> float:
    return math.pow(k, -0.35) * math.exp(-hz / 2100.0)


SHAPES: dict[str, Shape] = {
    "saw_lead": Shape(_saw, 1500.0, 0.8, 0.012, 0.14, vibrato_cents=12.0, detune_cents=9.0),
    "square_lead": Shape(_pulse(0.5), 3500.0, 0.0, 0.004, 0.05, vibrato_cents=14.0),
    "synth_bass": Shape(_saw, 260.0, 0.14, 0.003, 0.05, fade_s=0.9, detune_cents=5.0),
    "chip_bass": Shape(_triangle, 4000.0, 0.0, 0.003, 0.02, fade_s=1.2),
    "chip_pulse": Shape(_pulse(0.25), 4000.0, 0.0, 0.003, 0.03, fade_s=0.5),
    "chip_arp": Shape(_pulse(0.125), 4000.0, 0.0, 0.002, 0.02, fade_s=0.16),
    "flute": Shape(_flute, 2000.0, 0.0, 0.05, 0.12, vibrato_cents=16.0, breath=0.6),
    "clarinet": Shape(_clarinet, 1400.0, 0.0, 0.035, 0.1, vibrato_cents=7.0, breath=0.12),
    "sax": Shape(_reed, 1100.0, 1.2, 0.03, 0.1, vibrato_cents=18.0, breath=0.35),
    "trumpet": Shape(_trumpet, 1200.0, 1.0, 0.025, 0.09, vibrato_cents=12.0, breath=0.1),
    "violin": Shape(_violin, 1500.0, 0.0, 0.09, 0.16, vibrato_cents=24.0, breath=0.2),
}
"""The single voices by name."""
