"""Judges what finders say of tracks."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile

from bench.looper import sets
from bench.looper.answers import Answer, Row
from bench.looper.instruments import Floats
from bench.looper.scorer import Seam, ideal_db
from bench.looper.truth import Truth, judge

FADE_S = 0.03
"""Of the crossfade that is laid over a finder's points where that is asked for."""
TOP = 10
"""So many choices are looked at for the measure "any"."""


def crossfaded(samples: Floats, start: int, end: int, rate_hz: int) -> tuple[Floats, int]:
    """Return the cycle with its end faded into what leads to its start, and the new end.

    Where nothing leads to the start, the end is laid over the beginning instead.
    """
    frames = int(FADE_S * rate_hz)
    way = np.linspace(0, np.pi / 2, frames)[:, None]
    cycle = samples[start:end].copy()
    if start >= frames:
        before = samples[start - frames : start]
        cycle[-frames:] = cycle[-frames:] * np.cos(way) + before * np.sin(way)
        return cycle, end
    head = cycle[:frames] * np.sin(way) + cycle[-frames:] * np.cos(way)
    return np.concatenate([head, cycle[frames:-frames]]), end - frames


def assess(truth: Truth, answers: Sequence[Answer], folder: Path) -> list[Row]:
    """Judge what finders say of a track, in their order."""
    track: _Track | None = None
    rows = []
    for answer in answers:
        row = Row(truth.name, truth.klass, truth.group, truth.loopable, answer.found,
                  good=False, error=answer.error)  # fmt: skip
        if answer.found and truth.loopable:
            track = track or _Track(truth, folder)
            row = track.judged(answer, row)
        elif not answer.error and not answer.found:
            row = dataclasses.replace(row, good=truth.loopable is False)
        rows.append(row)
    return rows


class _Track:
    """A track that holds a loop, and its scorer."""

    def __init__(self, truth: Truth, folder: Path) -> None:
        self._truth, self._folder = truth, folder
        self._samples, _ = soundfile.read(folder / f"{truth.name}.wav", always_2d=True)
        self._seam = Seam(self._samples, truth.sample_rate_hz)

    def judged(self, answer: Answer, row: Row) -> Row:
        """Fill in a row."""
        truth, samples = self._truth, self._samples
        start, end = answer.top[0]
        cycle = None
        if answer.cycle:
            cycle, _ = soundfile.read(answer.cycle, always_2d=True)
        elif answer.crossfaded:
            first, last = max(0, round(start)), min(len(samples), round(end))
            cycle, end = crossfaded(samples, first, last, truth.sample_rate_hz)
        score = self._seam.score(*answer.top[0], cycle)
        verdict = judge(start, end, truth)
        others = [judge(*points, truth) for points in answer.top[:TOP]]
        # A track that holds its cycle once doesn't show how the end should go on.
        joined = score.ok or (truth.cycles == 1 and not score.clicked)
        heard = samples[round(start) : round(end)] if cycle is None else cycle
        return dataclasses.replace(
            row,
            good=verdict.hit10 and joined,
            verdict=verdict,
            score=score,
            hit10_any=any(one.hit10 for one in others),
            hit50_any=any(one.hit50 for one in others),
            ideal_db=self._from_ideal(heard),
        )

    def _from_ideal(self, cycle: Floats) -> float | None:
        if not self._truth.ideal or not len(cycle):
            return None
        ideal, rate_hz = soundfile.read(self._folder / self._truth.ideal, always_2d=True)
        return ideal_db(cycle, ideal, rate_hz)


def evaluate(
    seed: int, tracks: Sequence[Truth], finders: Sequence[Sequence[Answer]], jobs: int = 2
) -> list[list[Row]]:
    """Judge the answers of several finders; returns the rows of each."""
    by_name = [{answer.track: answer for answer in answers} for answers in finders]
    asked = [[one.get(truth.name, Answer(truth.name)) for one in by_name] for truth in tracks]
    work = functools.partial(assess, folder=sets.folder_of(seed))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as workers:
        judged = list(workers.map(work, tracks, asked))
    return [list(rows) for rows in zip(*judged, strict=True)]
