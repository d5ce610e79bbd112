"""What a runner tells of its attempts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

ATTEMPTS = Counter(
    "musicgen_attempts_total",
    "Attempts that ended: committed, failed, cancelled, lost (taken over), given_back.",
    ["lane", "outcome"],
)
ATTEMPT_SECONDS = Histogram(
    "musicgen_attempt_seconds",
    "From a claim to the end of the attempt.",
    ["lane", "outcome"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18_000, 36_000),
)
SLOTS_BUSY = Gauge("musicgen_slots_busy", "Slots that have a job.", ["lane"])


@dataclass(slots=True)
class Ended:
    """How an attempt ended; given back, unless somebody knows better."""

    outcome: str = "given_back"


@contextlib.contextmanager
def attempt(lane: str) -> Iterator[Ended]:
    """Count an attempt, which lasts as long as the body."""
    ended, started = Ended(), time.monotonic()
    with SLOTS_BUSY.labels(lane).track_inprogress():
        try:
            yield ended
        finally:
            ATTEMPTS.labels(lane, ended.outcome).inc()
            ATTEMPT_SECONDS.labels(lane, ended.outcome).observe(time.monotonic() - started)
