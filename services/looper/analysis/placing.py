"""Where to cut: at which frame of a repetition the cycle begins, and its exact length.

Three kinds of repetition, told apart by what places spread over it say:

* copies: the waveforms meet at one and the same lag everywhere. The cycle has that lag and
  begins early in the longest stretch in which copy and original agree.
* played again in a steady tempo: waveforms don't meet, or each place says another lag,
  and the rhythm has one lag on the whole. The cycle has that, and begins where the notes
  around the cut happen to follow it best.
* drifting tempo: only what lies around the cut counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from musicgen.audio.codecs import AudioReader
from services.looper.analysis import onsets
from services.looper.analysis.alignment import Match, agreed, match, read_span
from services.looper.analysis.levels import LEVEL_HZ, blocks_of
from services.looper.loops import Cycle

PLACES = 7
MEETING = 0.25
"""Correlation of waveforms that have something in common; unrelated ones stay below 0.1."""

COPIED_SHARE = 0.55
COPIED_MS = 0.06
BLOCK_S = 0.05
LONGEST_SCAN_S = 90.0
AGREEING_DB = -50.0
"""Below this under the music a difference can't be heard."""

DIFFERING_DB = -12.0
SLACK_DB = 6.0
MOST_FRAMES = 131_072
"""Compared at a time."""

LEAST_AGREEING_S = 1.0
ATTACK_REACH_S = 4.0
INSIDE_S = 2.0
"""Where copies begin to agree, what rings over from before may be too quiet to tell."""

BEFORE_ATTACK_S = 0.008
"""A cut just before a note begins is hidden by it."""

NEAR_MS = 3.0


@dataclass(frozen=True, slots=True)
class Placed:
    """A cycle at its exact place; `period_frames` is the true period, `timing_spread_s`
    how much the passes differ in time around the cut, `correlation` that of the waveforms."""

    cycle: Cycle
    period_frames: float
    timing_spread_s: float
    correlation: float


