"""The words of this service: cycles, what was measured of them, and the report of work."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from musicgen.errors import InvalidField
from musicgen.loop_limits import MIN_CYCLE_S
from musicgen.progress import Progress

Report = Callable[[Progress], None]
"""Tells how far work has come. Raises musicgen.errors.Cancelled once the caller has
cancelled; every part of this service calls it at least every half second of work."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """A region that repeats: frames counted from the start of the file, end exclusive."""

    start_frame: int
    end_frame: int

    @property
    def period_frames(self) -> int:
        """Length of one repetition in frames."""
        return self.end_frame - self.start_frame

    def check(self, sample_rate_hz: int, duration_frames: int, field: str) -> None:
        """Raise InvalidField, naming `field`, if the source can't hold this cycle."""
        fault = ""
        if self.start_frame < 0:
            fault = "start_frame must be 0 or more"
        elif self.period_frames < MIN_CYCLE_S * sample_rate_hz:
            fault = f"the cycle must be at least {MIN_CYCLE_S} s long"
        elif self.end_frame > duration_frames:
            fault = f"end_frame must be at most {duration_frames}, where the source ends"
        if fault:
            raise InvalidField(f"The loop points don't fit: {fault}.", fields={field: fault})


class Kind(enum.Enum):
    """How a cycle repeats; see LoopCandidate.Kind."""

    GIVEN = "given"
    REPEAT = "repeat"
    WHOLE_FILE = "whole file"
    TAIL = "tail"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cycle and what was measured of it; meanings and ranges are those of LoopCandidate.

    `tempo_bpm` is None where there is no beat, `beats` and `bars` are 0 then.
    """

    cycle: Cycle
    kind: Kind
    score: float
    likeness_before: float
    likeness_after: float
    waveform_correlation: float
    loudness_step_db: float
    period_frames: float
    timing_spread_ms: float = 0.0
    click_risk: float = 0.0
    tempo_bpm: float | None = None
    beats: int = 0
    bars: int = 0
    partial: bool = False


class Transition(enum.Enum):
    """How a cycle's end is led into its start; see SeamReport.Transition."""

    CUT = "cut"
    CROSSFADE = "crossfade"
    TAIL = "tail"


@dataclass(frozen=True, slots=True)
class SeamReport:
    """What was measured at the seam as rendered; ranges are those of SeamReport."""

    transition: Transition
    crossfade_ms: float
    discontinuity_ratio: float
    flux_percentile: float
    loudness_step_db: float
    beat_error_ms: float | None
    faults: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing could be found fault with."""
        return not self.faults
