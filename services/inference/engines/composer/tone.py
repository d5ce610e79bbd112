"""The master's tone: lows, air, width and sparkle, brought to where the family has them."""

from __future__ import annotations

import cmath
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft

from services.inference.engines.composer.crew import Alive
from services.inference.engines.composer.effects import decibels
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.synth.filters import (
    Filter,
    Row,
    filtered,
    high_shelf,
    highpass,
    low_shelf,
    lowpass,
)
from services.inference.engines.composer.synth.tables import Doubles, Floats

_SIZE = 1 << 12
_APART = 1 << 14
"""How far the windows of a long piece stand apart."""
_LEAST_WINDOWS = 40
_CHUNK = 64
_LOW_HZ, _AIR_HZ, _TOP_HZ = 130.0, 4200.0, 7500.0
_SPARKLE_AT = 8000.0
"""What lies above is measured against everything."""
_MOST_TOP_DB = 9.0
_MOST_SPARKLE = 2.5
_WIDER_DB, _NARROWER_DB = 5.0, -5.0


@dataclass(frozen=True, slots=True)
class Tone:
    """What is done to the sound of a mix."""

    low_db: float = 0.0
    """Shelf below 130 Hz."""
    air_db: float = 0.0
    """Shelf above 4.2 kHz."""
    top_db: float = 0.0
    """Shelf above 7.5 kHz."""
    sparkle: float = 0.0
    """How much of the overtones of 3–7 kHz is added, where nothing plays so high."""
    width_db: float = 0.0
    """Level of the side."""

    def rows(self) -> tuple[Row, ...]:
        """The shelves as filters."""
        return (
            low_shelf(_LOW_HZ, self.low_db),
            high_shelf(_AIR_HZ, self.air_db),
            high_shelf(_TOP_HZ, self.top_db),
        )


class Shaper:
    """Gives a stream of blocks of shape [2, frames] a tone."""

    def __init__(self, tone: Tone) -> None:
        self._shelves = Filter(*tone.rows())
        self._overtones = Overtones() if tone.sparkle else None
        self._sparkle = np.float32(tone.sparkle)
        self._width = np.float32(decibels(tone.width_db))

    def __call__(self, block: Floats) -> Floats:
        """Shape the next block."""
        shaped = self._shelves(block)
        middle = (shaped[0] + shaped[1]) * np.float32(0.5)
        if self._overtones:
            middle += self._overtones((block[:1] + block[1:]) * np.float32(0.5))[0] * self._sparkle
        side = (shaped[0] - shaped[1]) * (np.float32(0.5) * self._width)
        return np.stack((middle + side, middle - side))


_SOURCE = (highpass(3000.0), lowpass(7000.0))
_RESULT = (highpass(7800.0), highpass(7800.0))


class Overtones:
    """An octave above what lies between 3 and 7 kHz, as loud as that is: there is no drive."""

    def __init__(self) -> None:
        self._source = Filter(*_SOURCE, channels=1)
        self._result = Filter(*_RESULT, channels=1)

    def __call__(self, block: Floats) -> Floats:
        """Return the overtones alone of the next block, shape [1, frames]."""
        return self._result(np.abs(self._source(block)))


def overtones_of(sounds: Floats) -> Floats:
    """The overtones of whole sounds, along the last axis."""
    return filtered(np.abs(filtered(sounds, *_SOURCE)), *_RESULT).astype(np.float32)


def find_tone(mix: Floats, plan: Plan, alive: Alive = lambda: None) -> Tone:
    """Measure a mix of shape [2, frames] at places all over it, and say what it needs.

    Low and air aim at the family's balance against 200 Hz–2 kHz, sparkle at its share of
    all energy, width at its side against its middle.
    """
    middle, side, overtones = _spectra(mix, alive)
    profile = plan.profile
    whole = middle + side
    body = _band(whole, 200.0, 2000.0)
    wanted_air = profile.air_db + 5.0 * plan.brightness
    wanted_low = (1.5 if "drums" in plan.parts else -8.0) - 2.0 * plan.brightness
    darkest_db = -5.0 if profile.sparkle_db is None else -2.0
    air_db = _limited(wanted_air - (_band(whole, 5000.0, 16_000.0) - body), darkest_db, 6.5)
    low_db = _limited(0.7 * (wanted_low - (_band(whole, 35.0, 120.0) - body)), -5.0, 3.0)
    shelves = _response((low_shelf(_LOW_HZ, low_db), high_shelf(_AIR_HZ, air_db)))
    middle, side = middle * shelves, side * shelves
    width_db = _limited(profile.width_db - (_all(side) - _all(middle)), _NARROWER_DB, _WIDER_DB)
    top_db, sparkle = _sparkle(middle, overtones, profile.sparkle_db)
    return Tone(
        low_db=round(low_db, 2),
        air_db=round(air_db, 2),
        top_db=round(top_db, 2),
        sparkle=round(sparkle, 3),
        width_db=round(width_db, 2),
    )


