"""Second-order filters, designed in plain arithmetic; rows for `scipy.signal.sosfilt`."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.signal import sosfilt

from services.inference.engines.composer.synth.tables import SAMPLE_RATE_HZ, Doubles, Floats

Row = tuple[float, float, float, float, float, float]

_BIAS = 1e-15
"""Keeps decaying filter states out of the range where processors become slow."""


def _angles(hz: float, q: float) -> tuple[float, float]:
    turn = 2.0 * math.pi * min(hz, 0.49 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    return math.cos(turn), math.sin(turn) / (2.0 * q)


def _row(*coefficients: float) -> Row:
    """Scale b0, b1, b2, a0, a1, a2 so that a0 is 1."""
    b0, b1, b2, a0, a1, a2 = coefficients
    return b0 / a0, b1 / a0, b2 / a0, 1.0, a1 / a0, a2 / a0


def lowpass(hz: float, q: float = 0.7071) -> Row:
    """Pass what is below `hz`."""
    cos, alpha = _angles(hz, q)
    return _row((1 - cos) / 2, 1 - cos, (1 - cos) / 2, 1 + alpha, -2 * cos, 1 - alpha)


def highpass(hz: float, q: float = 0.7071) -> Row:
    """Pass what is above `hz`."""
    cos, alpha = _angles(hz, q)
    return _row((1 + cos) / 2, -(1 + cos), (1 + cos) / 2, 1 + alpha, -2 * cos, 1 - alpha)


def bandpass(hz: float, q: float) -> Row:
    """Pass what is around `hz`, at 0 dB there."""
    cos, alpha = _angles(hz, q)
    return _row(alpha, 0.0, -alpha, 1 + alpha, -2 * cos, 1 - alpha)


def peak(hz: float, gain_db: float, q: float = 0.9) -> Row:
    """Lift or cut around `hz`."""
    cos, alpha = _angles(hz, q)
    a = 10.0 ** (gain_db / 40.0)
    return _row(1 + alpha * a, -2 * cos, 1 - alpha * a, 1 + alpha / a, -2 * cos, 1 - alpha / a)


def _shelf(hz: float, gain_db: float, sign: float) -> Row:
    cos, alpha = _angles(hz, 0.7071)
    a = 10.0 ** (gain_db / 40.0)
    root = 2.0 * math.sqrt(a) * alpha
    cos *= sign
    return _row(
        a * ((a + 1) - (a - 1) * cos + root),
        sign * 2 * a * ((a - 1) - (a + 1) * cos),
        a * ((a + 1) - (a - 1) * cos - root),
        (a + 1) + (a - 1) * cos + root,
        sign * -2 * ((a - 1) + (a + 1) * cos),
        (a + 1) + (a - 1) * cos - root,
    )


def low_shelf(hz: float, gain_db: float) -> Row:
    """Lift or cut all below `hz`."""
    return _shelf(hz, gain_db, 1.0)


def high_shelf(hz: float, gain_db: float) -> Row:
    """Lift or cut all above `hz`."""
    return _shelf(hz, gain_db, -1.0)


def filtered(samples: npt.NDArray[np.floating], *rows: Row) -> Doubles:
    """Filter a whole sound along its last axis, in double precision."""
    result: Doubles = sosfilt(np.array(rows), np.asarray(samples, np.float64) + _BIAS)
    return result


class Filter:
    """A filter that remembers its state between blocks of shape [channels, frames]."""

    def __init__(self, *rows: Row, channels: int = 2) -> None:
        self._rows = np.array(rows)
        self._state = np.zeros((len(rows), channels, 2))

    def __call__(self, block: npt.NDArray[np.floating]) -> Floats:
        """Filter the next block; returns float32 of the same shape."""
        result, self._state = sosfilt(
            self._rows, np.asarray(block, np.float64) + _BIAS, zi=self._state
        )
        return np.asarray(result, np.float32)
