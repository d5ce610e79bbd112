"""What can be measured of a cycle: likeness across the seam, loudness, beats and bars."""

from __future__ import annotations

import numpy as np

from musicgen.audio.codecs import AudioReader, Samples
from services.looper.analysis.alignment import read_span
from services.looper.analysis.features import FeatureArray, Features
from services.looper.analysis.placing import Placed
from services.looper.analysis.tempo import Grid
from services.looper.loops import Candidate, Cycle, Kind

LIKENESS_S = 3.0
"""Audio compared on each side of the seam."""

MIN_LIKENESS_S = 0.5

LOUDNESS_S = 0.4
LOUDNESS_LIMIT_DB = 3.0
LOUDNESS_PROBES = 24
LOUDNESS_SLACK = 1.25


def measure(
    reader: AudioReader, features: Features, placed: Placed, kind: Kind, grid: Grid | None = None
) -> Candidate:
    """Measure a cycle. Its score is the better of the likeness before and after the seam: a
    cycle may begin where its music does, and end where something else follows; a cycle
    without anything around it is judged by its two ends alone."""
    cycle = placed.cycle
    before, after = _likenesses(reader, features, cycle)
    beats, bars = grid.count(placed.period_frames / features.sample_rate_hz) if grid else (0, 0)
    return Candidate(
        cycle,
        kind,
        score=max(before, after),
        likeness_before=before,
        likeness_after=after,
        waveform_correlation=placed.correlation,
        loudness_step_db=loudness_step_db(reader, cycle),
        period_frames=placed.period_frames,
        timing_spread_ms=1000 * placed.timing_spread_s,
        tempo_bpm=grid.tempo.bpm if grid else None,
        beats=beats,
        bars=bars,
    )


def _likenesses(reader: AudioReader, features: Features, cycle: Cycle) -> tuple[float, float]:
    """Return how alike what leads to start and end sounds, and what follows them; 0 where
    the file holds too little of it."""
    rate = features.sample_rate_hz
    start, end = cycle.start_frame, cycle.end_frame
    wanted, least = round(LIKENESS_S * rate), round(MIN_LIKENESS_S * rate)
    before = min(wanted, start)
    after = min(wanted, reader.properties.duration_frames - end)

    def likeness(here: tuple[int, int], there: tuple[int, int]) -> float:
        one, other = (features.describe(read_span(reader, *span)) for span in (here, there))
        return max(0.0, alike(one, other))

    if max(before, after) < least:
        short = min(least, cycle.period_frames // 2)
        return 0.0, likeness((start, start + short), (end - short, end))
    return (
        likeness((start - before, start), (end - before, end)) if before >= least else 0.0,
        likeness((start, start + after), (end, end + after)) if after >= least else 0.0,
    )


def alike(one: FeatureArray, other: FeatureArray) -> float:
    """Return the correlation of two stretches of features [hops, dimensions], -1 to 1."""
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / norm if norm > 1e-9 else 0.0


def loudness_step_db(reader: AudioReader, cycle: Cycle) -> float:
    """Return how much louder the music around the start is than around the end, in
    decibels: what the ear gets at the seam against what the music would have done. If
    the file ends with the cycle, its first stretch is compared with its last."""
    facts = reader.properties
    side = round(LOUDNESS_S * facts.sample_rate_hz)
    start, end = cycle.start_frame, cycle.end_frame
    if _has_surroundings(reader, cycle):
        before = min(side, start)
        after = min(side, facts.duration_frames - end)
        here = read_span(reader, start - before, start + after)
        there = read_span(reader, end - before, end + after)
    else:
        side = min(side, cycle.period_frames // 2)
        here = read_span(reader, start, start + side)
        there = read_span(reader, end - side, end)
    return _level_db(here) - _level_db(there)


def loudness_limit_db(reader: AudioReader, cycle: Cycle) -> float:
    """Return the loudness step up to which a seam is clean: LOUDNESS_LIMIT_DB, or, where
    a cycle's first stretch had to be compared with its last, what the music itself does
    from one stretch to the next (a downbeat is louder than the rest before it)."""
    if _has_surroundings(reader, cycle):
        return LOUDNESS_LIMIT_DB
    side = min(round(LOUDNESS_S * reader.properties.sample_rate_hz), cycle.period_frames // 4)
    stretch = min(8 * side, cycle.period_frames)  # long enough to hold a downbeat
    places = np.linspace(cycle.start_frame, cycle.end_frame - stretch, LOUDNESS_PROBES)
    largest = [
        _largest_step_db(read_span(reader, int(place), int(place) + stretch), side)
        for place in places
    ]
    # The places are samples, so the music does a little more than they show.
    return max(LOUDNESS_LIMIT_DB, LOUDNESS_SLACK * float(np.percentile(largest, 90)))


def _largest_step_db(samples: Samples, side: int) -> float:
    """Return the largest step between adjacent stretches of `side` frames."""
    power = np.square(samples, dtype=np.float64).mean(axis=1)
    total = np.concatenate([[0.0], np.cumsum(power)])
    level_db = 10 * np.log10((total[side:] - total[:-side]) / side + 1e-9)
    return float(np.abs(level_db[side:] - level_db[:-side]).max(initial=0.0))


def _has_surroundings(reader: AudioReader, cycle: Cycle) -> bool:
    least = LOUDNESS_S * reader.properties.sample_rate_hz / 2
    after = reader.properties.duration_frames - cycle.end_frame
    return min(cycle.start_frame, 2 * least) + min(after, 2 * least) >= least


def _level_db(samples: Samples) -> float:
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean() + 1e-9))