def _sparkle(middle: Doubles, overtones: Doubles, wanted_db: float | None) -> tuple[float, float]:
    """Return the shelf that lifts the highest octave to its share, and what it can't lift."""
    if wanted_db is None:
        return 0.0, 0.0
    needed = math.pow(10.0, (_all(middle) + wanted_db) / 10.0)
    there = math.pow(10.0, _band(middle, _SPARKLE_AT, 20_000.0) / 10.0)
    top_db = _limited(10.0 * math.log10(needed / there), 0.0, _MOST_TOP_DB)
    lifted = middle * _response((high_shelf(_TOP_HZ, top_db),))
    there = math.pow(10.0, _band(lifted, _SPARKLE_AT, 20_000.0) / 10.0)
    made = math.pow(10.0, _all(overtones) / 10.0)
    return top_db, math.sqrt(_limited((needed - there) / made, 0.0, _MOST_SPARKLE**2))


def _spectra(mix: Floats, alive: Alive) -> tuple[Doubles, Doubles, Doubles]:
    """Power by bin of the middle, of the side, and of the middle's overtones."""
    frames = mix.shape[1]
    count = max(_LEAST_WINDOWS, frames // _APART)
    window = _window()
    found = [np.zeros(_SIZE // 2 + 1) for _ in range(3)]
    places = np.array([round(i * max(0, frames - _SIZE) / (count - 1)) for i in range(count)])
    for first in range(0, count, _CHUNK):
        inside = places[first : first + _CHUNK, None] + np.arange(_SIZE)
        alive()
        inside = np.minimum(inside, frames - 1)
        left, right = mix[0].take(inside), mix[1].take(inside)  # of the whole it would copy all
        middle, side = (left + right) * np.float32(0.5), (left - right) * np.float32(0.5)
        for total, sound in zip(found, (middle, side, overtones_of(middle)), strict=True):
            spectrum = fft.rfft(sound * window)
            bins = spectrum.real * spectrum.real + spectrum.imag * spectrum.imag
            np.add(total, np.add.reduce(bins.astype(np.float64), axis=0), out=total)
    return found[0], found[1], found[2]


@functools.cache
def _window() -> Floats:
    """Hann's window."""
    values = [0.5 - 0.5 * math.cos(2 * math.pi * i / _SIZE) for i in range(_SIZE)]
    return np.array(values, np.float32)


_STEP = 4
"""Bins for each value of a filter's response."""


def _response(rows: Sequence[Row]) -> Doubles:
    """What filters do to the power of each bin."""
    points = []
    for place in range(0, _SIZE // 2 + 1 + _STEP, _STEP):
        back = cmath.exp(-2j * math.pi * min(0.5, place / _SIZE))
        gain = 1.0
        for b0, b1, b2, _, a1, a2 in rows:
            gain *= abs((b0 + (b1 + b2 * back) * back) / (1.0 + (a1 + a2 * back) * back)) ** 2
        points.append(gain)
    places = np.arange(_SIZE // 2 + 1) / _STEP
    return np.interp(places, np.arange(len(points)), points)


def _band(power: Doubles, low_hz: float, high_hz: float) -> float:
    """Energy between two frequencies, in dB."""
    scale = _SIZE / SAMPLE_RATE_HZ
    total = float(np.add.reduce(power[round(low_hz * scale) : round(high_hz * scale)]))
    return 10.0 * math.log10(total + 1e-12)


def _all(power: Doubles) -> float:
    return _band(power, 20.0, 20_000.0)


def _limited(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))
