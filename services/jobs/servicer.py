"""JobService: translates between the contract and the store."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc

from musicgen.api.jobs.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from musicgen.errors import InvalidField, JobNotTerminal
from musicgen.rpc import tracing
from services.jobs.acceptance import Acceptance
from services.jobs.convert import (
    batch_to_proto,
    job_to_proto,
    priority_from_proto,
    state_from_proto,
)
from services.jobs.hub import WatchHub
from services.jobs.masks import ReadMask
from services.jobs.messages import in_messages
from services.jobs.records import JobRecord, State
from services.jobs.store import PAGE, JobStore, Place, filter_states
from services.jobs.watch import Telling, Watch, WatchLimits

DEFAULT_PAGE = 50
MAX_FILTER_IDS = 100
MAX_INTERVAL_S = 10.0
_BATCHES = "batches"
_PLACES: Mapping[str, Place] = {
    "before_job_id": "before",
    "after_job_id": "after",
    "first": "first",
    "last": "last",
}

Context = grpc.aio.ServicerContext[Any, Any]


class JobServicer(job_service_pb2_grpc.JobServiceServicer):
    """See job_service.proto for what each method promises."""

    def __init__(
        self,
        store: JobStore,
        hub: WatchHub,
        acceptance: Acceptance,
        *,
        limits: WatchLimits,
    ) -> None:
        self._store = store
        self._hub = hub
        self._acceptance = acceptance
        self._limits = limits
        self._telling = Telling()

    async def CreateJob(
        self, request: job_service_pb2.CreateJobRequest, context: Context
    ) -> job_service_pb2.CreateJobResponse:
        """Accept a job."""
        record = await self._acceptance.one(
            request.spec,
            request.request_id,
            priority_from_proto(request.priority, "priority"),
            trace=tracing.current_traceparent(),
        )
        return job_service_pb2.CreateJobResponse(job=job_to_proto(record))

    async def BatchCreateJobs(
        self, request: job_service_pb2.BatchCreateJobsRequest, context: Context
    ) -> job_service_pb2.BatchCreateJobsResponse:
        """Accept jobs together."""
        record = await self._acceptance.batch(
            request.requests, request.request_id, trace=tracing.current_traceparent()
        )
        return job_service_pb2.BatchCreateJobsResponse(
            batch=batch_to_proto(record), job_ids=await self._store.batch_job_ids(record.id)
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
        size = _page_size(request.page_size)
        mask = ReadMask(request.read_mask)
        states, ids, batch_ids = read_filter(request.filter)
        digest = hashlib.sha256(request.filter.SerializeToString(deterministic=True)).hexdigest()
        before = _open_token(request.page_token, digest[:8])
        found: list[JobRecord] = []
        if ids or batch_ids:
            for batch_id in batch_ids:
                ids += await self._store.batch_job_ids(batch_id)
            named = await self._store.newest_first(list(dict.fromkeys(ids)), before)
            for start in range(0, len(named), PAGE):
                if len(found) > size:
                    break
                records = await self._store.get_many(named[start : start + PAGE])
                found += filter_states(records, states)
        else:
            # One more than asked for tells whether there is a next page.
            while len(found) <= size and (page := await self._store.page(before)):
                found += filter_states(page, states)
                before = page[-1].seq
        messages = (mask.apply(job_to_proto(record)) for record in found)
        jobs = next(in_messages(messages, job_pb2.Job.ByteSize, size), [])
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

    async def MoveJob(
        self, request: job_service_pb2.MoveJobRequest, context: Context
    ) -> job_service_pb2.MoveJobResponse:
        """Move a job that waits."""
        which = request.WhichOneof("place")
        place, other = _PLACES[which] if which else None, ""
        if which in ("first", "last") and not getattr(request, which):
            raise InvalidField(f"{which} must be true.", fields={which: "must be true if given"})
        if which in ("before_job_id", "after_job_id"):
            other = getattr(request, which)
        priority = None
        if request.priority:
            priority = priority_from_proto(request.priority, "priority")
        record = await self._store.move(request.job_id, priority, place, other)
        return job_service_pb2.MoveJobResponse(job=job_to_proto(record))

    async def GetJobBatch(
        self, request: job_service_pb2.GetJobBatchRequest, context: Context
    ) -> job_service_pb2.GetJobBatchResponse:
        """Get one batch."""
        record = await self._store.batch(request.batch_id)
        return job_service_pb2.GetJobBatchResponse(batch=batch_to_proto(record))

    async def ListJobBatches(
        self, request: job_service_pb2.ListJobBatchesRequest, context: Context
    ) -> job_service_pb2.ListJobBatchesResponse:
        """List batches, newest first."""
        size = _page_size(request.page_size)
        before = _open_token(request.page_token, _BATCHES)
        found = await self._store.batch_page(before, size + 1)
        response = job_service_pb2.ListJobBatchesResponse(batches=map(batch_to_proto, found[:size]))
        if len(found) > size:
            response.next_page_token = _close_token(found[size - 1].seq, _BATCHES)
        return response

    async def CancelJobBatch(
        self, request: job_service_pb2.CancelJobBatchRequest, context: Context
    ) -> job_service_pb2.CancelJobBatchResponse:
        """Cancel what is left of a batch."""
        record = await self._store.cancel_batch(request.batch_id)
        return job_service_pb2.CancelJobBatchResponse(batch=batch_to_proto(record))

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
        record = await self._acceptance.one(
            spec,
            request.request_id,
            old.priority,
            retry_of=old.id,
            trace=tracing.current_traceparent(),
        )
        return job_service_pb2.RetryJobResponse(job=job_to_proto(record))

    async def DeleteJob(
        self, request: job_service_pb2.DeleteJobRequest, context: Context
    ) -> job_service_pb2.DeleteJobResponse:
        """Delete an ended job's record."""
        await self._store.delete(request.job_id)
        return job_service_pb2.DeleteJobResponse()

    def WatchJobs(
        self, request: job_service_pb2.WatchJobsRequest, context: Context
    ) -> AsyncIterator[job_service_pb2.WatchJobsResponse]:
        """Watch jobs."""
        if request.filter.states:
            raise InvalidField(
                "A watch can't be limited to states.",
                fields={"filter.states": "must be empty: a watch shows every state"},
            )
        _, job_ids, batch_ids = read_filter(request.filter)
        interval_s = request.min_interval.ToNanoseconds() / 1e9
        if not 0 <= interval_s <= MAX_INTERVAL_S:
            rule = f"must be from 0 to {MAX_INTERVAL_S:.0f} s"
            raise InvalidField(f"min_interval {rule}.", fields={"min_interval": rule})
        watch = Watch(
            self._store,
            self._hub,
            self._limits,
            self._telling,
            job_ids=job_ids,
            batch_ids=batch_ids,
            interval_s=interval_s,
            read_mask=request.read_mask,
        )
        return watch.frames(request.cursor)


