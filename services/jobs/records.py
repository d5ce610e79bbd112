"""A job as the store keeps it, and the changes of its history. Knows no gRPC."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class State(enum.Enum):
    """Where a job is in its life."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended."""
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job. Times are milliseconds since the epoch by the store's clock, 0 if not yet.

    `spec`, `progress`, `previews`, `outcome`, `result` and `error` are opaque to the store.
    `previews` holds those of the present attempt, one after the other.
    """

    id: str
    rev: int
    state: State
    queue: str
    seq: int
    spec: bytes
    attempt: int
    max_attempts: int
    created_ms: int
    started_ms: int
    ended_ms: int
    updated_ms: int
    not_before_ms: int
    progress: bytes
    previews: bytes
    outcome: bytes
    result: bytes
    error: bytes
    retry_of: str

    @classmethod
    def parse(cls, id: str, fields: Mapping[bytes, bytes]) -> JobRecord:
        """Read a record from its hash."""

        def number(name: bytes) -> int:
            return int(fields.get(name) or 0)

        return cls(
            id=id,
            rev=number(b"rev"),
            state=State(fields[b"state"].decode()),
            queue=fields[b"queue"].decode(),
            seq=number(b"seq"),
            spec=fields[b"spec"],
            attempt=number(b"attempt"),
            max_attempts=number(b"max_attempts"),
            created_ms=number(b"created_ms"),
            started_ms=number(b"started_ms"),
            ended_ms=number(b"ended_ms"),
            updated_ms=number(b"updated_ms"),
            not_before_ms=number(b"not_before_ms"),
            progress=fields.get(b"progress", b""),
            previews=fields.get(b"previews", b""),
            outcome=fields.get(b"outcome", b""),
            result=fields.get(b"result", b""),
            error=fields.get(b"error", b""),
            retry_of=fields.get(b"retry_of", b"").decode(),
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one job. Exactly one of `record` and `progress` is set, or neither
    if the job was deleted. `position` is its place in the history of all jobs."""

    position: str
    job_id: str
    rev: int
    at_ms: int
    record: JobRecord | None = None
    progress: bytes | None = None

    @classmethod
    def parse(cls, position: bytes, fields: Mapping[bytes, bytes]) -> Change:
        """Read a change from its stream entry."""
        kind, job_id = fields[b"kind"], fields[b"job"].decode()
        return cls(
            position=position.decode(),
            job_id=job_id,
            rev=int(fields[b"rev"]),
            at_ms=int(fields[b"at_ms"]),
            record=JobRecord.parse(job_id, fields) if kind == b"changed" else None,
            progress=fields[b"progress"] if kind == b"progressed" else None,
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to one attempt. Only the claim with the newest fence counts."""

    job_id: str
    fence: int
    attempt: int
    spec: bytes


class Hold(enum.Enum):
    """What the store says to a worker that reports."""

    OK = "OK"
    CANCEL = "CANCEL"
    LOST = "LOST"
