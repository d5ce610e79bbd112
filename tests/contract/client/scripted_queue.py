"""Batches, moves and queues of the scripted studio, as the contract has them."""

# ruff: noqa: N802, ARG002  # the contract's names and signatures
from __future__ import annotations

from musicgen.api.jobs.v1 import (
    batch_pb2,
    job_pb2,
    job_service_pb2,
    queue_pb2,
    queue_service_pb2,
    queue_service_pb2_grpc,
)
from musicgen.errors import (
    BatchNotFound,
    InvalidField,
    JobNotWaiting,
    QueueFull,
    QueueNotFound,
    RequestIdReused,
    StudioError,
)
from tests.contract.client.scripted_jobs import TERMINAL, Context, Faults, ScriptedJobs

MAX_BATCH = 500
QUEUED = job_pb2.Job.STATE_QUEUED
STATES = ("queued", "running", "cancelling", "succeeded", "failed", "cancelled")


class ScriptedQueueing(ScriptedJobs):
    """Jobs that can be accepted together, and moved."""

    def __init__(self, faults: Faults, made: dict[str, bytes]) -> None:
        super().__init__(faults, made)
        self.room = 10_000
        """So many jobs may be accepted in all."""
        self._batch_requests: dict[str, tuple[bytes, str]] = {}

    async def BatchCreateJobs(
        self, request: job_service_pb2.BatchCreateJobsRequest, context: Context
    ) -> job_service_pb2.BatchCreateJobsResponse:
        """See the contract."""
        if not 1 <= len(request.requests) <= MAX_BATCH:
            raise InvalidField("requests must be 1 to 500.", fields={"requests": "1 to 500"})
        asked = b"".join(one.SerializeToString(deterministic=True) for one in request.requests)
        before, batch_id = self._batch_requests.get(request.request_id, (asked, ""))
        if asked != before:
            raise RequestIdReused("Something else was asked for with that id.")
        if not batch_id:
            for index, one in enumerate(request.requests):
                self._check_at(index, one)
            if self.created + len(request.requests) > self.room:
                raise QueueFull("The queue is full.")
            batch_id = f"batch{len(self.batches) + 1}"
            self.batches[batch_id] = batch_pb2.JobBatch(batch_id=batch_id)
            self.batches[batch_id].size = len(request.requests)
            self.batches[batch_id].create_time.GetCurrentTime()
            self._batch_requests[request.request_id] = (asked, batch_id)
            for one in request.requests:
                await self.accept(one.spec, one.priority, batch_id=batch_id)
        self.lose_reply()
        return job_service_pb2.BatchCreateJobsResponse(
            batch=self._batch(batch_id),
            job_ids=[job.job_id for job in self.jobs.values() if job.batch_id == batch_id],
        )

    def _check_at(self, index: int, one: job_service_pb2.CreateJobRequest) -> None:
        try:
            self.check(one.spec)
        except StudioError as error:
            raise type(error)(
                f"requests[{index}]: {error.message}",
                metadata=error.metadata | {"index": str(index)},
                fields={f"requests[{index}].{name}": rule for name, rule in error.fields.items()},
            ) from error

    async def GetJobBatch(
        self, request: job_service_pb2.GetJobBatchRequest, context: Context
    ) -> job_service_pb2.GetJobBatchResponse:
        """See the contract."""
        return job_service_pb2.GetJobBatchResponse(batch=self._batch(request.batch_id))

    async def ListJobBatches(
        self, request: job_service_pb2.ListJobBatchesRequest, context: Context
    ) -> job_service_pb2.ListJobBatchesResponse:
        """See the contract."""
        ids = list(reversed(self.batches))
        start = int(request.page_token or 0)
        end = start + 2  # small pages, so that a client must go on
        return job_service_pb2.ListJobBatchesResponse(
            batches=map(self._batch, ids[start:end]),
            next_page_token=str(end) if end < len(ids) else "",
        )

    async def CancelJobBatch(
        self, request: job_service_pb2.CancelJobBatchRequest, context: Context
    ) -> job_service_pb2.CancelJobBatchResponse:
        """See the contract."""
        self._batch(request.batch_id)
        for job in list(self.jobs.values()):
            if job.batch_id == request.batch_id and job.state not in TERMINAL:
                await self.cancel(job)
        return job_service_pb2.CancelJobBatchResponse(batch=self._batch(request.batch_id))

    async def MoveJob(
        self, request: job_service_pb2.MoveJobRequest, context: Context
    ) -> job_service_pb2.MoveJobResponse:
        """See the contract."""
        job = self.get(request.job_id)
        if job.state != QUEUED:
            raise JobNotWaiting(f"Job {job.job_id} does not wait.")
        old, job.priority = job.priority, request.priority or job.priority
        line = [
            other
            for other in self.jobs.values()
            if other.state == QUEUED
            and (other.queue, other.priority) == (job.queue, job.priority)
            and other.job_id != job.job_id
        ]
        line.sort(key=lambda other: other.rank)
        match request.WhichOneof("place"):
            case "first":
                job.rank = min((other.rank for other in line), default=1) - 1
            case "before_job_id":
                job.rank = self._beside(line, request.before_job_id) - 1
            case "after_job_id":
                job.rank = self._beside(line, request.after_job_id) + 1
            case "last":
                job.rank = max((other.rank for other in line), default=0) + 1
            case None if old != job.priority:
                job.rank = max((other.rank for other in line), default=0) + 1
        await self.change(job)
        return job_service_pb2.MoveJobResponse(job=job)

    def _beside(self, line: list[job_pb2.Job], job_id: str) -> int:
        self.get(job_id)
        for other in line:
            if other.job_id == job_id:
                return other.rank
        raise InvalidField("It waits elsewhere.", fields={"place": "must be of the same queue"})

    def _batch(self, batch_id: str) -> batch_pb2.JobBatch:
        if batch_id not in self.batches:
            raise BatchNotFound(f"There is no batch {batch_id}.")
        batch = self.batches[batch_id]
        jobs = [job for job in self.jobs.values() if job.batch_id == batch_id]
        for state in STATES:
            value = job_pb2.Job.State.Value(f"STATE_{state.upper()}")
            setattr(batch.counts, state, sum(job.state == value for job in jobs))
        if all(job.state in TERMINAL for job in jobs) and not batch.HasField("end_time"):
            batch.end_time.GetCurrentTime()
        return batch