def read_filter(filter: job_pb2.JobFilter) -> tuple[set[State], list[str], list[str]]:
    """Return the states, the jobs and the batches that a filter names. Raises InvalidField."""
    for field in ("job_ids", "batch_ids"):
        if len(getattr(filter, field)) > MAX_FILTER_IDS:
            rule = f"must name at most {MAX_FILTER_IDS}"
            raise InvalidField(f"filter.{field} {rule}.", fields={f"filter.{field}": rule})
    job_ids, batch_ids = (list(dict.fromkeys(ids)) for ids in (filter.job_ids, filter.batch_ids))
    try:
        return {state_from_proto(state) for state in filter.states}, job_ids, batch_ids
    except (KeyError, ValueError) as error:
        raise InvalidField(
            "filter.states holds an unknown state.", fields={"filter.states": "unknown state"}
        ) from error


def _page_size(asked: int) -> int:
    if asked < 0:
        raise InvalidField(
            "page_size must not be negative.", fields={"page_size": "must not be negative"}
        )
    return min(asked or DEFAULT_PAGE, PAGE)


def _close_token(seq: int, digest: str) -> str:
    return base64.urlsafe_b64encode(f"{seq}.{digest}".encode()).decode().rstrip("=")


def _open_token(token: str, digest: str) -> int | None:
    """Return the seq that the last page ended with, None for the first one."""
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
