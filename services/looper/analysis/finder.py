"""Finds the cycles of a piece, or says that there is none."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from musicgen.audio.codecs import AudioReader
from musicgen.errors import InvalidAudio, NoLoopFound
from musicgen.progress import ProgressMeter
from services.looper.analysis import measure, repetition
from services.looper.analysis.features import SILENT_RMS, Features, extract
from services.looper.analysis.levels import blocks_of
from services.looper.analysis.placing import Placed, place
from services.looper.analysis.repetition import Repetition
from services.looper.analysis.tail import tail_cycle
from services.looper.analysis.tempo import Grid, grid
from services.looper.analysis.whole_file import whole_cycle
from services.looper.loops import Candidate, Cycle, Kind, Report

MIN_SOURCE_S = 1.0
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 384_000
"""Below, there is nothing to compare; above, formats can't hold it."""

ALIGNED = 8
"""Repetitions that are aligned and measured."""

MIN_RUN_S = 3.0
"""A shorter repetition is a figure, not a cycle of the piece."""

GRID_S = 90.0
"""Music from which the tempo is read."""

OPENING_S = 1_200.0
"""Of a longer piece only so much is looked at first: it mostly holds the loop."""

PASSING_SCORE = 0.74
"""Of the mean of a cycle's own likeness and that of the whole repetition. Measured: copies
0.95 and more, players 0.85 and more, rubato 0.72 to 0.9; what isn't repeated, up to 0.74."""

PASSING_SCORE_IN_PART = 0.85
PART = 0.4
"""A repetition that covers less of the piece than this may be a mere figure."""

LARGEST_STEP_DB = 2.5
"""Passes of one piece are equally loud; a drone that swells is like itself, and is not."""

TAIL_SCORE = 0.8
"""What is believed of a cycle that only the beat speaks for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cycles are looked for: how many at most, and how long; `own` is the one that
    the source says it has."""

    limit: int = 5
    min_s: float = repetition.MIN_PERIOD_S
    max_s: float = float("inf")
    own: Cycle | None = None

    def fits(self, cycle: Cycle, sample_rate_hz: int) -> bool:
        """Whether a cycle is as long as wanted."""
        return self.min_s <= cycle.period_frames / sample_rate_hz <= self.max_s


def check(reader: AudioReader) -> None:
    """Raise InvalidAudio for what is shorter than a second or has a sample rate that no
    music has."""
    rate_hz = reader.properties.sample_rate_hz
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise InvalidAudio(
            f"The audio's sample rate is {rate_hz:,} Hz; a loop needs {MIN_RATE_HZ:,} to"
            f" {MAX_RATE_HZ:,} Hz.",
            remedy="Convert it to 44,100 or 48,000 Hz.",
        )
    if reader.properties.duration_s < MIN_SOURCE_S:
        raise InvalidAudio(
            f"The audio is {reader.properties.duration_s:.2f} s long; a loop needs at least"
            f" {MIN_SOURCE_S:g} s.",
            remedy="Use a longer piece.",
        )


def find(
    reader: AudioReader, wanted: Wanted, meter: ProgressMeter, report: Report
) -> list[Candidate]:
    """Return the cycles that pass, best first, in the stages "analysing" (steps: seconds of
    audio), "comparing" (repetition.STEPS steps) and "aligning" (ALIGNED + 1 steps).

    Where nothing repeats, the file may be a single cycle itself, or hold one pass that
    rings out. Raises InvalidAudio, or NoLoopFound with the best near-miss in its metadata.
    """
    check(reader)
    duration_s = reader.properties.duration_s
    missed: list[_Miss] = []
    for length_s in (OPENING_S, duration_s) if duration_s > 1.5 * OPENING_S else (duration_s,):
        report(meter.enter("analysing"))
        features = extract(reader, meter, report, seconds=length_s)
        if features.rms < SILENT_RMS and length_s == duration_s:
            raise NoLoopFound("The audio is silent.", remedy="Use audio that can be heard.")
        search = _Search(reader, features, wanted, meter, report)
        if found := search.repeats():
            return found[: wanted.limit]
        missed += search.missed
    if single := search.single():
        return [single]
    raise _no_loop(missed)


@dataclass(frozen=True, slots=True)
class _Miss:
    """A cycle that doesn't pass: its likeness falls short, or else its loudness changes."""

    candidate: Candidate
    likeness: float
    needed: float


