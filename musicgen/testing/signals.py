"""Signals whose truth is known."""

from __future__ import annotations

import numpy as np

from musicgen.audio.codecs import Samples

_STEPS = 16_384


def sine(
    frequency_hz: float,
    duration_frames: int,
    sample_rate_hz: int = 44_100,
    *,
    channels: int = 2,
    start_frame: int = 0,
) -> Samples:
    """Return a sine at half of full scale, the same on every machine.

    Shape [duration_frames, channels]. Channel c leads by c/8 of a cycle. The values are
    multiples of 2^-15, so that a difference in the last bit of sin() rounds away, and any
    piece equals the same piece of a longer sine (`start_frame`).
    """
    frames = np.arange(start_frame, start_frame + duration_frames, dtype=np.float64)
    # Whole cycles are taken off first: the argument of sin() stays small and exact enough.
    cycles = np.mod(frames[:, None] * (frequency_hz / sample_rate_hz), 1.0)
    phases = cycles + np.arange(channels) / 8
    samples: Samples = np.rint(np.sin(2 * np.pi * phases) * _STEPS).astype(np.float32)
    return samples / np.float32(2 * _STEPS)
