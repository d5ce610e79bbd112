"""Measured progress: counted in steps that are done, with an ETA from steps timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MIN_STEPS_TIMED = 2
"""An ETA from fewer steps would be a guess."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """How far bytes have come. `total_bytes` 0: unknown. `bytes_per_second` 0: not measured
    yet."""

    done_bytes: int
    total_bytes: int
    bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far work has come. `fraction` is of the whole job, 0 to 1. `transfer` is there
    where the work moves bytes."""

    stage: str
    step: int
    steps: int
    fraction: float
    eta_s: float | None = None
    detail: str = ""
    transfer: Transfer | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A named part of a job. `weight` is its share of the work, in any unit that all
    stages of the job share (seconds of audio, bytes, measured cost)."""

    name: str
    steps: int
    weight: float


class ProgressMeter:
    """Turns finished steps into Progress.

    The ETA divides the weight still to be done by the speed measured so far in this
    very run; it is absent until MIN_STEPS_TIMED steps were timed. Steps that another run did
    are skipped, and tell nothing of the speed of this one.
    """

    def __init__(
        self, stages: Sequence[Stage], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stages = list(stages)
        self._total = sum(stage.weight for stage in stages)
        self._clock = clock
        self._started_s = clock()
        self._index = 0
        self._step = 0
        self._timed = 0
        self._skipped = 0.0
        self._fraction = 0.0

    def enter(self, name: str, *, detail: str = "") -> Progress:
        """Begin the stage called `name`; the stages before it count as done."""
        self._index = next(i for i, stage in enumerate(self._stages) if stage.name == name)
        self._step = 0
        return self._progress(detail)

    def advance(self, steps: int = 1, *, detail: str = "") -> Progress:
        """Count `steps` more steps of the present stage as done."""
        self._step = min(self._step + steps, self._stages[self._index].steps)
        self._timed += steps
        return self._progress(detail)

    def skip(self, steps: int, *, detail: str = "") -> Progress:
        """Count `steps` more steps of the present stage as done by an earlier run."""
        before, stage = self._step, self._stages[self._index]
        self._step = min(before + steps, stage.steps)
        self._skipped += stage.weight * (self._step - before) / stage.steps
        return self._progress(detail)

    def _progress(self, detail: str) -> Progress:
        stage = self._stages[self._index]
        done = sum(before.weight for before in self._stages[: self._index])
        done += stage.weight * self._step / stage.steps
        eta_s = None
        worked = done - self._skipped
        if self._timed >= MIN_STEPS_TIMED and worked > 0:
            eta_s = (self._clock() - self._started_s) * (self._total - done) / worked
        # Sums in another order differ in the last bit, and a fraction never falls.
        self._fraction = max(self._fraction, min(1.0, done / self._total))
        return Progress(stage.name, self._step, stage.steps, self._fraction, eta_s, detail)
