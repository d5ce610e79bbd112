"""What clients ask of the store about single jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from musicgen.errors import (
    InvalidField,
    JobAlreadyTerminal,
    JobNotFound,
    JobNotTerminal,
    JobNotWaiting,
    QueueFull,
    RequestIdReused,
)
from services.jobs.records import JobRecord, Priority
from services.jobs.store.connection import PREFIX, Connection, guarded

REQUEST_TTL_MS = 24 * 3600 * 1000
PAGE = 200

Place = Literal["before", "after", "first", "last"]


class Jobs(Connection):
    """Accepts jobs, finds them, moves, cancels and deletes them."""

    @guarded
    async def create(
        self,
        *,
        id: str,
        queue: str,
        spec: bytes,
        max_attempts: int,
        queue_limit: int,
        request_id: str = "",
        digest: str = "",
        retry_of: str = "",
        priority: Priority = Priority.NORMAL,
        trace: str = "",
    ) -> JobRecord:
        """Accept a job, or find the one that `request_id` already made.

        Raises RequestIdReused if that one had another `digest`, QueueFull at the limit.
        """
        verdict, made = await self._run(
            "create", id, queue, spec, max_attempts, request_id, digest, REQUEST_TTL_MS,
            queue_limit, retry_of, int(priority), trace,
        )  # fmt: skip
        if verdict == b"REQUEST_ID_REUSED":
            raise reused(request_id)
        if verdict == b"QUEUE_FULL":
            raise full(queue, queue_limit)
        return await self.get(made.decode())

    @guarded
    async def accepted(self, request_id: str, digest: str) -> JobRecord | None:
        """Return the job that `request_id` made, if it made one.

        Raises RequestIdReused if that one had another `digest`.
        """
        made = await self._made(request_id, digest, "job")
        return next(iter(await self._records([made] if made else [])), None)

    async def _made(self, request_id: str, digest: str, field: str) -> str:
        known = await self._redis.hmget(f"{PREFIX}req:{request_id}", "digest", field)
        if known[0] and known[0].decode() != digest:
            raise reused(request_id)
        return known[1].decode() if known[1] else ""

    @guarded
    async def get(self, id: str) -> JobRecord:
        """Return one job. Raises JobNotFound."""
        for record in await self._records([id]):
            return record
        raise _no_job(id)

    @guarded
    async def get_many(self, ids: Sequence[str]) -> list[JobRecord]:
        """Return those of the jobs that there are."""
        return await self._records(ids)

    @guarded
    async def newest_first(self, ids: Sequence[str], before_seq: int | None = None) -> list[str]:
        """Return those of the jobs that there are, newest first, older than `before_seq`."""
        if not ids:
            return []
        seqs = await self._redis.zmscore(f"{PREFIX}idx", ids)
        found = [
            (seq, id)
            for seq, id in zip(seqs, ids, strict=True)
            if seq is not None and (before_seq is None or seq < before_seq)
        ]
        return [id for _, id in sorted(found, reverse=True)]

    @guarded
    async def page(self, before_seq: int | None = None, limit: int = PAGE) -> list[JobRecord]:
        """Return up to `limit` jobs, newest first, older than `before_seq`."""
        top = "+inf" if before_seq is None else f"({before_seq}"
        ids = await self._redis.zrevrangebyscore(f"{PREFIX}idx", top, "-inf", 0, limit)
        return await self._records([id.decode() for id in ids])

    @guarded
    async def cancel(self, id: str) -> JobRecord:
        """Ask for a job to stop. Raises JobNotFound, JobAlreadyTerminal."""
        verdict = await self._run("cancel", id)
        record = await self.get(id)
        if verdict == b"TERMINAL":
            raise JobAlreadyTerminal(
                f"Job {id} has ended already ({record.state.value}).",
                metadata={"state": record.state.value},
            )
        return record

    @guarded
    async def move(
        self, id: str, priority: Priority | None, place: Place | None, other: str = ""
    ) -> JobRecord:
        """Put a job that waits elsewhere in its queue; `other` is what "before" and "after"
        mean. Raises JobNotFound, JobNotWaiting, InvalidField."""
        verdict = await self._run(
            "move", id, "" if priority is None else int(priority), place or "", other
        )
        if verdict == b"NOT_FOUND":
            raise _no_job(id)
        if verdict in (b"OTHER_NOT_FOUND", b"ELSEWHERE"):
            rule = "must be another job that waits in the same queue with the same priority"
            field = f"{place}_job_id"
            raise InvalidField(f"{field} {rule}.", fields={field: rule})
        record = await self.get(id)
        if verdict == b"NOT_WAITING":
            raise JobNotWaiting(
                f"Job {id} does not wait any more ({record.state.value}).",
                metadata={"state": record.state.value},
            )
        return record

    @guarded
    async def delete(self, id: str) -> None:
        """Delete an ended job's record. Raises JobNotFound, JobNotTerminal."""
        verdict = await self._run("delete", id)
        if verdict == b"NOT_FOUND":
            raise _no_job(id)
        if verdict == b"NOT_TERMINAL":
            record = await self.get(id)
            raise JobNotTerminal(
                f"Job {id} has not ended yet ({record.state.value}).",
                metadata={"state": record.state.value},
            )


def _no_job(id: str) -> JobNotFound:
    return JobNotFound(f"There is no job {id[:100]}.", metadata={"job_id": id[:100]})


def full(queue: str, limit: int) -> QueueFull:
    """Say that a queue takes no more."""
    return QueueFull(
        f"The queue {queue} has room for {limit} jobs that wait.",
        metadata={"queue": queue, "limit": str(limit)},
        retry_after_s=10.0,
    )


def reused(request_id: str) -> RequestIdReused:
    """Say that a request id made something else."""
    return RequestIdReused(f"Request id {request_id} belongs to another request.")
