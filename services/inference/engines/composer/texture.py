"""Beds of sound under the music: rain, vinyl, tape, ocean, wind. Loops without a seam."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import fft

from services.inference.engines.composer.synth.filters import filtered, highpass
from services.inference.engines.composer.synth.tables import (
    SAMPLE_RATE_HZ,
    Floats,
    decay,
    level,
    ramp_cycles,
    ring,
    sine,
)

LOOP_FRAMES = 15 * SAMPLE_RATE_HZ

LEVELS_DB = {"vinyl": -27.0, "rain": -22.0, "tape": -33.0, "ocean": -22.0, "wind": -30.0}
"""Texture → its level against the music."""


def make_texture(name: str, rng: np.random.Generator) -> Floats:
    """Return a loop of shape [2, LOOP_FRAMES] with an rms of 1."""
    loop = _MAKERS[name](rng)
    return (loop / level(loop)).astype(np.float32)


def looped(loop: Floats, start: int, frames: int) -> Floats:
    """Return frames of the loop from a frame of the piece on, shape [2, frames]."""
    places = np.arange(start, start + frames) % loop.shape[1]
    found: Floats = np.take(loop, places, axis=1)
    return found


def _noise(rng: np.random.Generator, curve: Callable[[float], float]) -> Floats:
    """Noise with a spectrum: `curve(hz)` is the amplitude. A loop, since it is one period."""
    size = LOOP_FRAMES // 2 + 1
    # The curve is smooth: a value each 20 Hz or so is enough.
    grid = np.linspace(0.0, SAMPLE_RATE_HZ / 2.0, 1100)
    amplitude = np.interp(
        np.linspace(0.0, SAMPLE_RATE_HZ / 2.0, size), grid, [curve(float(hz)) for hz in grid]
    )
    loop = np.empty((2, LOOP_FRAMES), np.float32)
    for side in range(2):
        phase = rng.random(size)
        spectrum = np.empty(size, np.complex64)
        spectrum.real = amplitude * sine(phase + 0.25)
        spectrum.imag = amplitude * sine(phase)
        loop[side] = fft.irfft(spectrum, LOOP_FRAMES)
    return np.asarray(loop / level(loop), np.float32)


def _scatter(
    loop: Floats, rng: np.random.Generator, count: int, grain: Floats, loud: float
) -> None:
    """Drop a grain at random places, some soft and some loud, round the loop."""
    for place, size, pan in zip(
        rng.integers(0, LOOP_FRAMES, count), rng.random(count), rng.random(count), strict=True
    ):
        end = min(LOOP_FRAMES, int(place) + len(grain))
        piece = grain[: end - int(place)] * np.float32(loud * float(size) * float(size))
        loop[0, place:end] += piece * np.float32(1.0 - pan)
        loop[1, place:end] += piece * np.float32(pan)


def _swell(turns: int, depth: float, offset: float = 0.0) -> Floats:
    cycles = ramp_cycles(turns * SAMPLE_RATE_HZ / LOOP_FRAMES, LOOP_FRAMES, offset)
    return np.float32(1.0) + np.float32(depth) * sine(cycles)


def _rain(rng: np.random.Generator) -> Floats:
    loop = _noise(rng, lambda hz: math.sqrt(hz / 900.0) / (1.0 + (hz / 3500.0) ** 1.3) if hz else 0)
    for hz in (1900.0, 2800.0, 4100.0):
        drop = np.asarray(ring(700, hz, 0.003), np.float32)
        _scatter(loop, rng, 420, drop, 5.0)
    return loop


def _vinyl(rng: np.random.Generator) -> Floats:
    loop = _noise(rng, lambda hz: 1.0 / (1.0 + hz / 1500.0) if hz > 60 else 0.0) * np.float32(0.35)
    tick = filtered(rng.standard_normal(90) * decay(90, 0.0005), highpass(900.0))
    pop = filtered(rng.standard_normal(400) * decay(400, 0.0015), highpass(300.0))
    _scatter(loop, rng, 260, tick.astype(np.float32), 7.0)
    _scatter(loop, rng, 22, pop.astype(np.float32), 9.0)
    return loop


def _tape(rng: np.random.Generator) -> Floats:
    return _noise(rng, lambda hz: (hz / 4000.0) ** 0.5 / (1.0 + (hz / 9000.0) ** 4))


def _ocean(rng: np.random.Generator) -> Floats:
    near = _noise(rng, lambda hz: 1.0 / (1.0 + (hz / 700.0) ** 1.2) if hz > 50 else 0.0)
    foam = _noise(rng, lambda hz: (hz / 3000.0) / (1.0 + (hz / 4000.0) ** 2))
    return near * _swell(2, 0.6) + np.float32(0.5) * foam * _swell(2, 0.9, -0.12)


def _wind(rng: np.random.Generator) -> Floats:
    low = _noise(rng, lambda hz: 1.0 / (1.0 + (hz / 320.0) ** 2) if hz > 70 else 0.0)
    high = _noise(rng, lambda hz: 1.0 / (1.0 + ((hz - 900.0) / 220.0) ** 2))
    return low * _swell(1, 0.45) + np.float32(0.3) * high * _swell(3, 0.7, 0.3)


_MAKERS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "rain": _rain,
    "vinyl": _vinyl,
    "tape": _tape,
    "ocean": _ocean,
    "wind": _wind,
}
