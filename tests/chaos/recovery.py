"""How long jobs hang when the worker that holds them is killed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.recorder import ENDED, Recorder


@dataclass(frozen=True, slots=True)
class Death:
    """kill -9 of a runner, and what it held."""

    at_ms: float
    runner: str
    held: tuple[tuple[str, int], ...]
    """(job, fence)."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which nothing could be freed: the store or all jobs processes were away."""

    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class Recovery:
    """A job whose runner was killed. Seconds from then until it was free again, and until it
    ran again or had ended; `upset` says that there was an outage meanwhile."""

    job: str
    death: Death
    freed_s: float
    resumed_s: float | None
    upset: bool


class Recoveries:
    """Notes deaths and outages; measures at the end."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._deaths: list[Death] = []
        self.outages: list[Outage] = []

    def died(self, runner: str) -> None:
        """Note that a runner was killed right now."""
        stories = self._recorder.stories
        held = tuple(
            (job, stories[job].fence)
            for job, owner in self._recorder.running.items()
            if owner == runner
        )
        if held:
            self._deaths.append(Death(time.time() * 1000, runner, held))

    def measure(self, reach_ms: float) -> list[Recovery]:
        """Return what became of each job whose runner was killed; an outage counts within
        `reach_ms` of the death. Jobs whose result was safe already are left out."""
        found = []
        for death in self._deaths:
            upset = any(
                outage.start_ms < death.at_ms + reach_ms and outage.end_ms > death.at_ms
                for outage in self.outages
            )
            for job, fence in death.held:
                later = [
                    (at_ms, state, newer)
                    for at_ms, state, newer, _ in self._recorder.stories[job].told
                    if newer > fence or (newer == fence and state in ("QUEUED", *ENDED))
                    if at_ms >= death.at_ms - 50
                ]
                if not later or (later[0][1], later[0][2]) == ("SUCCEEDED", fence):
                    continue
                again = [at_ms for at_ms, state, _ in later if state != "QUEUED"]
                found.append(
                    Recovery(
                        job,
                        death,
                        (later[0][0] - death.at_ms) / 1000,
                        (again[0] - death.at_ms) / 1000 if again else None,
                        upset,
                    )
                )
        return found


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which `share` of all lie, None if there are none."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else None