class _Search:
    """What is looked for in one analysis."""

    def __init__(
        self,
        reader: AudioReader,
        features: Features,
        wanted: Wanted,
        meter: ProgressMeter,
        report: Report,
    ) -> None:
        self._reader, self._features, self._wanted = reader, features, wanted
        self._meter, self._report = meter, report
        self._grid: Grid | None = None
        self.missed: list[_Miss] = []

    def repeats(self) -> list[Candidate]:
        """Return the cycles that the piece plays more than once, best first."""
        self._report(self._meter.enter("comparing"))
        runs = repetition.repetitions(
            self._features, ALIGNED, self._meter, self._report, self._wanted.min_s
        )
        self._report(self._meter.enter("aligning"))
        end = round(GRID_S * self._features.sample_rate_hz)
        self._grid = grid(blocks_of(self._reader, 0, end), self._features)
        self._report(self._meter.advance())
        passing: list[tuple[float, Repetition, Candidate]] = []
        for run in runs:
            placed = self._placed(run)
            self._report(self._meter.advance())
            if placed is None or not self._wanted.fits(placed.cycle, self._features.sample_rate_hz):
                continue
            candidate = self._measured(placed, Kind.REPEAT)
            if miss := self._miss(run, candidate):
                self.missed.append(miss)
            else:
                passing.append((run.utility * candidate.score, run, candidate))
        return _ranked(passing)

    def single(self) -> Candidate | None:
        """Return the one cycle that a file without repeats may be."""
        if found := whole_cycle(self._reader, self._features):
            cycle, sure = found
            if self._wanted.fits(cycle, self._features.sample_rate_hz):
                return dataclasses.replace(
                    self._measured(_exactly(cycle), Kind.WHOLE_FILE), score=sure
                )
        cycle_ = tail_cycle(self._reader, self._features, self._grid)
        if cycle_ and self._wanted.fits(cycle_, self._features.sample_rate_hz):
            return dataclasses.replace(
                self._measured(_exactly(cycle_), Kind.TAIL), score=TAIL_SCORE
            )
        return None

    def _miss(self, run: Repetition, candidate: Candidate) -> _Miss | None:
        covered = (run.end_s - run.start_s + run.lag_s) / self._reader.properties.duration_s
        needed = PASSING_SCORE if covered >= PART else PASSING_SCORE_IN_PART
        likeness = (candidate.score + run.likeness) / 2
        if likeness >= needed and abs(candidate.loudness_step_db) <= LARGEST_STEP_DB:
            return None
        return _Miss(candidate, likeness, needed)

    def _measured(self, placed: Placed, kind: Kind) -> Candidate:
        return measure.measure(self._reader, self._features, placed, kind, self._grid)

    def _placed(self, run: Repetition) -> Placed | None:
        rate = self._features.sample_rate_hz
        if run.end_s - run.start_s < MIN_RUN_S:
            return None
        return place(
            self._reader,
            round(run.start_s * rate),
            round(run.end_s * rate),
            round(run.lag_s * rate),
            # Half a hop of doubt on either side of each of the two hops compared.
            round(2 * run.hop_s * rate),
        )


def _exactly(cycle: Cycle) -> Placed:
    return Placed(cycle, float(cycle.period_frames), 0.0, 0.0)


def _ranked(passing: list[tuple[float, Repetition, Candidate]]) -> list[Candidate]:
    """Sort best first; of cycles about as good as the best, the shortest comes first,
    because twice a cycle is as good a cycle."""
    if not passing:
        return []
    near = repetition.NEARLY_BEST * max(value for value, _, _ in passing)
    passing = sorted(
        passing,
        key=lambda entry: (0, entry[1].lag_s) if entry[0] >= near else (1, -entry[0]),
    )
    return [
        dataclasses.replace(candidate, partial=_is_partial(run, passing))
        for _, run, candidate in passing
    ]


def _is_partial(run: Repetition, passing: list[tuple[float, Repetition, Candidate]]) -> bool:
    """Whether a longer cycle plays music that one with this run would skip: there the short
    one doesn't hold through the long one."""
    heard_s = run.end_s - run.start_s
    return any(heard_s < 0.8 * (other.lag_s - run.lag_s) for _, other, _ in passing)


def _no_loop(missed: list[_Miss]) -> NoLoopFound:
    remedy = "Give the points by hand, or use a piece that plays its loop at least once and a half."
    if not missed:
        return NoLoopFound(
            "Nothing in the audio repeats.",
            remedy=remedy,
            metadata={"passing_score": str(PASSING_SCORE)},
        )
    best = max(missed, key=lambda miss: miss.likeness - miss.needed)
    why = f"scores {best.likeness:.2f} of {best.needed:.2f} needed"
    if best.likeness >= best.needed:
        why = f"changes its loudness by {best.candidate.loudness_step_db:+.1f} dB"
    return NoLoopFound(
        f"No cycle repeats well enough: the best {why}.",
        remedy=remedy,
        metadata={
            "best": f"{best.likeness:.4f}",
            "best_start_frame": str(best.candidate.cycle.start_frame),
            "best_end_frame": str(best.candidate.cycle.end_frame),
            "passing_score": str(best.needed),
        },
    )
