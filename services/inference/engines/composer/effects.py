"""Effects that work on a stream of blocks of shape [2, frames]."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from services.inference.engines.composer.synth.filters import Filter, highpass, lowpass
from services.inference.engines.composer.synth.tables import (
    SAMPLE_RATE_HZ,
    Floats,
    rise,
    saturate,
    sine,
)


class Delayed:
    """The stream some frames ago."""

    def __init__(self, frames: int, channels: int = 2) -> None:
        self._past = np.zeros((channels, frames), np.float32)

    def __call__(self, block: Floats) -> Floats:
        """Return the block that was `frames` ago."""
        joined = np.concatenate((self._past, block), axis=1)
        self._past = joined[:, block.shape[1] :]
        return joined[:, : block.shape[1]]


class Widener:
    """Adds a short echo with opposite signs left and right: wide, and gone in mono."""

    def __init__(self, amount: float, delay_ms: float) -> None:
        self._amount = np.float32(amount)
        self._delay = Delayed(round(delay_ms * SAMPLE_RATE_HZ / 1000.0), channels=1)
        self._filter = Filter(highpass(280.0), channels=1)

    def __call__(self, block: Floats) -> Floats:
        """Widen the next block."""
        middle = (block[:1] + block[1:]) * np.float32(0.5)
        side = self._filter(self._delay(middle)) * self._amount
        return np.concatenate((block[:1] + side, block[1:] - side))


class PingPong:
    """Echoes that jump from side to side, each darker and softer. Returns them alone."""

    def __init__(self, delay_frames: int, level: float, echoes: int = 4) -> None:
        self._delays = [Delayed(delay_frames) for _ in range(echoes)]
        self._level = level
        self._filter = Filter(highpass(350.0), lowpass(4200.0))

    def __call__(self, block: Floats) -> Floats:
        """Return the echoes that fall into this block."""
        middle = (block[:1] + block[1:]) * np.float32(0.5)
        moving = np.concatenate((middle, middle))
        wet = np.zeros_like(block)
        for index, delay in enumerate(self._delays):
            moving = delay(moving)
            wet[index % 2] += moving[0] * np.float32(self._level * 0.62**index)
        return self._filter(wet)


class Ducker:
    """Makes room for the kick: the level falls at each hit and comes back."""

    def __init__(self, hits: Sequence[int], depth_db: float, recover_s: float) -> None:
        self._hits = list(hits)
        floor = 10.0 ** (depth_db / 20.0)
        fall = rise(round(0.004 * SAMPLE_RATE_HZ))[::-1]
        climb = rise(round(recover_s * SAMPLE_RATE_HZ))
        shape = np.concatenate((fall, climb)).astype(np.float32)
        self._curve = np.float32(floor) + np.float32(1.0 - floor) * shape

    def __call__(self, block: Floats, start: int) -> Floats:
        """Duck the block that begins at frame `start` of the piece."""
        frames = block.shape[1]
        gain = np.ones(frames, np.float32)
        size = len(self._curve)
        first = bisect_left(self._hits, start - size)
        for hit in self._hits[first : bisect_left(self._hits, start + frames)]:
            at, stop = max(hit - start, 0), min(hit - start + size, frames)
            if stop > at:
                skip = at - (hit - start)
                part = self._curve[skip : skip + stop - at]
                gain[at:stop] = np.minimum(gain[at:stop], part)
        return block * gain


class Tremolo:
    """A slow sway between the speakers, as an electric piano's amplifier makes."""

    def __init__(self, hz: float, depth: float) -> None:
        self._hz = hz
        self._depth = np.float32(depth)

    def __call__(self, block: Floats, start: int) -> Floats:
        """Sway the block that begins at frame `start` of the piece."""
        cycles = (np.arange(block.shape[1]) + start) * (self._hz / SAMPLE_RATE_HZ)
        sway = sine(cycles) * self._depth
        return np.stack((block[0] * (1 - sway), block[1] * (1 + sway)))


class Wow:
    """The unsteady speed of a worn tape: a delay that sways slowly."""

    _LONGEST = 400

    def __init__(self, cents: float, hz: float = 0.55, period_s: float | None = None) -> None:
        # A sine of this depth bends the pitch by `cents` at its steepest.
        speed = 2.0 ** (cents / 1200.0) - 1.0
        self._depth = min(190.0, speed * SAMPLE_RATE_HZ / (2.0 * math.pi * hz))
        self._hz = in_time(hz, period_s)
        self._flutter_hz = in_time(hz * 2.73, period_s)
        self._past = np.zeros((2, self._LONGEST), np.float32)

    def __call__(self, block: Floats, start: int) -> Floats:
        """Bend the block that begins at frame `start` of the piece."""
        frames = block.shape[1]
        joined = np.concatenate((self._past, block), axis=1)
        self._past = joined[:, -self._LONGEST :]
        at = np.arange(frames) + start
        sway = sine(at * (self._hz / SAMPLE_RATE_HZ)) * 0.8
        sway += sine(at * (self._flutter_hz / SAMPLE_RATE_HZ)) * 0.2
        places = np.arange(frames) + (self._LONGEST - 200.0) + sway * self._depth
        whole = places.astype(np.int64)
        part = (places - whole).astype(np.float32)
        left = joined.take(whole, axis=1)
        return np.asarray(left + (joined.take(whole + 1, axis=1) - left) * part, np.float32)


class Amplifier:
    """A guitar amplifier: tight lows, hard drive, a loudspeaker that ends at 5 kHz."""

    def __init__(self, drive: float) -> None:
        self._drive = drive
        self._before = Filter(highpass(90.0))
        self._second_take = Delayed(round(0.013 * SAMPLE_RATE_HZ), channels=1)
        self._speaker = Filter(highpass(80.0), lowpass(5200.0), lowpass(6800.0))

    def __call__(self, block: Floats) -> Floats:
        """Amplify the next block, with a second take on the right."""
        block = np.concatenate((block[:1], self._second_take(block[1:] * np.float32(0.8))))
        pushed = saturate(self._before(block) * np.float32(4.0), self._drive)
        return self._speaker(pushed * np.float32(0.16))


def in_time(hz: float, period_s: float | None) -> float:
    """Return a slow frequency near `hz`; whole cycles in `period_s`, if there is one."""
    return hz if period_s is None else max(1, round(hz * period_s)) / period_s


def decibels(gain_db: float) -> float:
    """A level in dB as a factor."""
    return math.pow(10.0, gain_db / 20.0)
