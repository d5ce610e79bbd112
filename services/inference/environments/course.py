"""The progress of a set-up: stages whose shares were measured, and counts within them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from musicgen.progress import Progress, Transfer

LEAST_FOR_ETA = 0.05
"""An ETA from less of the work would be a guess."""


class Course:
    """Reports where the work is. `stages` are (name, weight) in order; a stage's share of
    the whole is its weight, so that the fraction never falls."""

    def __init__(
        self,
        stages: Sequence[tuple[str, float]],
        report: Callable[[Progress], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stages = list(stages)
        self._total = sum(weight for _, weight in stages)
        self._report = report
        self._clock = clock
        self._started_s = clock()
        self._fraction = 0.0
        self._last = Progress("", 0, 1, 0.0)

    def at(
        self,
        stage: str,
        step: int = 0,
        steps: int = 1,
        *,
        within: float = 0.0,
        detail: str = "",
        transfer: Transfer | None = None,
    ) -> None:
        """Report that `step` of `steps` of a stage are done, and the share `within` of the
        next one. Lets what `report` raises pass."""
        index = [name for name, _ in self._stages].index(stage)
        before = sum(weight for _, weight in self._stages[:index])
        share = min(1.0, (step + within) / steps)
        done = (before + share * self._stages[index][1]) / self._total
        self._fraction = max(self._fraction, done)
        eta_s = None
        if self._fraction >= LEAST_FOR_ETA:
            spent_s = self._clock() - self._started_s
            eta_s = spent_s * (1 - self._fraction) / self._fraction
        self._last = Progress(stage, step, steps, self._fraction, eta_s, detail, transfer)
        self._report(self._last)

    def again(self) -> None:
        """Report the same once more, so that a cancellation is noticed."""
        self._report(self._last)
