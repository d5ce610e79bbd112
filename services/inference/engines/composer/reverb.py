"""A room made of shaped noise, and its convolution in blocks."""

from __future__ import annotations

import numpy as np
from scipy import fft

from services.inference.engines.composer.synth.filters import filtered, highpass, lowpass
from services.inference.engines.composer.synth.tables import SAMPLE_RATE_HZ, Doubles, Floats, decay

BLOCK_FRAMES = 1 << 17

_EARLY_MS = ((13.0, 0.5), (21.0, -0.42), (29.0, 0.36), (37.0, 0.3), (47.0, -0.24), (61.0, 0.2))


def make_room(reverb_s: float, rng: np.random.Generator, *, dark: bool = False) -> Floats:
    """Return an impulse response of shape [2, frames] with unit energy a side.

    `reverb_s` is the time in which it falls by 60 dB; highs fall faster, lows slower.
    """
    frames = round(min(reverb_s * 1.15, 5.5) * SAMPLE_RATE_HZ)
    tau_s = reverb_s / 6.908
    predelay = round(0.014 * SAMPLE_RATE_HZ)
    build_up = np.minimum(1.0, np.arange(frames) / (0.02 * SAMPLE_RATE_HZ))
    room = np.zeros((2, frames + predelay), np.float32)
    top = 0.35 if dark else 0.55
    for side in range(2):
        noise = rng.standard_normal(frames)
        low = filtered(noise, lowpass(420.0)) * decay(frames, tau_s * 1.1)
        middle = filtered(noise, highpass(420.0), lowpass(3600.0)) * decay(frames, tau_s)
        high = filtered(noise, highpass(3600.0)) * decay(frames, tau_s * top)
        tail: Doubles = (low + middle + high * 0.8) * build_up
        tail = filtered(tail, highpass(190.0), lowpass(6500.0 if dark else 10_500.0))
        tail = tail / np.sqrt(float(np.add.reduce(tail * tail)))
        fade = round(0.1 * SAMPLE_RATE_HZ)
        tail[-fade:] *= np.arange(fade, 0, -1) / fade
        room[side, predelay:] = tail
        for delay_ms, loud in _EARLY_MS:
            at = round(delay_ms * (1.0 if side else 1.13) * SAMPLE_RATE_HZ / 1000.0)
            room[side, at] += np.float32(0.22 * loud)
    return room


class Room:
    """Convolves a stereo stream with a room, each side with its own response."""

    def __init__(self, response: Floats) -> None:
        self._tail = response.shape[1] - 1
        self._size = fft.next_fast_len(BLOCK_FRAMES + self._tail, real=True)
        self._response = fft.rfft(response, self._size)
        self._carry = np.zeros((2, self._tail), np.float32)

    def __call__(self, block: Floats) -> Floats:
        """Return the room's answer to the next block of at most BLOCK_FRAMES frames."""
        frames = block.shape[1]
        spectrum = fft.rfft(block, self._size)
        # A complex product in real arithmetic: the same bits on every processor.
        product = np.empty_like(spectrum)
        a, b = spectrum, self._response
        product.real = a.real * b.real - a.imag * b.imag
        product.imag = a.real * b.imag + a.imag * b.real
        wet = fft.irfft(product, self._size)[:, : frames + self._tail].astype(np.float32)
        wet[:, : self._tail] += self._carry
        self._carry = wet[:, frames:].copy()
        return np.ascontiguousarray(wet[:, :frames])
