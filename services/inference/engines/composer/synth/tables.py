"""Sines, decays and curves that don't depend on the processor's instruction set."""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt
from scipy.signal import sosfilt

SAMPLE_RATE_HZ = 44_100

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_SINE_SIZE = 1 << 16


@functools.cache
def _sine_table() -> Floats:
    return np.array(
        [math.sin(2.0 * math.pi * i / _SINE_SIZE) for i in range(_SINE_SIZE)], np.float32
    )


def sine(cycles: npt.NDArray[np.floating]) -> Floats:
    """Sine of a phase in cycles, any shape; error below 1e-4."""
    found: Floats = _sine_table()[(cycles * _SINE_SIZE).astype(np.int64) & (_SINE_SIZE - 1)]
    return found


def ramp_cycles(hz: float, frames: int, start: float = 0.0) -> Doubles:
    """Phase in cycles of a steady tone, shape [frames]."""
    return np.arange(frames, dtype=np.float64) * (hz / SAMPLE_RATE_HZ) + start


def decay(frames: int, tau_s: float) -> Doubles:
    """Exponential decay from 1 with the time constant `tau_s`, shape [frames]."""
    curve = np.full(frames, math.exp(-1.0 / (tau_s * SAMPLE_RATE_HZ)))
    curve[:1] = 1.0
    return np.cumprod(curve)


def ring(frames: int, hz: float, tau_s: float) -> Doubles:
    """A decaying sine, made by a resonator, shape [frames]."""
    turn = 2.0 * math.pi * hz / SAMPLE_RATE_HZ
    radius = math.exp(-1.0 / (tau_s * SAMPLE_RATE_HZ))
    row = [[math.sin(turn), 0.0, 0.0, 1.0, -2.0 * radius * math.cos(turn), radius * radius]]
    impulse = np.zeros(frames)
    impulse[:1] = 1.0
    rung: Doubles = sosfilt(np.array(row), impulse)
    return rung


@functools.lru_cache(maxsize=64)
def rise(frames: int) -> Floats:
    """A half cosine from 0 to 1, shape [frames]; don't write into it."""
    return np.array(
        [0.5 - 0.5 * math.cos(math.pi * (i + 0.5) / frames) for i in range(frames)], np.float32
    )


def saturate(samples: Floats, drive: float) -> Floats:
    """Soft saturation; small signals grow by `drive`, large ones stay below 1."""
    pushed = samples * np.float32(drive)
    return np.asarray(pushed / np.sqrt(np.float32(1.0) + pushed * pushed), np.float32)


def level(samples: npt.NDArray[np.floating]) -> float:
    """Root mean square of all samples."""
    flat = np.asarray(samples, np.float64).ravel()
    return math.sqrt(float(np.add.reduce(flat * flat)) / max(1, len(flat)))
