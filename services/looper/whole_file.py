"""A file that is one cycle already: nothing in it repeats, but its end leads to its start.

Such a file can only be judged by its two ends. All of these must hold: neither end is
silent or faded, a linear predictor that knows the end foresees the start, and rhythm goes
on across the join as it does elsewhere in the piece.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.signal

from musicgen.audio.codecs import AudioReader, Samples
from services.looper.alignment import read_span
from services.looper.features import ONSET_BANDS, FeatureArray, Features
from services.looper.loops import Cycle
from services.looper.measure import alike

PADDING_S = 0.2
"""Encoders pad with up to this much silence; more is a real pause."""

PADDING_LEVEL = 1e-4
EDGE_S = 0.3
EDGE_LIMIT_DB = 12.0
CONTEXT_S = 8.0
PREDICTOR_ORDER = 32
PREDICTOR_CONTEXT_FRAMES = 2_048
JOIN_FRAMES = 3
RESIDUAL_LIMIT = 1.5
MIN_RHYTHM = 0.35
"""Likeness of onsets a beat or bar apart; noise measures below 0.1."""

RHYTHM_SLACK = 0.1
PROBES = 24


def whole_cycle(reader: AudioReader, features: Features) -> tuple[Cycle, float] | None:
    """Return the whole file (without an encoder's padding) if it is a cycle already, and
    how well its rhythm goes on across the join, 0 to 1."""
    cycle = _unpadded(reader)
    context = round(CONTEXT_S * features.sample_rate_hz)
    if cycle is None or cycle.period_frames < 2 * context:
        return None
    tail = read_span(reader, cycle.end_frame - context, cycle.end_frame)
    head = read_span(reader, cycle.start_frame, cycle.start_frame + context)
    edge = round(EDGE_S * features.sample_rate_hz)
    for end in (tail[-edge:], head[:edge]):
        level = float(np.sqrt(np.square(end, dtype=np.float64).mean()))
        if level < features.rms * 10 ** (-EDGE_LIMIT_DB / 20):
            return None
    rhythm = _rhythm_across(features, tail, head)
    if rhythm is None or not _continues(reader, features, cycle.start_frame, tail, head):
        return None
    return cycle, rhythm


def _unpadded(reader: AudioReader) -> Cycle | None:
    facts = reader.properties
    reach = round(PADDING_S * facts.sample_rate_hz)
    head = np.abs(read_span(reader, 0, reach)).max(axis=1)
    tail = np.abs(read_span(reader, facts.duration_frames - reach, facts.duration_frames)).max(
        axis=1
    )
    loud_head, loud_tail = (
        np.flatnonzero(head > PADDING_LEVEL),
        np.flatnonzero(tail > PADDING_LEVEL),
    )
    if not loud_head.size or not loud_tail.size:
        return None
    start, cut = int(loud_head[0]), len(tail) - 1 - int(loud_tail[-1])
    # Music that merely starts or ends with a few quiet samples is not padded.
    least = facts.sample_rate_hz // 200
    return Cycle(start if start > least else 0, facts.duration_frames - (cut if cut > least else 0))


def _continues(
    reader: AudioReader, features: Features, start_frame: int, tail: Samples, head: Samples
) -> bool:
    """Whether the start follows the end without a click: a note may begin there, with no
    more surprise than the notes that begin whole beats later."""
    around = PREDICTOR_CONTEXT_FRAMES
    at_join = _surprise(np.concatenate([tail[-around:], head[:around]]), JOIN_FRAMES)
    if at_join <= RESIDUAL_LIMIT:
        return True
    lag = _rhythm_lag(features.values[:, -ONSET_BANDS:], features.hops_per_s)
    if lag is None:
        return False
    beats = start_frame + features.hop_frames * lag * np.arange(1, PROBES + 1)
    attacks = [
        _surprise(read_span(reader, int(at) - around, int(at) + around), features.hop_frames)
        for at in beats
        if at + around <= features.duration_frames
    ]
    return at_join <= max(attacks, default=0.0)


def _surprise(samples: Samples, reach_frames: int) -> float:
    """Return the largest residual of a linear predictor within `reach_frames` of the
    middle, over the 99th percentile of the residual; the worst of the channels."""
    worst = 0.0
    for channel in range(samples.shape[1]):
        signal = samples[:, channel].astype(np.float64)
        tapered = signal * np.hanning(len(signal))
        correlation = np.correlate(tapered, tapered, "full")[len(signal) - 1 :]
        correlation = correlation[: PREDICTOR_ORDER + 1]
        if correlation[0] < 1e-9:
            continue
        correlation[0] *= 1 + 1e-6
        predictor = scipy.linalg.solve_toeplitz(correlation[:-1], correlation[1:])
        residual = np.abs(scipy.signal.lfilter(np.r_[1.0, -predictor], [1.0], signal))
        residual = residual[PREDICTOR_ORDER:]
        middle = len(signal) // 2 - PREDICTOR_ORDER
        peak = residual[max(0, middle - reach_frames) : middle + reach_frames].max()
        worst = max(worst, float(peak / (np.percentile(residual, 99) + 2.0**-16)))
    return worst


def _rhythm_across(features: Features, tail: Samples, head: Samples) -> float | None:
    """Compare onsets just before the join with those a beat or bar later, behind it: their
    likeness, or None if it is below what the piece mostly has inside."""
    onsets = features.values[:, -ONSET_BANDS:]
    lag = _rhythm_lag(onsets, features.hops_per_s)
    if lag is None:
        return None
    joined = features.describe(np.concatenate([tail, head]))[:, -ONSET_BANDS:]
    middle = len(joined) // 2
    across = _straddling(joined, middle, lag)
    places = np.linspace(2 * lag, len(onsets) - 2 * lag - 1, PROBES).astype(int)
    inside = [_straddling(onsets, int(place), lag) for place in places]
    usual = float(np.percentile(inside, 25)) - RHYTHM_SLACK
    return across if across >= max(MIN_RHYTHM, usual) else None


def _rhythm_lag(onsets: FeatureArray, hops_per_s: float) -> int | None:
    """Return the lag in hops, 0.4 to 3 s, at which onsets repeat best; None if they don't."""
    shortest, longest = round(0.4 * hops_per_s), round(3 * hops_per_s)
    if len(onsets) < 3 * longest:
        return None
    likeness: npt.NDArray[np.float64] = np.array(
        [alike(onsets[:-lag], onsets[lag:]) for lag in range(shortest, longest)]
    )
    best = int(likeness.argmax())
    return shortest + best if likeness[best] >= MIN_RHYTHM else None


def _straddling(onsets: FeatureArray, place: int, lag: int) -> float:
    return alike(
        onsets[max(0, place - lag) : place], onsets[max(0, place - lag) + lag : place + lag]
    )
