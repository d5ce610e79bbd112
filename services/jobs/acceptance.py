"""Accepts what admission lets through: once for each request id, and durably."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence

from musicgen.api.jobs.v1 import job_pb2, job_service_pb2
from musicgen.errors import InvalidField, InvalidRequest, StudioError, Unavailable
from services.jobs.admission import Admission, check_request_id, new_job_id
from services.jobs.convert import priority_from_proto
from services.jobs.records import BatchRecord, JobRecord, Priority
from services.jobs.store import JobStore, NewJob

MAX_BATCH = 500
FAULTS_BYTES = 3000
"""What the faults of a batch may take: they travel in headers, of which clients take 8 KiB."""
_AT_ONCE = 16
"""Specs of a batch that are checked together: each may ask other services."""


class Acceptance:
    """What CreateJob, BatchCreateJobs and RetryJob share."""

    def __init__(
        self, store: JobStore, admission: Admission, *, queue_limit: int, max_attempts: int
    ) -> None:
        self._store = store
        self._admission = admission
        self._queue_limit = queue_limit
        self._max_attempts = max_attempts

    async def one(
        self,
        spec: job_pb2.JobSpec,
        request_id: str,
        priority: Priority,
        *,
        retry_of: str = "",
        trace: str = "",
    ) -> JobRecord:
        """Accept a job, or find the one that `request_id` made.

        Raises what admission raises, RequestIdReused, QueueFull.
        """
        check_request_id(request_id)
        digest = _digest(_asked(spec, priority), retry_of.encode())
        # Before admission: what was accepted stays so, whatever has changed since.
        if request_id and (known := await self._store.accepted(request_id, digest)):
            return known
        queue = await self._admission.admit(spec)
        return await self._store.create(
            id=new_job_id(),
            queue=queue,
            spec=spec.SerializeToString(),
            max_attempts=self._max_attempts,
            queue_limit=self._queue_limit,
            request_id=request_id,
            digest=digest,
            retry_of=retry_of,
            priority=priority,
            trace=trace,
        )

    async def batch(
        self,
        requests: Sequence[job_service_pb2.CreateJobRequest],
        request_id: str,
        *,
        trace: str = "",
    ) -> BatchRecord:
        """Accept jobs together, or none; or find the batch that `request_id` made.

        Raises as `one`; faults are named by the place of their request.
        """
        check_request_id(request_id)
        if not 1 <= len(requests) <= MAX_BATCH:
            rule = f"must be 1 to {MAX_BATCH} requests"
            raise InvalidField(f"requests {rule}.", fields={"requests": rule})
        priorities = [
            priority_from_proto(request.priority, f"requests[{index}].priority")
            for index, request in enumerate(requests)
        ]
        asked = map(_asked, (request.spec for request in requests), priorities)
        digest = _digest(*asked)
        if request_id and (known := await self._store.accepted_batch(request_id, digest)):
            return known
        queues = await self._admit_all(requests)
        queue, most = Counter(queues).most_common(1)[0]
        if most > self._queue_limit:
            rule = (
                f"must be at most {self._queue_limit} of the queue {queue}: it has room for no more"
            )
            raise InvalidField(f"requests {rule}.", fields={"requests": rule})
        jobs = [
            NewJob(new_job_id(), queue, request.spec.SerializeToString(), priority)
            for request, queue, priority in zip(requests, queues, priorities, strict=True)
        ]
        return await self._store.create_batch(
            jobs,
            id=new_job_id(),
            max_attempts=self._max_attempts,
            queue_limit=self._queue_limit,
            request_id=request_id,
            digest=digest,
            trace=trace,
        )

    async def _admit_all(self, requests: Sequence[job_service_pb2.CreateJobRequest]) -> list[str]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def admit(request: job_service_pb2.CreateJobRequest) -> str | StudioError:
            async with gate:
                try:
                    if request.request_id:
                        rule = "must be empty: the batch has one"
                        raise InvalidField(f"request_id {rule}.", fields={"request_id": rule})
                    return await self._admission.admit(request.spec)
                except StudioError as error:
                    return error

        queues: list[str] = []
        faults: dict[int, StudioError] = {}
        for index, found in enumerate(await asyncio.gather(*map(admit, requests))):
            if isinstance(found, StudioError):
                faults[index] = found
            else:
                queues.append(found)
        if faults:
            raise _together(faults)
        return queues


def _asked(spec: job_pb2.JobSpec, priority: Priority) -> bytes:
    """Return what was asked for, before defaults (a drawn seed!) are filled in."""
    data: bytes = spec.SerializeToString(deterministic=True)
    return data + bytes([priority])


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _together(faults: dict[int, StudioError]) -> StudioError:
    """Return one error for those of several requests: all that is wrong with the fields, or
    the first that is of another kind."""
    for index, error in faults.items():
        if isinstance(error, Unavailable):  # nothing is wrong with the request
            return error
        if not isinstance(error, InvalidRequest):
            return _at(index, error)
    placed = [_at(index, error) for index, error in faults.items()]
    if len(placed) == 1:
        return placed[0]
    fields: dict[str, str] = {}
    room = FAULTS_BYTES
    for named, error in enumerate(placed):
        room -= sum(len(field) + len(rule) for field, rule in error.fields.items())
        if room < 0 and named:
            break
        fields |= error.fields
    else:
        named = len(placed)
    told = "" if named == len(placed) else f" The first {named} are named here."
    return InvalidField(
        f"{len(placed)} requests are faulty.{told} {placed[0].message}",
        remedy=placed[0].remedy,
        fields=fields,
    )


def _at(index: int, error: StudioError) -> StudioError:
    place = f"requests[{index}]"
    return type(error)(
        f"{place}: {error.message}",
        remedy=error.remedy,
        metadata=error.metadata | {"index": str(index)},
        fields={f"{place}.{field}": rule for field, rule in error.fields.items()},
        retry_after_s=error.retry_after_s,
    )
