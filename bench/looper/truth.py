"""What is known of a track's loop, and how far a finder's points lie from it.

A track is NAME.wav with NAME.json beside it, which holds a Truth under the names in _JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from bench.looper.instruments import Floats

EXACT_FRAMES, NEAR_MS, CLOSE_MS, ROUGH_MS = 1.0, 1.0, 10.0, 50.0
"""How far from the truth a hit may be, of each kind."""
_PLACED_S = 0.06
"""By how much a loop may reach out of the part that repeats."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What is known of a track with a loop; the fields are those of Truth."""

    grid: list[list[float]]
    period_frames: float
    match: tuple[int, int]


@dataclass(slots=True)
class Truth:
    """A track's loop. Frames are counted from the file's start; ends are exclusive."""

    klass: str
    """What kind of track this is."""
    loopable: bool | None
    """False: there is no good loop. None: a matter of taste, and not scored."""
    body: tuple[int, int]
    """The part that repeats."""
    period_frames: float | None = None
    grid: list[list[float]] | None = None
    """[frame, cycles since the body began], piecewise linear: the clock of the music. A loop
    is right if a whole number of cycles lies between its ends."""
    match: tuple[int, int] | None = None
    """A loop of one period may start from here to there, as what follows then returns."""
    cycles: float = 0
    """How many times the file holds the cycle."""
    beat_frames: float | None = None
    exact: bool = False
    """The repeats are equal to the sample."""
    partial: tuple[float, ...] = ()
    """Distances that are smooth, but skip a part of the cycle."""
    group: str = "standard"
    """Which part of the set the track belongs to."""
    name: str = ""
    sample_rate_hz: int = 44_100
    channels: int = 2
    frames: int = 0
    ideal: str | None = None
    """File of the cycle as it should repeat, where the track holds it once only."""

    def clock(self) -> Clock:
        """Return what only a track with a loop has. Raises ValueError for another."""
        if self.grid is None or self.period_frames is None or self.match is None:
            raise ValueError(f"{self.name} holds no loop")
        return Clock(self.grid, self.period_frames, self.match)

    def write(self, folder: Path) -> None:
        """Write NAME.json."""
        told = {_JSON.get(one.name, one.name): getattr(self, one.name) for one in fields(self)}
        (folder / f"{self.name}.json").write_text(json.dumps(told, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Truth:
        """Read a NAME.json."""
        told = json.loads(path.read_bytes())
        values: dict[str, Any] = {}
        for one in fields(cls):
            if (key := _JSON.get(one.name, one.name)) in told:
                value = told[key]
                values[one.name] = tuple(value) if one.name in _TUPLES and value else value
        return cls(**values)


_JSON = {"period_frames": "period", "beat_frames": "beat", "sample_rate_hz": "sr", "frames": "n"}
_TUPLES = ("body", "match", "partial")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far points lie from the truth."""

    error_ms: float
    """Of the period; positive if the loop is too long."""
    cycles: int
    """How many the loop holds."""
    placed: bool
    """Whether the loop lies where the music repeats."""
    exact: bool
    hit1: bool
    hit10: bool
    hit50: bool
    partial: bool
    """Whether it is smooth, but skips a part of the cycle."""


def position(frame: float, grid: list[list[float]]) -> tuple[float, float]:
    """Return the cycles before a frame, and the frames of a cycle there."""
    table = np.asarray(grid, dtype=float)
    place = int(np.searchsorted(table[:, 0], frame, "right")) - 1
    place = min(max(place, 0), len(table) - 2)
    (start, before), (end, after) = table[place], table[place + 1]
    pace = (end - start) / (after - before)
    return float(before + (frame - start) / pace), float(pace)


def judge(start: float, end: float, truth: Truth) -> Verdict:
    """Compare a loop with the truth of a track that has one."""
    rate_hz, clock = truth.sample_rate_hz, truth.clock()
    at_start, pace_there = position(start, clock.grid)
    at_end, pace_here = position(end, clock.grid)
    cycles = max(1, round(at_end - at_start))
    error_frames = (at_end - at_start - cycles) * (pace_there + pace_here) / 2
    error_ms = error_frames / rate_hz * 1000
    reach = _PLACED_S * rate_hz
    first, last = clock.match
    placed = start >= first - reach and end <= last + clock.period_frames + reach
    skips_ms = [abs(end - start - part) / rate_hz * 1000 for part in truth.partial]
    hit50 = placed and abs(error_ms) <= ROUGH_MS
    return Verdict(
        error_ms,
        cycles,
        placed,
        exact=placed and abs(error_frames) <= EXACT_FRAMES,
        hit1=placed and abs(error_ms) <= NEAR_MS,
        hit10=placed and abs(error_ms) <= CLOSE_MS,
        hit50=hit50,
        partial=not hit50 and min(skips_ms, default=ROUGH_MS) < ROUGH_MS,
    )


def matching(samples: Floats, period: int, rate_hz: int, body: tuple[int, int]) -> tuple[int, int]:
    """Return the longest run of the body [frames, channels] that a period later returns.

    Blocks of 50 ms are compared; they match if they differ by less than -45 dB.
    """
    mono = samples.mean(axis=1)
    block = int(0.05 * rate_hz)
    first, last = body[0], max(body[0], body[1] - period)
    best, run, frame = (first, first), first, first
    for frame in range(first, last - block, block):
        here = mono[frame : frame + block]
        there = mono[frame + period : frame + period + block]
        differing = np.sqrt(((here - there) ** 2).mean())
        level = np.sqrt((here**2).mean()) + 1e-4
        if 20 * np.log10(differing / level + 1e-9) >= -45:
            run = frame + block
        elif frame + block - run > best[1] - best[0]:
            best = (run, frame + block)
    if best[1] and last - best[1] < 2 * block:
        best = (best[0], last)
    return best