class ScriptedQueues(queue_service_pb2_grpc.QueueServiceServicer):
    """The queues of those jobs."""

    def __init__(self, jobs: ScriptedQueueing) -> None:
        self._jobs = jobs

    async def ListQueues(
        self, request: queue_service_pb2.ListQueuesRequest, context: Context
    ) -> queue_service_pb2.ListQueuesResponse:
        """See the contract."""
        return queue_service_pb2.ListQueuesResponse(
            queues=self._queues(), all_paused="all" in self._jobs.paused
        )

    async def PauseQueue(
        self, request: queue_service_pb2.PauseQueueRequest, context: Context
    ) -> queue_service_pb2.PauseQueueResponse:
        """See the contract."""
        await self._pause(request.queue, paused=True)
        return queue_service_pb2.PauseQueueResponse(
            queues=self._queues(), all_paused="all" in self._jobs.paused
        )

    async def ResumeQueue(
        self, request: queue_service_pb2.ResumeQueueRequest, context: Context
    ) -> queue_service_pb2.ResumeQueueResponse:
        """See the contract."""
        await self._pause(request.queue, paused=False)
        return queue_service_pb2.ResumeQueueResponse(
            queues=self._queues(), all_paused="all" in self._jobs.paused
        )

    async def _pause(self, queue: str, *, paused: bool) -> None:
        if queue not in {"all", *(known.queue for known in self._queues())}:
            raise QueueNotFound(f"There is no queue called {queue!r}.")
        await self._jobs.pause(queue, paused=paused)

    def _queues(self) -> list[queue_pb2.Queue]:
        jobs, paused = list(self._jobs.jobs.values()), self._jobs.paused
        queues = []
        for name in sorted({"generate.composer", *(job.queue for job in jobs)}):
            of_it = [job for job in jobs if job.queue == name]
            waiting = [job for job in of_it if job.state == QUEUED]
            queue = queue_pb2.Queue(queue=name, paused=bool(paused & {"all", name}))
            queue.delayed = sum(job.HasField("not_before_time") for job in waiting)
            queue.waiting = len(waiting) - queue.delayed
            queue.running = sum(job.state not in {QUEUED, *TERMINAL} for job in of_it)
            if queue.waiting:
                queue.oldest_wait.FromSeconds(5)
            queues.append(queue)
        return queues
