"""Reading a recording at another speed: a windowed sinc, exact in time and the same everywhere."""

from __future__ import annotations

import functools
import math

import numpy as np

from services.inference.engines.composer.synth.tables import Floats

TAPS = 12
_PHASES = 1024
_BLOCK = 1 << 14


@functools.cache
def _window() -> list[float]:
    """Half of Kaiser's window, from its middle out, in steps of a phase."""
    half = TAPS // 2 * _PHASES
    return [_bessel(6.5 * math.sqrt(1.0 - (i / half) ** 2)) for i in range(half + 1)]


@functools.cache
def _table(cutoff: float) -> Floats:
    """Weights by tap and phase, shape [TAPS, _PHASES + 1]; each phase sums to 1."""
    half = TAPS // 2 * _PHASES
    turn = math.pi * cutoff / _PHASES
    kernel = [math.sin(turn * i) / (turn * i) if i else 1.0 for i in range(half + 1)]
    kernel = [value * bell for value, bell in zip(kernel, _window(), strict=True)]
    whole = np.array([*kernel[:0:-1], *kernel])
    # Tap t at phase p lies t - (TAPS/2 - 1) - p/_PHASES from the kernel's middle.
    table = np.empty((TAPS, _PHASES + 1))
    for tap in range(TAPS):
        first = (tap + 1) * _PHASES
        table[tap] = whole[first - _PHASES : first + 1][::-1]
    table /= np.add.reduce(table, axis=0)
    return table.astype(np.float32)


def _bessel(x: float) -> float:
    """The Bessel function that Kaiser's window is made of."""
    term, total, k = 1.0, 1.0, 1
    while term > 1e-12 * total:
        term *= (x / (2.0 * k)) ** 2
        total += term
        k += 1
    return total


def read_at(
    samples: Floats, ratio: float, frames: int, loop: tuple[int, int] | None = None
) -> Floats:
    """Read `samples`, shape [channels, n], at 0, `ratio`, 2·`ratio`, …; shape [channels, frames].

    Within `loop` (start, end) it goes round; without one, silence follows the end. Frequencies
    that would fold back are filtered out.
    """
    # In steps, so that neighbouring pitches share a table.
    cutoff = 1.0 if ratio <= 1.03 else max(0.2, math.floor(10.0 / ratio) / 10.0)
    table = _table(cutoff)
    source = _unrolled(samples, loop)
    out = np.empty((len(samples), frames), np.float32)
    for first in range(0, frames, _BLOCK):
        last = min(frames, first + _BLOCK)
        place = np.arange(first, last, dtype=np.float64) * ratio
        if loop:
            start, length = loop[0], loop[1] - loop[0]
            over = place >= start
            place[over] -= np.floor((place[over] - start) / length) * length
        whole = place.astype(np.int64)
        phase = ((place - whole) * _PHASES + 0.5).astype(np.int64)
        whole = np.minimum(whole, source.shape[1] - TAPS)
        block = np.zeros((len(samples), last - first), np.float32)
        for tap in range(TAPS):
            weights = table[tap].take(phase)
            at = whole + tap
            for channel, row in enumerate(source):
                block[channel] += row.take(at) * weights
        out[:, first:last] = block
    return out


def _unrolled(samples: Floats, loop: tuple[int, int] | None) -> Floats:
    """The source with what the taps reach before its start and behind its end."""
    before = np.zeros((len(samples), TAPS // 2 - 1), np.float32)
    if loop is None:
        after = np.zeros((len(samples), TAPS + 1), np.float32)
        return np.concatenate((before, samples, after), axis=1)
    start, end = loop
    index = start + np.arange(TAPS + 1) % (end - start)
    return np.concatenate((before, samples[:, :end], samples[:, index]), axis=1)
