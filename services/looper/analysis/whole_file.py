"""A file that is one cycle already: nothing in it repeats, but its end leads to its start.

Such a file can only be judged by its two ends. Neither may be silent or faded. A linear
predictor that knows the end has to foresee the start, and that has to mean something: ends
and starts taken at random from the same piece must surprise it. Where there is a beat, it
has to go on across the join.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from musicgen.audio.codecs import AudioReader, Samples
from services.looper.analysis.alignment import read_span
from services.looper.analysis.features import ONSET_BANDS, FeatureArray, Features
from services.looper.analysis.measure import alike
from services.looper.analysis.surprise import CONTEXT_FRAMES, surprise, surprise_at
from services.looper.loops import Cycle

PADDING_S = 0.2
"""Encoders pad with up to this much silence; more is a real pause."""

PADDING_LEVEL = 1e-4
EDGE_S = 0.3
EDGE_LIMIT_DB = 12.0
JOIN_S = 0.02
JOIN_LIMIT_DB = 30.0
"""At the very join there may be a breath, but no pause: two pauses always meet."""

MIN_LENGTH_S = 4.0
CONTEXT_S = 8.0
ATTACK_LIMIT = 1.0
RANDOM_JOINS = 48
TELLING = 2.0
"""Median surprise of random joins from which a join without one means something. Measured:
music 2.1 to 35, speech 1.5 to 2.3, noise below 1."""

CERTAIN = 2.5
"""If all but one in twenty random joins surprise more than this (sustained chords), the
waveform is proof enough without a beat."""

BETTER_THAN_RANDOM = 0.8
MIN_RHYTHM = 0.35
"""Likeness of onsets a beat or bar apart; noise measures below 0.1."""

MIN_RHYTHM_ACROSS = 0.2
MIN_RHYTHM_STRUCK = 0.5
RHYTHM_SLACK = 0.07
"""How much less than usual inside is right across the join, whose grid of hops is another.
Measured: true joins -0.07 and more, cuts at other beats -0.085 and less."""

STEADY_RHYTHM = 0.25
"""What a piece with a beat has inside; chance gives less."""

PROBES = 24


def whole_cycle(reader: AudioReader, features: Features) -> tuple[Cycle, float] | None:
    """Return the whole file (without an encoder's padding) if it is a cycle already, and
    how sure that is, 0 to 1."""
    cycle = _unpadded(reader)
    if cycle is None or cycle.period_frames < MIN_LENGTH_S * features.sample_rate_hz:
        return None
    context = min(round(CONTEXT_S * features.sample_rate_hz), cycle.period_frames // 3)
    tail = read_span(reader, cycle.end_frame - context, cycle.end_frame)
    head = read_span(reader, cycle.start_frame, cycle.start_frame + context)
    for length_s, limit_db in ((EDGE_S, EDGE_LIMIT_DB), (JOIN_S, JOIN_LIMIT_DB)):
        edge = round(length_s * features.sample_rate_hz)
        for end in (tail[-edge:], head[:edge]):
            level = float(np.sqrt(np.square(end, dtype=np.float64).mean()))
            if level < features.rms * 10 ** (-limit_db / 20):
                return None
    across, usual = _rhythm_across(features, tail, head)
    join = surprise_at(reader, cycle.end_frame, cycle.start_frame)
    random = _random_joins(reader, cycle)
    unlikely = float(np.percentile(random, 5))
    foreseen = join <= min(ATTACK_LIMIT, BETTER_THAN_RANDOM * unlikely)
    if foreseen and np.median(random) >= TELLING:
        if across is None:
            return (cycle, 1 - join / unlikely) if unlikely >= CERTAIN else None
        sure = max(0.0, 1 - join / float(np.median(random)))
        return (cycle, sure) if across >= MIN_RHYTHM_ACROSS else None
    # A cycle may begin with a stroke that nothing foresees; then the rhythm has to be right.
    if across is None or across < max(MIN_RHYTHM_STRUCK, usual - RHYTHM_SLACK):
        return None
    return (cycle, across) if _strikes(reader, features, cycle, join) else None


def _random_joins(reader: AudioReader, cycle: Cycle) -> npt.NDArray[np.float64]:
    """Return the surprise of ends and starts that don't belong together, sorted."""
    rng = np.random.default_rng(0)
    around = CONTEXT_FRAMES
    places = rng.integers(cycle.start_frame + around, cycle.end_frame - around, (RANDOM_JOINS, 2))
    return np.sort([surprise_at(reader, int(end), int(start)) for end, start in places])


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


def _strikes(reader: AudioReader, features: Features, cycle: Cycle, join: float) -> bool:
    """Whether the join surprises no more than the notes that begin whole beats later."""
    lag = _rhythm_lag(features.values[:, -ONSET_BANDS:], features.hops_per_s)
    if lag is None:
        return False
    around = CONTEXT_FRAMES
    beats = cycle.start_frame + features.hop_frames * lag * np.arange(1, PROBES + 1)
    attacks = [
        surprise(read_span(reader, int(at) - around, int(at) + around), features.hop_frames)
        for at in beats
        if at + around <= features.duration_frames
    ]
    return join <= max(attacks, default=0.0)


def _rhythm_across(features: Features, tail: Samples, head: Samples) -> tuple[float | None, float]:
    """Compare onsets just before the join with those a beat or bar later, behind it: their
    likeness (None if the piece has no beat), and what the piece mostly has inside."""
    onsets = features.values[:, -ONSET_BANDS:]
    lag = _rhythm_lag(onsets, features.hops_per_s)
    if lag is None:
        return None, 0.0
    joined = features.describe(np.concatenate([tail, head]))[:, -ONSET_BANDS:]
    across = _straddling(joined, len(joined) // 2, lag)
    places = np.linspace(2 * lag, len(onsets) - 2 * lag - 1, PROBES).astype(int)
    inside = [_straddling(onsets, int(place), lag) for place in places]
    usual = float(np.percentile(inside, 25))
    return (across, usual) if usual >= STEADY_RHYTHM else (None, usual)


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
