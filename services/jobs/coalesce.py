"""Thins out progress for watchers that asked for less of it. State changes always pass."""

from __future__ import annotations

from collections.abc import Sequence

from services.jobs.records import Change
from services.jobs.store import age, just_before


class Coalescer:
    """Lets one progress change a job through in `interval_s`; the newest one replaces
    those held back. With an interval of 0 everything passes."""

    __slots__ = ("_held", "_interval_s", "_number", "_sent_s")

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._number = 0
        self._sent_s: dict[str, float] = {}
        self._held: dict[str, tuple[int, Change]] = {}

    def clear(self) -> None:
        """Forget what is held back: the watcher is told everything anew."""
        self._sent_s.clear()
        self._held.clear()

    def pass_on(self, changes: Sequence[Change], now_s: float) -> Sequence[Change]:
        """Return what may be sent at `now_s`, in order."""
        if self._interval_s <= 0:
            return changes
        passed: list[tuple[int, Change]] = []
        for change in changes:
            self._number += 1
            if change.progress is not None:
                self._held[change.job_id] = (self._number, change)
                continue
            if change.queue is None:
                self._held.pop(change.job_id, None)
                self._sent_s.pop(change.job_id, None)
            passed.append((self._number, change))
        earliest_s = now_s - self._interval_s
        due = [id for id in self._held if self._sent_s.get(id, earliest_s) <= earliest_s]
        for job_id in due:
            self._sent_s[job_id] = now_s
            passed.append(self._held.pop(job_id))
        passed.sort(key=lambda numbered: numbered[0])
        return [change for _, change in passed]

    def cursor(self, position: str) -> str:
        """Return from where to resume after `position`: what is held back comes again."""
        if not self._held:
            return position
        _, oldest = min(self._held.values(), key=lambda numbered: numbered[0])
        if age(position) < age(oldest.position):
            return position
        return just_before(oldest.position)

    def wait_s(self, now_s: float, limit_s: float) -> float:
        """Return how long until something held back may go, at most `limit_s`."""
        due = (self._sent_s.get(id, now_s) + self._interval_s - now_s for id in self._held)
        return max(0.0, min(due, default=limit_s))
