"""Loops: is the length exact, and is the seam as smooth as the bar lines inside?

A loop is played twice. At the seam and at each inner bar line the rise of the spectrum is
measured; a click, a cut tail or a missing one makes the seam's rise larger than the others.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.composer.clicks import clicks
from bench.composer.goals import line
from bench.composer.keys import NAMES
from bench.composer.measures import Floats
from bench.composer.midifile import read_score
from bench.composer.pieces import RATE_HZ, generate, strokes
from musicgen.engine.base import Parameters
from services.inference.engines.composer.profiles import PROFILES

_WINDOW = 2048
_BANDS = 40
_LOW_HZ, _HIGH_HZ = 50.0, 16_000.0
_REACH_S, _STEP_S = 0.02, 0.0025
"""How far from a bar line a rise counts as its own: played notes come a little early or late."""
_FLOOR_DB = -60.0
"""Below the loudest band of the file nothing is heard to rise."""


@dataclass(frozen=True, slots=True)
class Seam:
    """A loop, measured."""

    family: str
    seed: int
    bars: int
    frames: int
    frames_expected: int
    rise_db: float
    """At the seam."""
    inner_db: list[float]
    """At the bar lines inside."""
    clicks: int
    """Within 20 ms of the seam."""

    @property
    def ratio(self) -> float:
        """The seam's rise against the median of the others."""
        return self.rise_db / max(statistics.median(self.inner_db), 1e-9)

    @property
    def percentile(self) -> float:
        """Share of inner bar lines that rise less than the seam, in percent."""
        return 100 * statistics.fmean(one < self.rise_db for one in self.inner_db)


def loop(family: str, seed: int) -> Seam:
    """Render a loop of a family, with tempo, key and length drawn by the seed."""
    profile = PROFILES[family]
    chance = random.Random(f"loop {family} {seed}")  # noqa: S311 - a bench's draw
    low, high = profile.tempo_bpm
    bpm, tonic = chance.randint(int(low), int(high)), chance.choice(NAMES)
    prompt = f"{profile.label}, {bpm} bpm, {tonic} {chance.choice(('major', 'minor'))}"
    wanted = Parameters(prompt, "", chance.choice((16.0, 24.0, 32.0)), seed,
                        {"genre": family, "loop": True})  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        made, samples, _ = generate(wanted, Path(name))
        score = read_score(Path(name) / "score.mid")
    bars = int(made.decisions["plan"]["bars"])
    beats, hits = beats_a_bar(score.metre), strokes(score)
    return assess(family, seed, samples, bars=bars, beats=beats, bpm=bpm, hits=hits)


def beats_a_bar(metre: str) -> float:
    """Return the beats of a bar; in 6/8, 9/8 and 12/8 a beat is a dotted quarter."""
    upper, lower = (int(number) for number in metre.split("/"))
    return upper / 3 if lower == 8 and upper % 3 == 0 else upper * 4 / lower


def assess(
    family: str, seed: int, samples: Floats, *, bars: int, beats: float, bpm: float, hits: Floats
) -> Seam:
    """Measure a loop of `bars` bars of `beats` beats at `bpm`."""
    frames = len(samples)
    twice = np.concatenate([samples, samples])
    levels = Levels(twice)
    inner = [levels.rise_db(round(frames * bar / bars)) for bar in range(1, bars)]
    near = slice(frames - RATE_HZ // 10, frames + RATE_HZ // 10)
    found = clicks(twice[near], np.concatenate([hits, hits + frames]) - near.start)
    return Seam(
        family,
        seed,
        bars,
        frames,
        round(bars * beats * 60 / bpm * RATE_HZ),
        levels.rise_db(frames),
        inner,
        sum(abs(frame - RATE_HZ // 10) <= _REACH_S * RATE_HZ for frame in found),
    )


class Levels:
    """Reads levels in bands of a file, to compare what stands before and after a moment."""

    def __init__(self, samples: Floats) -> None:
        self._samples = samples
        self._shape = np.hanning(_WINDOW)[:, None]
        edges = np.geomspace(_LOW_HZ, _HIGH_HZ, _BANDS + 1) * _WINDOW / RATE_HZ
        starts = np.unique(edges.astype(int))  # low bands are as narrow as the bins allow
        self._starts, self._end = starts[:-1], int(starts[-1])
        places = range(0, len(samples) - _WINDOW, _WINDOW * 4)
        self._top_db = max(float(self._raw_db(place).max()) for place in places)

    def rise_db(self, frame: int) -> float:
        """Return the greatest mean rise over the bands within _REACH_S of a frame."""
        shifts = np.arange(-_REACH_S, _REACH_S + _STEP_S / 2, _STEP_S) * RATE_HZ
        places = [frame + round(shift) for shift in shifts]
        rises = [self._db(place) - self._db(place - _WINDOW) for place in places]
        return max(float(np.maximum(rise, 0).mean()) for rise in rises)

    def _db(self, start: int) -> Floats:
        return np.maximum(self._raw_db(start), self._top_db + _FLOOR_DB)

    def _raw_db(self, start: int) -> Floats:
        """Level of each band in the window that begins at `start`."""
        spectrum = np.fft.rfft(self._samples[start : start + _WINDOW] * self._shape, axis=0)
        power = (np.abs(spectrum[: self._end]) ** 2).sum(axis=1)
        return np.asarray(10 * np.log10(np.add.reduceat(power, self._starts) + 1e-12))


def table(seams: Sequence[Seam]) -> list[str]:
    """Return a line a family: lengths, the seam's rise and where it stands."""
    lines = [
        "loops           exact  seam dB  inner dB  ratio  percentile  at most the median  click"
    ]
    for family in dict.fromkeys(seam.family for seam in seams):
        group = [seam for seam in seams if seam.family == family]
        exact = sum(seam.frames == seam.frames_expected for seam in group)
        below = sum(seam.ratio <= 1 for seam in group)
        lines.append(
            f"{family:15} {f'{exact}/{len(group)}':>5} "
            f"{statistics.fmean(seam.rise_db for seam in group):8.2f} "
            f"{statistics.fmean(statistics.median(seam.inner_db) for seam in group):9.2f} "
            f"{statistics.median(seam.ratio for seam in group):6.2f} "
            f"{statistics.median(seam.percentile for seam in group):11.0f} "
            f"{f'{below}/{len(group)}':>19} {sum(seam.clicks for seam in group):6}"
        )
    return lines


def summary(seams: Sequence[Seam]) -> list[str]:
    """Return a line a goal."""
    exact = sum(seam.frames == seam.frames_expected for seam in seams)
    below = sum(seam.ratio <= 1 for seam in seams)
    worst = [seam.family for seam in seams if seam.percentile == 100]
    middle = statistics.median(seam.ratio for seam in seams)
    count = len(seams)
    return [
        line("loop length", "whole bars, exact", f"{exact}/{count}", holds=exact == count),
        line("loop seam", "≤ an inner bar line", f"median of ratios {middle:.2f}; at most the "
             f"file's median in {below}/{count}; above all of them: {', '.join(worst) or 'none'}",
             holds=middle <= 1),
        line("loop click", "none at the seam", f"{sum(seam.clicks for seam in seams)}",
             holds=not any(seam.clicks for seam in seams)),
    ]  # fmt: skip
