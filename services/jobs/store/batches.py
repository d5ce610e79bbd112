"""Jobs that are accepted together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from musicgen.errors import BatchNotFound
from services.jobs.records import BatchRecord, Priority
from services.jobs.store.connection import PREFIX, guarded
from services.jobs.store.jobs import PAGE, REQUEST_TTL_MS, Jobs, full, reused


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job of a batch that is to be accepted."""

    id: str
    queue: str
    spec: bytes
    priority: Priority


class Batches(Jobs):
    """Accepts batches, counts them, cancels them."""

    @guarded
    async def create_batch(
        self,
        jobs: Sequence[NewJob],
        *,
        id: str,
        max_attempts: int,
        queue_limit: int,
        request_id: str = "",
        digest: str = "",
        trace: str = "",
    ) -> BatchRecord:
        """Accept all of these jobs together, or none; or find the batch that `request_id` made.

        Raises RequestIdReused if that one had another `digest`, QueueFull at the limit.
        """
        parts = [part for job in jobs for part in (job.id, job.queue, job.spec, int(job.priority))]
        verdict, made = await self._run(
            "create_batch", id, max_attempts, request_id, digest, REQUEST_TTL_MS, queue_limit,
            trace, *parts,
        )  # fmt: skip
        if verdict == b"REQUEST_ID_REUSED":
            raise reused(request_id)
        if verdict == b"QUEUE_FULL":
            raise full(made.decode(), queue_limit)
        return await self.batch(made.decode())

    @guarded
    async def accepted_batch(self, request_id: str, digest: str) -> BatchRecord | None:
        """Return the batch that `request_id` made, if it made one.

        Raises RequestIdReused if that one had another `digest`.
        """
        made = await self._made(request_id, digest, "batch")
        return next(iter(await self._batches([made] if made else [])), None)

    @guarded
    async def batch(self, id: str) -> BatchRecord:
        """Return one batch. Raises BatchNotFound."""
        for record in await self._batches([id]):
            return record
        raise _no_batch(id)

    @guarded
    async def batch_page(
        self, before_seq: int | None = None, limit: int = PAGE
    ) -> list[BatchRecord]:
        """Return up to `limit` batches, newest first, older than `before_seq`."""
        top = "+inf" if before_seq is None else f"({before_seq}"
        ids = await self._redis.zrevrangebyscore(f"{PREFIX}batches", top, "-inf", 0, limit)
        return await self._batches([id.decode() for id in ids])

    async def _batches(self, ids: Sequence[str]) -> list[BatchRecord]:
        pipe = self._redis.pipeline(transaction=False)
        for id in ids:
            pipe.hgetall(f"{PREFIX}batch:{id}")
        found = zip(ids, await pipe.execute(), strict=True)
        return [BatchRecord.parse(id, fields) for id, fields in found if fields]

    @guarded
    async def batch_job_ids(self, id: str) -> list[str]:
        """Return the jobs of a batch, in order; none if there is no such batch."""
        ids = await self._redis.zrange(f"{PREFIX}members:{id}", 0, -1)
        return [member.decode() for member in ids]

    @guarded
    async def cancel_batch(self, id: str) -> BatchRecord:
        """Ask all jobs of a batch to stop. Raises BatchNotFound."""
        if await self._run("cancel_batch", id) == b"NOT_FOUND":
            raise _no_batch(id)
        return await self.batch(id)


def _no_batch(id: str) -> BatchNotFound:
    return BatchNotFound(f"There is no batch {id[:100]}.", metadata={"batch_id": id[:100]})
