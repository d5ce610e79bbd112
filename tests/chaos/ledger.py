"""What the studio has promised, written down outside of it."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Promise:
    """A job that the studio said it accepted."""

    job_id: str
    door: str
    kind: str
    """What was asked for: quick, slow, poison, failing or export."""
    request_id: str = ""
    batch_id: str = ""
    retry_of: str = ""
    at_s: float = field(default_factory=time.time)


class Ledger:
    """All promises, in memory and in a file."""

    def __init__(self, path: Path) -> None:
        self.promises: dict[str, Promise] = {}
        self.made_by: defaultdict[str, set[str]] = defaultdict(set)
        """Request id → jobs, or the batch, that it was answered with."""
        self.batches: dict[str, list[str]] = {}
        self.cancelled: set[str] = set()
        """Jobs that somebody asked to stop; whether that was heard is not known."""
        self.requests_acked = 0
        self.refused: defaultdict[str, int] = defaultdict(int)
        """How calls ended that brought no promise, by status."""
        self._file = path.open("a", encoding="utf-8")

    def promised(self, promise: Promise) -> None:
        """Write down a promise; the same one may be given more than once."""
        self.requests_acked += 1
        if promise.request_id:
            self.made_by[promise.request_id].add(promise.batch_id or promise.job_id)
        if promise.job_id not in self.promises:
            self.promises[promise.job_id] = promise
            self._file.write(json.dumps(asdict(promise)) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
