"""Sounds of many players: a spectrum with blurred partials and random phases.

One inverse transform gives a loop of three seconds without a seam, different left and
right, that already sounds like a section. A note is a stretch of it under an envelope.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import fft

from services.inference.engines.composer.synth.tables import (
    SAMPLE_RATE_HZ,
    Doubles,
    Floats,
    level,
    rise,
    sine,
)
from services.inference.engines.composer.synth.voice import MAX_RELEASE_FRAMES, Random, Voice
from services.inference.engines.composer.theory import frequency_hz

LOOP_FRAMES = 1 << 17
_BIN_HZ = SAMPLE_RATE_HZ / LOOP_FRAMES
_TOP_HZ = 14_000.0


@dataclass(frozen=True, slots=True)
class Timbre:
    """`partial_level(k, hz)` is the level of the k-th partial; `blur_cents` its width."""

    partial_level: Callable[[int, float], float]
    blur_cents: float
    attack_s: float
    release_s: float
    blur_growth: float = 1.0
    """How the blur grows with the partial's number: 1 is chorus, 0 keeps highs clean."""
    air: float = 0.0
    """Level of breath or bow noise."""


class Ensemble(Voice):
    """A section of players, or a pad."""

    def __init__(self, timbre: Timbre, random: Random) -> None:
        self._timbre = timbre
        self._random = random
        self._loops: dict[int, Floats] = {}

    def play(self, pitch: int, held_frames: int, velocity: float, start_frame: int) -> Floats:
        """See Voice."""
        if pitch not in self._loops:
            self._loops[pitch] = self._loop(pitch)
        loop = self._loops[pitch]
        release = min(MAX_RELEASE_FRAMES, round(self._timbre.release_s * SAMPLE_RATE_HZ))
        frames = held_frames + release
        note = np.empty((2, frames), np.float32)
        place = (start_frame * 7 + pitch * 9973) % LOOP_FRAMES
        done = 0
        while done < frames:
            size = min(frames - done, LOOP_FRAMES - place)
            note[:, done : done + size] = loop[:, place : place + size]
            done += size
            place = 0
        attack = min(held_frames, round(self._timbre.attack_s * SAMPLE_RATE_HZ))
        note *= np.float32(velocity**1.2)
        note[:, :attack] *= rise(attack)
        note[:, frames - release :] *= rise(release)[::-1]
        return note

    def _loop(self, pitch: int) -> Floats:
        base = frequency_hz(pitch)
        amplitude = np.zeros(LOOP_FRAMES // 2 + 1)
        for k in range(1, int(_TOP_HZ / base) + 1):
            hz = k * base
            loud = self._timbre.partial_level(k, hz)
            if loud > 1e-4:
                width = hz * (2.0 ** (self._timbre.blur_cents / 1200.0) - 1.0)
                width *= k ** (self._timbre.blur_growth - 1.0)
                _add_peak(amplitude, hz / _BIN_HZ, max(0.8, width / _BIN_HZ), loud)
        if self._timbre.air:
            low, high = round(1.5 * base / _BIN_HZ), round(_TOP_HZ / _BIN_HZ)
            ramp = 1.0 / (1.0 + np.arange(max(0, high - low)) * (_BIN_HZ / 4000.0))
            amplitude[low : low + len(ramp)] += 0.004 * self._timbre.air * ramp
        rng = self._random(pitch)
        loop = np.empty((2, LOOP_FRAMES), np.float32)
        # The sides share part of their phases: wide, yet sound in mono.
        shared = rng.random(len(amplitude))
        for channel in range(2):
            phase = shared + 0.55 * rng.random(len(amplitude))
            spectrum = np.empty(len(amplitude), np.complex64)
            spectrum.real = amplitude * sine(phase + 0.25)
            spectrum.imag = amplitude * sine(phase)
            loop[channel] = fft.irfft(spectrum, LOOP_FRAMES)
        loop *= np.float32(0.1 / max(1e-12, level(loop)))
        return loop


@functools.cache
def _bell() -> Doubles:
    return np.array([math.exp(-0.5 * (i / 32.0) ** 2) for i in range(130)])


def _add_peak(amplitude: Doubles, centre: float, width: float, loud: float) -> None:
    """Add a bell curve of `width` bins; its energy doesn't depend on the width."""
    first = max(1, math.ceil(centre - 4.0 * width))
    last = min(len(amplitude) - 1, math.floor(centre + 4.0 * width))
    if last < first:
        return
    distance = np.abs(np.arange(first, last + 1) - centre) * (32.0 / width)
    curve = np.interp(distance, np.arange(130), _bell())
    amplitude[first : last + 1] += curve * (loud / math.sqrt(width))


def _saw(corner_hz: float, slope: float = 1.0) -> Callable[[int, float], float]:
    def partial_level(k: int, hz: float) -> float:
        return math.pow(k, -slope) / (1.0 + (hz / corner_hz) ** 2)

    return partial_level


def _strings(k: int, hz: float) -> float:
    body = (
        1.0
        + 0.7 * math.exp(-(((hz - 480.0) / 260.0) ** 2))
        + 0.6 * math.exp(-(((hz - 2600.0) / 900.0) ** 2))
    )
    return body * math.pow(k, -0.95) / (1.0 + (hz / 5200.0) ** 2)


def _choir(k: int, hz: float) -> float:
    vowel = sum(
        loud * math.exp(-(((hz - centre) / width) ** 2))
        for centre, width, loud in (
            (620.0, 160.0, 1.0),
            (1120.0, 200.0, 0.5),
            (2700.0, 420.0, 0.16),
            (3500.0, 500.0, 0.1),
        )
    )
    return (vowel + 0.06) * math.pow(k, -0.35) * (1.0 if k > 1 else 1.3)


def _brass(k: int, hz: float) -> float:
    return math.pow(k, -0.55) * math.exp(-hz / 1700.0) * (0.6 if k == 1 else 1.0)


def _organ(k: int, hz: float) -> float:
    drawbars = {1: 1.0, 2: 0.75, 3: 0.55, 4: 0.35, 6: 0.2, 8: 0.22, 16: 0.05}
    return drawbars.get(k, 0.0) / (1.0 + (hz / 6500.0) ** 2)


def _glass(k: int, hz: float) -> float:
    return {1: 1.0, 2: 0.4, 3: 0.2, 5: 0.22, 8: 0.16, 12: 0.1, 16: 0.05}.get(k, 0.0) / (
        1.0 + (hz / 9000.0) ** 2
    )


TIMBRES: dict[str, Timbre] = {
    "warm_pad": Timbre(_saw(1100.0), 22.0, 0.5, 1.1),
    "dark_pad": Timbre(_saw(600.0, 1.15), 28.0, 0.7, 1.3, air=0.15),
    "glass_pad": Timbre(_glass, 14.0, 0.8, 1.6, air=0.1),
    "supersaw": Timbre(_saw(6500.0), 26.0, 0.012, 0.22),
    "strings": Timbre(_strings, 20.0, 0.32, 0.7, air=0.8),
    "staccato_strings": Timbre(_strings, 16.0, 0.014, 0.16, air=1.0),
    "low_strings": Timbre(_strings, 14.0, 0.16, 0.5, air=0.3),
    "choir": Timbre(_choir, 30.0, 0.4, 0.9, air=0.35),
    "brass": Timbre(_brass, 12.0, 0.07, 0.3, air=0.1),
    "organ": Timbre(_organ, 7.0, 0.008, 0.1),
    "soft_bass": Timbre(_saw(260.0, 1.3), 6.0, 0.12, 0.7),
}
"""The sections and pads by name."""
