"""Measures the measures, on tracks whose truth is known: `python -m bench.looper.selfcheck`.

Prints a line a check and ends with status 1 if one fails. `--seed` chooses the tracks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile

from bench.looper import copies, sets
from bench.looper.composition import Chance
from bench.looper.evaluate import crossfaded
from bench.looper.hearing import wave_lag
from bench.looper.instruments import Floats
from bench.looper.scorer import Score, Seam
from bench.looper.truth import Truth, judge

TRACKS = (
    "01_edm_intro",
    "04_piano_human",
    "07_ambient_noise",
    "10_waltz_3_4",
    "15_mono",
    "16_sr22050",
    "22_aaba_trap",
    "24_hiss",
)
SHIFTS_MS = (1, 2, 5, 10, 20, 50)
_EACH = 8
"""True cuts of each track, and twice as many at random."""


@dataclass
class Read:
    """What the scorer said of one track."""

    true: list[float] = field(default_factory=list)
    """The seam's figure at true loops, and at random ones."""
    random: list[float] = field(default_factory=list)
    errors_ms: list[float] = field(default_factory=list)
    """By how much shifts were read wrong, where timing could be measured."""
    unread: int = 0
    clicks: int = 0
    """Cuts that are off by 10 ms and click, and those that still do when crossfaded."""
    faded: int = 0


def read(file: str, folder: Path) -> Read:
    """Score true, random and shifted loops of a track."""
    truth = Truth.read(folder / f"{file}.json")
    samples, rate_hz = soundfile.read(folder / f"{file}.wav", always_2d=True)
    seam, found = Seam(samples, rate_hz), Read()
    clock = truth.clock()
    chance = np.random.default_rng(11)
    period = round(clock.period_frames)
    for _ in range(_EACH):
        start = int(chance.integers(clock.match[0], clock.match[1] + 1))
        found.true.append(_faded(seam, samples, start, start + period, rate_hz).seam)
        for _ in range(2):
            first, last = sorted(chance.integers(0, len(samples), 2))
            if last - first > rate_hz and abs(judge(first, last, truth).error_ms) > 60:
                found.random.append(_faded(seam, samples, first, last, rate_hz).seam)
    start = (clock.match[0] + clock.match[1]) // 2
    for shift_ms in SHIFTS_MS:
        late = round(shift_ms * rate_hz / 1000)
        score = seam.score(start, start + period + late)
        if score.jump_ms is None:
            found.unread += 1
        else:
            # What comes after the join comes late by as much as the loop is too long.
            found.errors_ms.append(abs(abs(score.jump_ms) - late / rate_hz * 1000))
    late = round(0.01 * rate_hz)
    found.clicks += seam.score(start, start + period + late).clicked
    found.faded += _faded(seam, samples, start, start + period + late, rate_hz).clicked
    return found


def _faded(seam: Seam, samples: Floats, start: int, end: int, rate_hz: int) -> Score:
    """Score a cut with a crossfade, as no hard one is smooth where the repeats differ."""
    return seam.score(start, end, crossfaded(samples, start, end, rate_hz)[0])


def auc(true: list[float], random: list[float]) -> float:
    """Return how likely a true one is above a random one."""
    above = np.subtract.outer(np.array(true), np.array(random))
    return float((above > 0).mean() + (above == 0).mean() / 2)


def scored(seed: int, jobs: int) -> Iterator[tuple[str, bool]]:
    """Yield what the scorer does with cuts of known tracks."""
    folder = sets.folder_of(seed)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as workers:
        list(workers.map(sets.make, [seed] * len(TRACKS), TRACKS, [folder] * len(TRACKS)))
        found = list(workers.map(read, TRACKS, [folder] * len(TRACKS)))
    true = [one for track in found for one in track.true]
    random = [one for track in found for one in track.random]
    apart = auc(true, random)
    medians = f"medians {np.median(true):.0f} and {np.median(random):.0f}"
    text = f"{len(true)} true cuts of {len(random)} random ones: AUC {apart:.4f}, {medians}"
    yield text, apart > 0.99
    errors = [one for track in found for one in track.errors_ms]
    unread = sum(track.unread for track in found)
    worst = max(errors, default=np.inf)
    held = len(errors) >= 3 * len(SHIFTS_MS) and float(np.quantile(errors, 0.8)) < 0.1
    read_ms = f"read within {worst:.3f} ms (median {np.median(errors):.3f})"
    yield f"shifts of 1…50 ms: {len(errors)} {read_ms}, {unread} not measured", held
    clicks, faded = (sum(getattr(one, name) for one in found) for name in ("clicks", "faded"))
    text = f"cuts 10 ms off: {clicks}/{len(found)} click, {faded} when crossfaded"
    yield text, clicks > len(found) / 3 and not faded


def _pattern(chance: Chance) -> tuple[Floats, Truth]:
    """Return a track of a cycle of noise played three times."""
    rate_hz, period = 44_100, 3 * 44_100
    cycle = np.repeat(chance.standard_normal((period // 3, 2)), 3, axis=0)
    samples = np.tile(cycle, (3, 1)) * 0.1
    frames = len(samples)
    grid = [[0.0, 0.0], [float(frames), 3.0]]
    truth = Truth(
        "pattern", True, (0, frames), float(period), grid, (0, 2 * period), 3,
        sample_rate_hz=rate_hz, frames=frames, channels=2, name="pattern",
    )  # fmt: skip
    return samples, truth


def judged() -> Iterator[tuple[str, bool]]:
    """Yield what is said of points whose error is known, and of copies at another speed."""
    chance = np.random.default_rng(3)
    samples, truth = _pattern(chance)
    period = 3 * 44_100
    one, two = judge(1000, 1000 + period, truth), judge(0, 2 * period, truth)
    off, wild = judge(0, period + 440, truth), judge(0, period * 1.4, truth)
    told = ", ".join(f"{one.error_ms:.2f}" for one in (one, two, off, wild))
    held = one.exact and two.exact and two.cycles == 2 and off.hit10 and not off.hit1
    yield f"points right, twice, 440 frames off, wild: {told} ms", held and not wild.hit50
    for made in (copies.faster(samples, truth, 300), copies.drifting(samples, truth, chance)):
        worst = 0
        clock = made.truth.clock()
        table = np.array(clock.grid)
        for cycle in np.linspace(0.2, 1.8, 9):
            first, last = np.interp([cycle, cycle + 1], table[:, 1], table[:, 0])
            part = [made.samples[round(at) : round(at) + 600, 0] for at in (first, last)]
            lag = wave_lag(part[0], part[1], 60)
            worst = max(worst, abs(lag.frames)) if lag.likeness > 0.9 else 999
        text = f"truth of a copy of {made.truth.klass}: within {worst} frames"
        yield text, worst <= 1


def main() -> int:
    """Read the arguments and check; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    good = True
    for checks in (judged(), scored(arguments.seed, arguments.jobs)):
        for text, holds in checks:
            print("ok    " if holds else "FAILS ", text, flush=True)
            good &= holds
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
