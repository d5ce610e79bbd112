"""Jobs of a studio: having them made, following them to their end."""

from __future__ import annotations

import contextlib
import functools
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

from google.protobuf import duration_pb2, field_mask_pb2

from musicgen.api.jobs.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from musicgen.client import specs
from musicgen.client.connection import PAGE_SIZE, Connection
from musicgen.client.sendable import checked_text, checked_texts, invalid
from musicgen.client.view import TERMINAL_STATES, JobsView, Kind
from musicgen.client.watch import Update, follow
from musicgen.errors import Cancelled, JobNotFound, StudioError
from musicgen.rpc.status import from_error_proto

PATIENCE_S = 60.0
MAX_INTERVAL_S = 10.0

OnJob = Callable[[job_pb2.Job], None]
"""Is told of a job as it now is, each time that it changed."""

OnDisconnect = Callable[[StudioError], None]
"""Is told, perhaps often, that the studio is out of reach."""


class Jobs(Connection):
    """What a studio can be asked about single jobs."""

    @functools.cached_property
    def _jobs(self) -> job_service_pb2_grpc.JobServiceAsyncStub:
        return job_service_pb2_grpc.JobServiceStub(self._channel)

    async def create_job(
        self, spec: job_pb2.JobSpec, request_id: str = "", *, priority: str = ""
    ) -> job_pb2.Job:
        """Have a job accepted. With the same `request_id` (a UUID; default a new one)
        the same job comes back, however often this is called. `priority` is one of
        `specs.PRIORITIES` and "" means "normal"."""
        request = job_service_pb2.CreateJobRequest(
            spec=spec,
            request_id=request_id or str(uuid.uuid4()),
            priority=specs.priority(priority),
        )
        response = await self._call(self._jobs.CreateJob, request)
        return response.job

    async def get_job(self, job_id: str) -> job_pb2.Job:
        """Get one job. Raises JobNotFound."""
        request = job_service_pb2.GetJobRequest(job_id=checked_text("job_id", job_id))
        return (await self._call(self._jobs.GetJob, request)).job

    async def list_jobs(
        self,
        states: Iterable[job_pb2.Job.State.ValueType] = (),
        *,
        batch_ids: Sequence[str] = (),
        fields: Sequence[str] = (),
    ) -> AsyncIterator[job_pb2.Job]:
        """Go through the jobs that are kept, newest first. `states` and `batch_ids` (at most
        100) narrow that, and `fields` are those of a job that are wanted, such as
        "spec.generate"; empty means all."""
        request = job_service_pb2.ListJobsRequest(page_size=PAGE_SIZE)
        request.filter.states.extend(states)
        request.filter.batch_ids.extend(checked_texts("batch_ids", batch_ids))
        _set_mask(request, fields)
        while True:
            page = await self._call(self._jobs.ListJobs, request)
            for job in page.jobs:
                yield job
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def cancel_job(self, job_id: str) -> job_pb2.Job:
        """Ask a job to stop. Raises JobNotFound, JobAlreadyTerminal."""
        request = job_service_pb2.CancelJobRequest(job_id=checked_text("job_id", job_id))
        response = await self._call(self._jobs.CancelJob, request)
        return response.job

    async def retry_job(self, job_id: str, request_id: str = "") -> job_pb2.Job:
        """Have the work of a failed or cancelled job accepted again, as a new job."""
        request = job_service_pb2.RetryJobRequest(
            job_id=checked_text("job_id", job_id), request_id=request_id or str(uuid.uuid4())
        )
        return (await self._call(self._jobs.RetryJob, request)).job

    async def delete_job(self, job_id: str) -> None:
        """Delete the record of an ended job. Raises JobNotFound, JobNotTerminal."""
        request = job_service_pb2.DeleteJobRequest(job_id=checked_text("job_id", job_id))
        await self._call(self._jobs.DeleteJob, request, attempts=1)

    def watch(
        self,
        job_ids: Sequence[str] = (),
        *,
        batch_ids: Sequence[str] = (),
        fields: Sequence[str] = (),
        min_interval_s: float | None = None,
    ) -> AsyncGenerator[Update, None]:
        """Watch jobs until the caller stops: close it with `contextlib.aclosing`. It outlives
        every disconnect; see `Update`.

        Watched are those that are named and those of the batches that are named (at most 100
        of each); all if none is. `fields` are those of a job that are wanted (default all;
        job_id, rev and state come always). `min_interval_s` (up to 10) asks for at most one
        progress event a job in it."""
        request = job_service_pb2.WatchJobsRequest()
        request.filter.job_ids.extend(checked_texts("job_ids", job_ids))
        request.filter.batch_ids.extend(checked_texts("batch_ids", batch_ids))
        _set_mask(request, fields)
        if min_interval_s is not None:
            if not 0 <= min_interval_s <= MAX_INTERVAL_S:  # NaN is not, either
                raise invalid("min_interval_s", f"must be from 0 to {MAX_INTERVAL_S:.0f}")
            interval = duration_pb2.Duration()
            interval.FromNanoseconds(int(min_interval_s * 1e9))
            request.min_interval.CopyFrom(interval)

        def open_call(cursor: str) -> Any:
            request.cursor = cursor
            return self._jobs.WatchJobs(request, metadata=tuple(self._headers.items()))

        return follow(open_call, JobsView(), self._explain, self._backoff, self._silence_s)

    async def wait(
        self,
        job_id: str,
        on_change: OnJob | None = None,
        *,
        on_disconnect: OnDisconnect | None = None,
        patience_s: float = PATIENCE_S,
    ) -> job_pb2.Job:
        """Watch a job to its end and return it, SUCCEEDED.

        Raises the error that the job failed with (its metadata has the job_id),
        Cancelled, JobNotFound, or ServiceUnavailable after `patience_s` seconds
        without the studio; the job is not lost by that.
        """
        async with contextlib.aclosing(self.watch([job_id])) as updates:
            async for update in patient(updates, on_disconnect, patience_s):
                job = update.view.jobs.get(job_id)
                if job is None:
                    if update.synced or any(c.kind is Kind.DELETED for c in update.changes):
                        raise JobNotFound(f"There is no job {job_id}.")
                    continue
                if on_change and update.changes:
                    on_change(job)
                if job.state in TERMINAL_STATES:
                    return succeeded(job)
        raise AssertionError("a watch ends only when its caller stops")

    async def wait_all(
        self,
        job_ids: Sequence[str],
        on_change: OnJob | None = None,
        *,
        batch_ids: Sequence[str] = (),
        fields: Sequence[str] = (),
        on_disconnect: OnDisconnect | None = None,
        patience_s: float = PATIENCE_S,
    ) -> Mapping[str, job_pb2.Job]:
        """Watch jobs until each has ended, however it did, and return them by id; those whose
        record went meanwhile, or was gone already, are as they were last known, or missing.

        `batch_ids` are the batches that they all belong to: needed for more than 100 jobs.
        Raises ServiceUnavailable after `patience_s` seconds without the studio.
        """
        known: dict[str, job_pb2.Job] = {}
        watching = self.watch(
            () if batch_ids else job_ids, batch_ids=batch_ids, fields=fields, min_interval_s=0.2
        )
        async with contextlib.aclosing(watching) as updates:
            async for update in patient(updates, on_disconnect, patience_s):
                for change in update.changes:
                    known[change.job.job_id] = change.job
                    if on_change:
                        on_change(change.job)
                jobs = update.view.jobs
                if update.view.synced and all(
                    job_id not in jobs or jobs[job_id].state in TERMINAL_STATES
                    for job_id in job_ids
                ):
                    return known
        raise AssertionError("a watch ends only when its caller stops")

    async def run(
        self,
        spec: job_pb2.JobSpec,
        on_change: OnJob | None = None,
        *,
        priority: str = "",
        patience_s: float = PATIENCE_S,
    ) -> job_pb2.Job:
        """Have a job accepted, watch it to its end and return it: `create_job`, `wait`."""
        job = await self.create_job(spec, priority=priority)
        return await self.wait(job.job_id, on_change, patience_s=patience_s)


