"""When notes begin, to the millisecond: aligns passes that were played, not copied.

A player's second pass has no waveform in common with the first, only its rhythm. Onset
envelopes in five bands are compared in windows of some seconds; each tells a lag, and all
of them together tell whether the tempo was steady.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.signal

from musicgen.audio.codecs import Samples
from services.looper.analysis.alignment import top_of
from services.looper.analysis.levels import LEVEL_HZ, Floats, levels

WINDOW_S = 3.0
HOP_S = 1.0
SEARCH_S = 0.08
SMOOTHING_MS = 17
"""Wide enough that notes 6 ms early and late still meet."""

STEADY_MS = 10.0
"""Median deviation of windows' lags of a steady player: people scatter by about 6 ms."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How a pass follows another, window by window.

    `at_s` is the middle of each window from the start of the spans compared, `lag_s` how
    much later than expected its notes come again, `likeness` how alike the onsets are
    there, 0 to 1. `steady_lag_s` is the lag of all of it together, `spread_s` the median
    deviation from that.
    """

    at_s: Floats
    lag_s: Floats
    likeness: Floats
    steady_lag_s: float
    spread_s: float

    @property
    def steady(self) -> bool:
        """Whether one lag fits everywhere."""
        return self.spread_s * 1000 <= STEADY_MS


def compare(
    first: Iterable[Samples], second: Iterable[Samples], sample_rate_hz: int
) -> Timing | None:
    """Compare two passes, in blocks [frames, channels]; `second` begins and ends SEARCH_S
    further out than `first`. None if there is too little to compare, or no onset."""
    one, other = envelope(first, sample_rate_hz), envelope(second, sample_rate_hz)
    window, hop = round(WINDOW_S * LEVEL_HZ), round(HOP_S * LEVEL_HZ)
    reach = round(SEARCH_S * LEVEL_HZ)
    starts = range(0, min(one.shape[1], other.shape[1] - 2 * reach) - window + 1, hop)
    curves = [
        _curve(one[:, at : at + window], other[:, at : at + window + 2 * reach]) for at in starts
    ]
    curves = [curve for curve in curves if curve.size]
    if len(curves) < 2:
        return None
    total = np.sum(curves, axis=0)
    steady = (top_of(total, int(total.argmax())) - reach) / LEVEL_HZ
    peaks = [int(curve.argmax()) for curve in curves]
    lags = [
        (top_of(curve, peak) - reach) / LEVEL_HZ for curve, peak in zip(curves, peaks, strict=True)
    ]
    return Timing(
        np.array([at + window / 2 for at in starts][: len(curves)]) / LEVEL_HZ,
        np.array(lags),
        np.array([curve[peak] for curve, peak in zip(curves, peaks, strict=True)]),
        steady,
        float(np.median(np.abs(np.array(lags) - steady))),
    )


def envelope(blocks: Iterable[Samples], sample_rate_hz: int) -> Floats:
    """Return how fast each band of audio, in blocks [frames, channels], gets louder: [bands,
    milliseconds], 0 and more."""
    measured = levels(blocks, sample_rate_hz)
    floor = 0.01 * measured.rms + 1e-6
    kernel = np.hanning(SMOOTHING_MS + 2)[1:-1]
    rows = []
    for level in measured.bands if measured.bands.size else ():
        # Held at its ends: zeros there would be a rise.
        held = np.pad(np.log(level + floor), SMOOTHING_MS // 2, "edge")
        smooth = np.convolve(held, kernel / kernel.sum(), "valid")
        rows.append(np.maximum(np.diff(smooth, prepend=smooth[0]), 0))
    return np.stack(rows) if rows else np.zeros((1, 0))


def _curve(needle: Floats, hay: Floats) -> Floats:
    """Return the likeness of onsets at each lag, or nothing where there are none."""
    product = sum(
        scipy.signal.correlate(b, a, mode="valid") for a, b in zip(needle, hay, strict=True)
    )
    energy = np.concatenate([[0.0], np.cumsum(np.square(hay).sum(axis=0))])
    local = energy[needle.shape[1] :] - energy[: np.size(product)]
    own = np.square(needle).sum()
    if own < 1e-9:
        return np.zeros(0)
    return np.asarray(product / np.sqrt(local * own + 1e-12))
