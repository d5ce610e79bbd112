"""A job as the store keeps it, and the changes of its history. Knows no gRPC."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

_TRY = b"try:"


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


class Priority(enum.IntEnum):
    """How urgent a job is."""

    LOW = 1
    NORMAL = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """An attempt that ended without an outcome; `error` is empty if it was given back."""

    fence: int
    attempt: int
    worker: str
    started_ms: int
    ended_ms: int
    error: bytes

    @classmethod
    def parse(cls, fence: int, data: bytes) -> PastAttempt:
        """Read what `remember_attempt` of lua/_lib.lua wrote."""
        attempt, started_ms, ended_ms, size, rest = data.split(b" ", 4)
        end = int(size)
        worker, error = rest[:end].decode(), rest[end:]
        return cls(fence, int(attempt), worker, int(started_ms), int(ended_ms), error)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job. Times are milliseconds since the epoch by the store's clock, 0 if not yet.

    `spec`, `progress`, `previews`, `outcome`, `result` and `error` are opaque to the store.
    `previews` holds those of the present attempt, one after the other. Of the jobs of a queue
    that wait, the one with the highest priority and then the smallest `rank` starts first.
    `trace` is the W3C traceparent of the request that made the job, or "".
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
    priority: Priority
    rank: int
    batch: str
    trace: str
    attempts: tuple[PastAttempt, ...]

    @classmethod
    def parse(cls, id: str, fields: Mapping[bytes, bytes]) -> JobRecord:
        """Read a record from its hash."""

        def number(name: bytes) -> int:
            return int(fields.get(name) or 0)

        tries = {
            int(name[len(_TRY) :]): data for name, data in fields.items() if name.startswith(_TRY)
        }
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
            priority=Priority(number(b"priority") or Priority.NORMAL),
            rank=number(b"rank"),
            batch=fields.get(b"batch", b"").decode(),
            trace=fields.get(b"trace", b"").decode(),
            attempts=tuple(PastAttempt.parse(fence, tries[fence]) for fence in sorted(tries)),
        )


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """Jobs that were accepted together. `counts` has the states that any of them is in; `seq`
    is that of the first."""

    id: str
    seq: int
    size: int
    created_ms: int
    ended_ms: int
    counts: Mapping[State, int]

    @classmethod
    def parse(cls, id: str, fields: Mapping[bytes, bytes]) -> BatchRecord:
        """Read a batch from its hash."""
        counts = {state: int(fields.get(state.value.encode(), 0)) for state in State}
        return cls(
            id=id,
            seq=int(fields[b"seq"]),
            size=int(fields[b"size"]),
            created_ms=int(fields[b"created_ms"]),
            ended_ms=int(fields.get(b"ended_ms", 0)),
            counts={state: count for state, count in counts.items() if count},
        )


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """How one queue is doing. `wait_s` is how long the job that starts next has waited since
    it was accepted, None if none waits."""

    name: str
    paused: bool
    waiting: int
    delayed: int
    running: int
    wait_s: float | None


@dataclass(frozen=True, slots=True)
class Queues:
    """All queues, by name, and whether they are paused together."""

    queues: tuple[QueueRecord, ...]
    all_paused: bool


@dataclass(frozen=True, slots=True)
class QueueChange:
    """A queue was paused or resumed; "all" stands for every one."""

    name: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one job, or of a queue. Of a job exactly one of `record` and `progress` is
    set, or neither if it was deleted; of a queue only `queue` is, and `job_id` is "".
    `position` is its place in the history of everything."""

    position: str
    job_id: str
    rev: int
    at_ms: int
    record: JobRecord | None = None
    progress: bytes | None = None
    batch: str = ""
    queue: QueueChange | None = None

    @classmethod
    def parse(cls, position: bytes, fields: Mapping[bytes, bytes]) -> Change:
        """Read a change from its stream entry."""
        kind = fields[b"kind"]
        if kind == b"queue":
            changed = QueueChange(fields[b"queue"].decode(), fields[b"paused"] == b"1")
            return cls(position.decode(), "", 0, int(fields[b"at_ms"]), queue=changed)
        job_id = fields[b"job"].decode()
        return cls(
            position=position.decode(),
            job_id=job_id,
            rev=int(fields[b"rev"]),
            at_ms=int(fields[b"at_ms"]),
            record=JobRecord.parse(job_id, fields) if kind == b"changed" else None,
            progress=fields[b"progress"] if kind == b"progressed" else None,
            batch=fields.get(b"batch", b"").decode(),
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to one attempt. Only the claim with the newest fence counts.

    `checkpoint` is what an earlier attempt left to go on from, b"" if nothing.
    """

    job_id: str
    fence: int
    attempt: int
    spec: bytes
    checkpoint: bytes = b""
    trace: str = ""


class Hold(enum.Enum):
    """What the store says to a worker that reports."""

    OK = "OK"
    CANCEL = "CANCEL"
    LOST = "LOST"
