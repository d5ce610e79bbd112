"""The words of this service: cycles, what was measured of them, and the report of work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from musicgen.errors import InvalidField
from musicgen.progress import Progress

Report = Callable[[Progress], None]
"""Tells how far work has come. Raises musicgen.errors.Cancelled once the caller has
cancelled; every part of this service calls it at least every half second of work."""

MIN_CYCLE_S = 0.5
"""A shorter cycle is a buzz, not a loop."""


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


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cycle and what was measured of it; ranges are those of LoopCandidate."""

    cycle: Cycle
    score: float
    spectral_similarity: float
    waveform_correlation: float
    loudness_step_db: float


@dataclass(frozen=True, slots=True)
class SeamReport:
    """What was measured at the seam as rendered; ranges are those of SeamReport."""

    crossfade_ms: float
    discontinuity_ratio: float
    loudness_step_db: float
    clean: bool