async def patient(
    updates: AsyncIterator[Update], on_disconnect: OnDisconnect | None, patience_s: float
) -> AsyncIterator[Update]:
    """Pass on what updates tell of jobs. Raises ServiceUnavailable after `patience_s` seconds
    without the studio."""
    away_since_s: float | None = None
    async for update in updates:
        if not update.disconnected:
            away_since_s = None
            yield update
            continue
        away_since_s = away_since_s or time.monotonic()
        if time.monotonic() - away_since_s > patience_s:
            raise update.disconnected
        if on_disconnect:
            on_disconnect(update.disconnected)


def succeeded(job: job_pb2.Job) -> job_pb2.Job:
    """Return a job that has ended if it SUCCEEDED. Raises what it failed with, or Cancelled;
    the error's metadata has the job_id."""
    if job.state == job_pb2.Job.STATE_SUCCEEDED:
        return job
    if job.state == job_pb2.Job.STATE_CANCELLED:
        raise Cancelled("The job was cancelled.", metadata={"job_id": job.job_id})
    error = from_error_proto(job.error)
    error.metadata["job_id"] = job.job_id
    raise error


def _set_mask(
    request: job_service_pb2.ListJobsRequest | job_service_pb2.WatchJobsRequest,
    fields: Sequence[str],
) -> None:
    if fields:
        mask = field_mask_pb2.FieldMask(paths=checked_texts("fields", fields))
        request.read_mask.CopyFrom(mask)