def place(
    reader: AudioReader, run_start: int, run_end: int, lag_frames: int, search_frames: int
) -> Placed | None:
    """Place a cycle in the repetition [run_start, run_end) frames, which comes again about
    `lag_frames` later, give or take `search_frames`. None if nothing fits."""
    total = reader.properties.duration_frames
    rate = reader.properties.sample_rate_hz
    run_end = min(run_end, total - lag_frames)
    if run_end - run_start < rate // 2:
        return None
    margin = min(rate, (run_end - run_start) // 4)
    places = np.linspace(run_start + margin, run_end - margin, PLACES).astype(int)
    matches = [match(reader, int(at), lag_frames, search_frames) for at in places]
    meeting = [one for one in matches if one.correlation >= MEETING]
    same = agreed(meeting, max(1, round(COPIED_MS * rate / 1000)))
    if len(same) >= max(2, COPIED_SHARE * PLACES):
        return _copied(reader, same, run_start, run_end)
    played = _played(reader, run_start, run_end, lag_frames)
    if played or not meeting:
        return played
    best = max(meeting, key=lambda one: one.correlation)
    cycle = Cycle(best.frame, best.frame + best.lag_frames)
    return Placed(cycle, best.lag_frames + best.fraction_frames, 0.0, best.correlation)


def _copied(reader: AudioReader, same: list[Match], run_start: int, run_end: int) -> Placed:
    rate, total = reader.properties.sample_rate_hz, reader.properties.duration_frames
    exact = np.array([one.lag_frames + one.fraction_frames for one in same])
    period = float(np.average(exact, weights=[one.correlation for one in same]))
    lag = round(period)
    scan = round(5.0 * rate)
    first, last = max(0, run_start - scan), min(total - lag, run_end + scan)
    last = min(last, first + round(LONGEST_SCAN_S * rate))
    start, end = _agreeing(reader, first, last, lag) or _inside(run_start, run_end, rate)
    start += min(round(INSIDE_S * rate), (end - start) // 3)
    start = before_attack(reader, start, min(end, start + round(ATTACK_REACH_S * rate)))
    start = min(start, total - lag)
    return Placed(
        Cycle(start, start + lag),
        period,
        float(np.abs(exact - period).max()) / rate,
        float(np.median([one.correlation for one in same])),
    )


def _inside(run_start: int, run_end: int, rate: int) -> tuple[int, int]:
    """Return a repetition without its uncertain beginning."""
    return run_start + min(2 * rate, (run_end - run_start) // 3), run_end


def _agreeing(reader: AudioReader, first: int, last: int, lag: int) -> tuple[int, int] | None:
    """Return the first long stretch of [first, last) whose copy `lag` later is all but the
    same; None if copies differ everywhere (other takes, noise, effects that run free)."""
    block = max(1, round(BLOCK_S * reader.properties.sample_rate_hz))
    difference_db = _differences_db(reader, first, last, lag, block)
    if not difference_db.size:
        return None
    least = round(LEAST_AGREEING_S / BLOCK_S)
    limit = max(AGREEING_DB, float(np.percentile(difference_db, 20)) + SLACK_DB)
    if limit > DIFFERING_DB:
        return None
    # One block that differs (a drop-out, a fill) doesn't end a stretch.
    good = difference_db <= limit
    good[1:-1] |= good[:-2] & good[2:]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    if not runs:
        return None
    # The first one that is long enough: the listener gets to the loop soon.
    longest = max(b - a for a, b in runs)
    a, b = next(run for run in runs if run[1] - run[0] >= min(longest, max(least, longest // 2)))
    return first + a * block, min(last, first + b * block)


def _differences_db(
    reader: AudioReader, first: int, last: int, lag: int, block: int
) -> npt.NDArray[np.float64]:
    """Return the level of x[t + lag] - x[t] over that of x, block by block."""
    chunk = max(1, MOST_FRAMES // block) * block
    values = []
    for at in range(first, last - block + 1, chunk):
        count = (min(at + chunk, last) - at) // block * block
        here = read_span(reader, at, at + count)
        there = read_span(reader, at + lag, at + lag + count)
        count = min(len(here), len(there)) // block * block
        shape = (count // block, block * here.shape[1])
        power = np.square(here[:count], dtype=np.float64).reshape(shape).mean(axis=1)
        off = np.square(here[:count] - there[:count], dtype=np.float64).reshape(shape).mean(axis=1)
        values.append(10 * np.log10((off + 1e-12) / (power + 1e-8)))
    return np.concatenate(values) if values else np.zeros(0)


def _played(reader: AudioReader, run_start: int, run_end: int, lag: int) -> Placed | None:
    rate, total = reader.properties.sample_rate_hz, reader.properties.duration_frames
    reach = round(onsets.SEARCH_S * rate)
    first = max(run_start, reach - lag)
    last = min(run_end, first + round(LONGEST_SCAN_S * rate), total - lag - reach)
    if last - first < 2 * onsets.WINDOW_S * rate:
        return None
    timing = onsets.compare(
        blocks_of(reader, first, last),
        blocks_of(reader, first + lag - reach, last + lag + reach),
        rate,
    )
    if timing is None:
        return None
    if timing.steady:
        lag_s = timing.steady_lag_s
        off_ms = 1000 * np.abs(timing.lag_s - lag_s)
        sure = timing.likeness >= 0.8 * timing.likeness.max()
        fits = np.flatnonzero(sure & (off_ms <= NEAR_MS))
        window = int(fits[0]) if fits.size else int((off_ms - 10 * timing.likeness).argmin())
    else:
        window = int(timing.likeness.argmax())
        lag_s = float(timing.lag_s[window])
    middle = first + round(float(timing.at_s[window]) * rate)
    period = lag + lag_s * rate
    start = before_attack(reader, middle, middle + rate)
    cycle = Cycle(start, start + round(period))
    if cycle.end_frame > total:
        return None
    near = match(reader, start, cycle.period_frames, max(1, rate // 1000))
    return Placed(cycle, period, timing.spread_s, near.correlation)


def before_attack(reader: AudioReader, first: int, last: int) -> int:
    """Return the frame of [first, last) just before its strongest onset; `first` if there
    is none."""
    rate = reader.properties.sample_rate_hz
    rise = onsets.envelope(blocks_of(reader, first, last), rate).sum(axis=0)
    # What lies at the very edges is the filters' own beginning.
    rise[: onsets.SMOOTHING_MS] = 0
    if not rise.size or rise.max() <= 0:
        return first
    place_s = int(rise.argmax()) / LEVEL_HZ - BEFORE_ATTACK_S
    return max(0, first) + max(0, round(place_s * rate))
