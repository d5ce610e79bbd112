"""Batches and queues of a studio: jobs that belong together, and the order of those that wait."""

from __future__ import annotations

import functools
import uuid
from collections.abc import AsyncIterator, Iterable

from musicgen.api.jobs.v1 import (
    batch_pb2,
    job_pb2,
    job_service_pb2,
    queue_service_pb2,
    queue_service_pb2_grpc,
)
from musicgen.client import specs
from musicgen.client.connection import PAGE_SIZE
from musicgen.client.jobs import Jobs
from musicgen.client.sendable import checked_text, invalid

ALL_QUEUES = "all"
"""Stands for every queue, where one is paused or resumed."""

BATCH_DEADLINE_S = 60.0
"""Each spec of a batch is checked before any is accepted."""

Wanted = job_pb2.JobSpec | job_service_pb2.CreateJobRequest
"""A job of a batch; a request has a priority of its own."""


class Queueing(Jobs):
    """What a studio can be asked about batches and queues."""

    @functools.cached_property
    def _queues(self) -> queue_service_pb2_grpc.QueueServiceAsyncStub:
        return queue_service_pb2_grpc.QueueServiceStub(self._channel)

    # ---- batches --------------------------------------------------------------------

    async def batch_create(
        self, wanted: Iterable[Wanted], request_id: str = "", *, priority: str = ""
    ) -> job_service_pb2.BatchCreateJobsResponse:
        """Have 1 to 500 jobs accepted together, all or none; the answer has the batch, and the
        ids of its jobs in the order of `wanted`. `priority` is for those that are specs.

        With the same `request_id` (a UUID; default a new one) the same batch comes back.
        Raises what `create_job` raises; the fields are named "requests[0].spec.…".
        """
        message = job_service_pb2.BatchCreateJobsRequest(
            requests=requests_of(wanted, priority), request_id=request_id or str(uuid.uuid4())
        )
        return await self._call(self._jobs.BatchCreateJobs, message, deadline_s=BATCH_DEADLINE_S)

    async def batch(self, batch_id: str) -> batch_pb2.JobBatch:
        """Get one batch; `list_jobs` has its jobs. Raises BatchNotFound."""
        request = job_service_pb2.GetJobBatchRequest(batch_id=checked_text("batch_id", batch_id))
        return (await self._call(self._jobs.GetJobBatch, request)).batch

    async def batches(self) -> AsyncIterator[batch_pb2.JobBatch]:
        """Go through the batches that are kept, newest first."""
        request = job_service_pb2.ListJobBatchesRequest(page_size=PAGE_SIZE)
        while True:
            page = await self._call(self._jobs.ListJobBatches, request)
            for batch in page.batches:
                yield batch
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def cancel_batch(self, batch_id: str) -> batch_pb2.JobBatch:
        """Ask all jobs of a batch that have not ended to stop. Raises BatchNotFound."""
        request = job_service_pb2.CancelJobBatchRequest(batch_id=checked_text("batch_id", batch_id))
        return (await self._call(self._jobs.CancelJobBatch, request)).batch

    # ---- queues ---------------------------------------------------------------------

    async def move_job(
        self,
        job_id: str,
        *,
        priority: str = "",
        before: str = "",
        after: str = "",
        first: bool = False,
        last: bool = False,
    ) -> job_pb2.Job:
        """Give a job that waits another `priority` (one of `specs.PRIORITIES`), another place
        among the jobs of its queue and priority, or both: right `before` or right `after`
        another job, the `first` or the `last`. Without a place it goes to the end if its
        priority changes. Raises JobNotFound, JobNotWaiting, InvalidField."""
        if sum(map(bool, (before, after, first, last))) > 1:
            raise invalid("place", "must be one of before, after, first and last")
        request = job_service_pb2.MoveJobRequest(
            job_id=checked_text("job_id", job_id), priority=specs.priority(priority)
        )
        if before:
            request.before_job_id = checked_text("before", before)
        elif after:
            request.after_job_id = checked_text("after", after)
        elif first:
            request.first = True
        elif last:
            request.last = True
        return (await self._call(self._jobs.MoveJob, request, attempts=1)).job

    async def queues(self) -> queue_service_pb2.ListQueuesResponse:
        """List the queues that have jobs, are paused, or have workers; the answer also says
        whether all are paused together."""
        return await self._call(self._queues.ListQueues, queue_service_pb2.ListQueuesRequest())

    async def pause_queue(self, queue: str = ALL_QUEUES) -> queue_service_pb2.PauseQueueResponse:
        """Let the jobs of a queue (default all) wait; those that are running go on. Raises
        QueueNotFound."""
        request = queue_service_pb2.PauseQueueRequest(queue=checked_text("queue", queue))
        return await self._call(self._queues.PauseQueue, request)

    async def resume_queue(self, queue: str = ALL_QUEUES) -> queue_service_pb2.ResumeQueueResponse:
        """Let the jobs of a queue start again. All of them (the default) leaves those paused
        that were paused by their own names. Raises QueueNotFound."""
        request = queue_service_pb2.ResumeQueueRequest(queue=checked_text("queue", queue))
        return await self._call(self._queues.ResumeQueue, request)


def requests_of(
    wanted: Iterable[Wanted], priority: str = ""
) -> list[job_service_pb2.CreateJobRequest]:
    """Return the requests for jobs; `priority` is for those that are specs."""
    value = specs.priority(priority)
    return [
        one
        if isinstance(one, job_service_pb2.CreateJobRequest)
        else job_service_pb2.CreateJobRequest(spec=one, priority=value)
        for one in wanted
    ]
