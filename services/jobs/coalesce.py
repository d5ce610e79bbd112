"""Thins out progress for watchers that asked for less of it. State changes always pass."""

from __future__ import annotations

from collections.abc import Iterable

from services.jobs.records import Change
from services.jobs.store import age, just_before


class Coalescer:
    """Lets one progress change a job through in `interval_s`; the newest one replaces
    those held back. With an interval of 0 everything passes."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._sent_s: dict[str, float] = {}
        self._held: dict[str, Change] = {}

    def pass_on(self, changes: Iterable[Change], now_s: float) -> list[Change]:
        """Return what may be sent at `now_s`, in order."""
        if self._interval_s <= 0:
            return list(changes)
        passed: list[Change] = []
        for change in changes:
            self._held.pop(change.job_id, None)
            if change.progress is None:
                self._sent_s.pop(change.job_id, None)
                passed.append(change)
            else:
                self._held[change.job_id] = change
        for job_id in list(self._held):
            if now_s - self._sent_s.get(job_id, float("-inf")) >= self._interval_s:
                self._sent_s[job_id] = now_s
                passed.append(self._held.pop(job_id))
        return sorted(passed, key=lambda change: age(change.position))

    def cursor(self, position: str) -> str:
        """Return from where to resume after `position`: what is held back comes again."""
        oldest = min((age(change.position) for change in self._held.values()), default=None)
        if oldest is None or age(position) < oldest:
            return position
        return just_before(f"{oldest[0]}-{oldest[1]}")

    def wait_s(self, now_s: float, limit_s: float) -> float:
        """Return how long until something held back may go, at most `limit_s`."""
        due = (self._sent_s.get(id, now_s) + self._interval_s - now_s for id in self._held)
        return max(0.0, min(due, default=limit_s))
