"""Candidate cycles from self-similarity: how well the piece matches itself, lag by lag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from musicgen.progress import ProgressMeter
from services.looper.analysis.features import FeatureArray, Features
from services.looper.loops import Report

MIN_PERIOD_S = 2.0
"""Shorter repetitions are beats and trills, not the music's cycle."""

BLOCK_S = 1.0
STEPS = 100
"""Steps of the stage that `repetitions` runs in."""

MAX_HOPS = 12_000
"""Longer pieces are pooled to this many hops, so that the work stays bounded."""

MAX_BLOCKS = 1_500

ALIKE = 0.6
"""Blocks this similar count as a repetition. On synthetic music, true periods measured
0.72 and more in nine of ten blocks; unrelated passages stayed below 0.45."""

EVIDENCE_S = 4.0
"""A repetition that holds this long counts half as much as one that holds for ever."""

NEARLY_BEST = 0.85
"""Repetitions this useful are as good as the best; of these the shortest is preferred."""

NEAR_HOPS = 12
"""Lags closer than this are the same candidate."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """From `start_s` to `end_s` the piece sounds as it does `lag_s` later."""

    lag_s: float
    start_s: float
    end_s: float
    likeness: float
    utility: float
    hop_s: float


def repetitions(
    features: Features,
    limit: int,
    meter: ProgressMeter,
    report: Report,
    min_period_s: float = MIN_PERIOD_S,
) -> list[Repetition]:
    """Return up to `limit` repetitions, the most useful first; may be empty.

    `meter` must be in a stage of STEPS steps.
    """
    values, hops_per_s = _pooled(features)
    # At most MAX_BLOCKS, so that hours need no more memory than an hour.
    block_s = max(BLOCK_S, len(values) / hops_per_s / MAX_BLOCKS)
    block_hops = max(1, round(block_s * hops_per_s))
    likeness = _lag_map(values, block_hops, meter, report)
    blocks, lags = likeness.shape
    if blocks < 3:
        return []
    start, length, mean = _longest_runs(likeness)
    lag_blocks = np.arange(lags) / block_hops
    span = (length + lag_blocks) / blocks
    utility = np.square(mean) * span * length / (length + EVIDENCE_S / block_s)
    utility[np.arange(lags) / hops_per_s < min_period_s] = 0
    found: list[Repetition] = []
    lag = _shortest_near_best(utility)
    while len(found) < limit and utility[lag] > 0:
        found.append(
            Repetition(
                lag / hops_per_s,
                float(start[lag]) * block_hops / hops_per_s,
                float(start[lag] + length[lag]) * block_hops / hops_per_s,
                float(mean[lag]),
                float(utility[lag]),
                1 / hops_per_s,
            )
        )
        utility[max(0, lag - NEAR_HOPS) : lag + NEAR_HOPS + 1] = 0
        lag = int(utility.argmax())
    return found


def _shortest_near_best(utility: npt.NDArray[np.float64]) -> int:
    """Return the lag that must not be missed: where a cycle is played a hundred times, each
    of its multiples is as useful."""
    first = int(np.argmax(utility >= NEARLY_BEST * utility.max()))
    return first + int(utility[first : first + NEAR_HOPS].argmax())


def _pooled(features: Features) -> tuple[FeatureArray, float]:
    values, hops_per_s = features.values, features.hops_per_s
    pool = -(-len(values) // MAX_HOPS)
    if pool > 1:
        count = len(values) // pool
        values = values[: count * pool].reshape(count, pool, -1).mean(axis=1)
        hops_per_s /= pool
    return values, hops_per_s


def _lag_map(
    values: FeatureArray, block_hops: int, meter: ProgressMeter, report: Report
) -> npt.NDArray[np.float32]:
    """Return correlations [blocks, lags in hops] of each block with what follows it a lag
    later; -1 where the piece has ended by then."""
    blocks = len(values) // block_hops
    hops = blocks * block_hops
    padded = np.concatenate([values[:hops], np.zeros((block_hops, values.shape[1]), np.float32)])
    energy = np.concatenate([[0.0], np.cumsum(np.square(padded, dtype=np.float64).sum(axis=1))])
    result = np.full((blocks, hops), -1.0, np.float32)
    steps_done = 0
    for block in range(blocks):
        first, after = block * block_hops, (block + 1) * block_hops
        lags = hops - after + 1
        products = np.ascontiguousarray(padded[first:after] @ padded[first:].T)
        # Row r holds hop first + r; stepping one column a row follows one lag.
        row_bytes, item_bytes = products.strides
        diagonals = np.lib.stride_tricks.as_strided(
            products, (block_hops, lags), (row_bytes + item_bytes, item_bytes)
        )
        own = energy[after] - energy[first]
        other = energy[after : after + lags] - energy[first : first + lags]
        result[block, :lags] = diagonals.sum(axis=0) / np.sqrt(own * other + 1e-6)
        wanted = (block + 1) * STEPS // blocks
        report(meter.advance(wanted - steps_done))
        steps_done = wanted
    return result


def _longest_runs(
    likeness: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return for each lag the start and length in blocks of its longest run of ALIKE
    blocks, and their mean likeness (0 where there is none)."""
    blocks, lags = likeness.shape
    run = np.zeros(lags, np.int64)
    total = np.zeros(lags)
    best_start, best_length = np.zeros(lags, np.int64), np.zeros(lags, np.int64)
    best_mean = np.zeros(lags)
    for block in range(blocks):
        row = likeness[block]
        # One weak block (a fill, a breath) does not end a repetition if both of its
        # neighbours hold.
        around = likeness[max(0, block - 1) : block + 2]
        alike = (row >= ALIKE) | (
            (row >= ALIKE / 2) & (np.sort(around, axis=0)[-2:].min(axis=0) >= ALIKE)
        )
        run = np.where(alike, run + 1, 0)
        total = np.where(alike, total + row, 0)
        longer = run > best_length
        best_length = np.where(longer, run, best_length)
        best_start = np.where(longer, block + 1 - run, best_start)
        best_mean = np.where(longer, total / np.maximum(run, 1), best_mean)
    return best_start, best_length, best_mean
