"""Progress of moving bytes: measured rate and time left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from musicgen.progress import Progress, Transfer

WINDOW_S = 5.0
"""The rate is that of the last seconds: networks change."""
LEAST_S = 0.5
"""A rate from less time would be a guess."""

Report = Callable[[Progress], None]
"""Tells how far work has come; raises Cancelled once nobody wants it any more."""


class TransferMeter:
    """Counts bytes over several files. Every `add` reports; what `report` raises passes."""

    def __init__(
        self,
        report: Report,
        total_bytes: int,
        files: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._total = total_bytes
        self._files = max(1, files)
        self._file = 0
        self._clock = clock
        self._done = 0
        self._seen: deque[tuple[float, int]] = deque([(clock(), 0)])
        self._moved = 0
        self._stage = ""
        self._detail = ""
        self._fraction = 0.0

    def enter(self, stage: str, detail: str) -> None:
        """Begin with a file, or with another kind of work on it."""
        self._stage, self._detail = stage, detail
        self._tell()

    def finish_file(self) -> None:
        """Count a file as done."""
        self._file = min(self._file + 1, self._files)
        self._tell()

    def add(self, count_bytes: int) -> None:
        """Count bytes that were moved, or fewer than were thought if negative."""
        self._done += count_bytes
        self._moved += max(0, count_bytes)
        now_s = self._clock()
        self._seen.append((now_s, self._moved))
        while len(self._seen) > 2 and now_s - self._seen[1][0] >= WINDOW_S:
            self._seen.popleft()
        self._tell()

    def _rate(self) -> float:
        """Bytes a second over the window; 0 until that is known."""
        (from_s, from_bytes), (to_s, to_bytes) = self._seen[0], self._seen[-1]
        return (to_bytes - from_bytes) / (to_s - from_s) if to_s - from_s >= LEAST_S else 0.0

    def _tell(self) -> None:
        rate, left = self._rate(), max(0, self._total - self._done)
        share = min(1.0, max(0.0, self._done / self._total)) if self._total else 1.0
        self._fraction = max(self._fraction, share)  # it never falls
        self._report(
            Progress(
                stage=self._stage,
                step=self._file,
                steps=self._files,
                fraction=self._fraction,
                eta_s=left / rate if rate > 0 else None,
                detail=self._detail,
                transfer=Transfer(max(0, self._done), self._total, rate),
            )
        )
