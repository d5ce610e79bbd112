"""JobService: translates between the contract and the store."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from musicgen.api.jobs.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from musicgen.errors import InvalidField, JobNotTerminal
from services.jobs.admission import Admission, check_request_id, new_job_id
from services.jobs.batches import batches
from services.jobs.convert import job_to_proto, state_from_proto
from services.jobs.hub import WatchHub
from services.jobs.records import JobRecord, State
from services.jobs.store import PAGE, JobStore, filter_states
from services.jobs.watch import Watch, WatchLimits

DEFAULT_PAGE = 50
MAX_FILTER_IDS = 100
MAX_INTERVAL_S = 10.0

Context = grpc.aio.ServicerContext[Any, Any]


class JobServicer(job_service_pb2_grpc.JobServiceServicer):
    """See job_service.proto for what each method promises."""

    def __init__(
        self,
        store: JobStore,
        hub: WatchHub,
        admission: Admission,
        *,
        limits: WatchLimits,
        draining: asyncio.Event,
        queue_limit: int,
        max_attempts: int,
    ) -> None:
        self._store = store
        self._hub = hub
        self._admission = admission
        self._limits = limits
        self._draining = draining
        self._queue_limit = queue_limit
        self._max_attempts = max_attempts

    async def CreateJob(
        self, request: job_service_pb2.CreateJobRequest, context: Context
    ) -> job_service_pb2.CreateJobResponse:
        """Accept a job."""
        record = await self._accept(request.spec, request.request_id)
        return job_service_pb2.CreateJobResponse(job=job_to_proto(record))

    async def _accept(
        self, spec: job_pb2.JobSpec, request_id: str, retry_of: str = ""
    ) -> JobRecord:
        check_request_id(request_id)
        # Of what was asked, before defaults (a drawn seed!) are filled in.
        asked = spec.SerializeToString(deterministic=True) + retry_of.encode()
        digest = hashlib.sha256(asked).hexdigest()
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
        )

    async def GetJob(
        self, request: job_service_pb2.GetJobRequest, context: Context
    ) -> job_service_pb2.GetJobResponse:
        """Get one job."""
        record = await self._store.get(request.job_id)
        return job_service_pb2.GetJobResponse(job=job_to_proto(record))

    async def ListJobs(
        self, request: job_service_pb2.ListJobsRequest, context: Context
    ) -> job_service_pb2.ListJobsResponse:
        """List jobs, newest first."""
        if request.page_size < 0:
            raise InvalidField(
                "page_size must not be negative.", fields={"page_size": "must not be negative"}
            )
        size = min(request.page_size or DEFAULT_PAGE, PAGE)
        states, ids = _read_filter(request.filter)
        digest = hashlib.sha256(request.filter.SerializeToString(deterministic=True)).hexdigest()
        before = _open_token(request.page_token, digest[:8])
        found: list[JobRecord] = []
        if ids:
            named = sorted(await self._store.get_many(ids), key=lambda record: -record.seq)
            found = [record for record in named if before is None or record.seq < before]
            found = filter_states(found, states)
        else:
            # One more than asked for tells whether there is a next page.
            while len(found) <= size and (page := await self._store.page(before)):
                found += filter_states(page, states)
                before = page[-1].seq
        jobs = next(batches(map(job_to_proto, found), job_pb2.Job.ByteSize, size), [])
        response = job_service_pb2.ListJobsResponse(jobs=jobs)
        if len(found) > len(jobs):
            response.next_page_token = _close_token(found[len(jobs) - 1].seq, digest[:8])
        return response

    async def CancelJob(
        self, request: job_service_pb2.CancelJobRequest, context: Context
    ) -> job_service_pb2.CancelJobResponse:
        """Cancel a job."""
        record = await self._store.cancel(request.job_id)
        return job_service_pb2.CancelJobResponse(job=job_to_proto(record))

    async def RetryJob(
        self, request: job_service_pb2.RetryJobRequest, context: Context
    ) -> job_service_pb2.RetryJobResponse:
        """Accept the spec of an ended job once more."""
        old = await self._store.get(request.job_id)
        if old.state not in (State.FAILED, State.CANCELLED):
            raise JobNotTerminal(
                f"Job {old.id} is {old.state.value}; only a FAILED or CANCELLED job is retried.",
                metadata={"state": old.state.value},
            )
        spec = job_pb2.JobSpec.FromString(old.spec)
        record = await self._accept(spec, request.request_id, retry_of=old.id)
        return job_service_pb2.RetryJobResponse(job=job_to_proto(record))

    async def DeleteJob(
        self, request: job_service_pb2.DeleteJobRequest, context: Context
    ) -> job_service_pb2.DeleteJobResponse:
        """Delete an ended job's record."""
        await self._store.delete(request.job_id)
        return job_service_pb2.DeleteJobResponse()

    async def WatchJobs(
        self, request: job_service_pb2.WatchJobsRequest, context: Context
    ) -> AsyncIterator[job_service_pb2.WatchJobsResponse]:
        """Watch jobs."""
        if request.filter.states:
            raise InvalidField(
                "A watch can't be limited to states.",
                fields={"filter.states": "must be empty: a watch shows every state"},
            )
        _, ids = _read_filter(request.filter)
        interval_s = request.min_interval.ToNanoseconds() / 1e9
        if not 0 <= interval_s <= MAX_INTERVAL_S:
            rule = f"must be from 0 to {MAX_INTERVAL_S:.0f} s"
            raise InvalidField(f"min_interval {rule}.", fields={"min_interval": rule})
        watch = Watch(
            self._store, self._hub, self._limits, self._draining, job_ids=ids, interval_s=interval_s
        )
        async for frame in watch.frames(request.cursor):
            yield frame


def _read_filter(filter: job_pb2.JobFilter) -> tuple[set[State], list[str]]:
    if len(filter.job_ids) > MAX_FILTER_IDS:
        rule = f"must name at most {MAX_FILTER_IDS} jobs"
        raise InvalidField(f"filter.job_ids {rule}.", fields={"filter.job_ids": rule})
    try:
        return {state_from_proto(state) for state in filter.states}, list(
            dict.fromkeys(filter.job_ids)
        )
    except (KeyError, ValueError) as error:
        raise InvalidField(
            "filter.states holds an unknown state.", fields={"filter.states": "unknown state"}
        ) from error


def _close_token(seq: int, digest: str) -> str:
    return base64.urlsafe_b64encode(f"{seq}.{digest}".encode()).decode().rstrip("=")


def _open_token(token: str, digest: str) -> int | None:
    if not token:
        return None
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        seq, made_for = text.split(".")
        if made_for == digest:
            return int(seq)
    except ValueError:
        pass
    raise InvalidField(
        "page_token is not one of this query.",
        remedy="Start again without page_token.",
        fields={"page_token": "not one of this query"},
    )
