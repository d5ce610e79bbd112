"""A small JobService that keeps the contract, in memory, with faults on request.

What a job does is written in its prompt: "hang" runs until it is cancelled, "stubborn" runs
on even then, "fail X" ends with the reason X, "flaky X" fails with it once and is tried again,
"heard" can be heard from each of its steps on, everything else makes a track. All that wait
start at once, unless their queue is paused.
"""

# ruff: noqa: N802, ARG002  # the contract's names and signatures
from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.jobs.v1 import (
    batch_pb2,
    job_event_pb2,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
)
from musicgen.api.progress.v1 import progress_pb2
from musicgen.errors import (
    InvalidField,
    InvalidPrompt,
    JobAlreadyTerminal,
    JobNotFound,
    JobNotTerminal,
    ModelNotFound,
    StoreUnavailable,
    WatchCursorCompacted,
    by_reason,
)
from musicgen.rpc.status import to_error_proto
from tests.contract.client.scripted_loops import find_loops, no_loop

STEPS = 4
STEP_S = 0.02
RETRY_S = 0.1
RANK_STEP = 1000
TERMINAL = {job_pb2.Job.STATE_SUCCEEDED, job_pb2.Job.STATE_FAILED, job_pb2.Job.STATE_CANCELLED}

Frame = job_service_pb2.WatchJobsResponse
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass
class Faults:
    """What goes wrong, and when."""

    lost_replies: int = 0
    """CreateJob accepts, but its reply is lost, this many times."""
    watch_ends: list[tuple[int, str]] = field(default_factory=list)
    """For each watch in turn: after how many frames it ends, and how: "unavailable",
    "ok", "reset", "oversize" or "silence"."""
    repeat_events: bool = False
    """Every frame of events is sent twice, and every replay begins one event too early."""
    wrong_bytes: bool = False
    """Downloads carry other bytes than the job made."""
    failing_jobs: set[str] = field(default_factory=set)
    """Jobs that end with ENGINE_CRASHED, whatever they are to do."""
    nothing_repeats: bool = False
    """No job finds a loop."""


class ScriptedJobs(job_service_pb2_grpc.JobServiceServicer):
    """Accepts jobs and does them by script."""

    def __init__(self, faults: Faults, made: dict[str, bytes]) -> None:
        """`made` gets the bytes of each download by its path."""
        self.faults = faults
        self.jobs: dict[str, job_pb2.Job] = {}
        self.created = 0
        self.cursors: list[str] = []
        self.batches: dict[str, batch_pb2.JobBatch] = {}
        self.paused: set[str] = set()
        self.masks: list[list[str]] = []
        self._made = made
        self._requests: dict[str, str] = {}
        self._history: list[job_event_pb2.JobEvent | job_event_pb2.QueueChange] = []
        self._epoch = 1
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancelled: dict[str, asyncio.Event] = {}

    # ---- the contract's methods -------------------------------------------------------

    async def CreateJob(
        self, request: job_service_pb2.CreateJobRequest, context: Context
    ) -> job_service_pb2.CreateJobResponse:
        """See the contract."""
        if request.request_id not in self._requests:
            self.check(request.spec)
            job = await self.accept(request.spec, request.priority)
            self._requests[request.request_id] = job.job_id
        self.lose_reply()
        job_id = self._requests[request.request_id]
        return job_service_pb2.CreateJobResponse(job=self.jobs[job_id])

    async def GetJob(
        self, request: job_service_pb2.GetJobRequest, context: Context
    ) -> job_service_pb2.GetJobResponse:
        """See the contract."""
        return job_service_pb2.GetJobResponse(job=self.get(request.job_id))

    async def ListJobs(
        self, request: job_service_pb2.ListJobsRequest, context: Context
    ) -> job_service_pb2.ListJobsResponse:
        """See the contract."""
        states, ids = set(request.filter.states), self._wanted(request.filter)
        found = [
            job
            for job in reversed(self.jobs.values())
            if (not states or job.state in states) and (ids is None or job.job_id in ids)
        ]
        start = int(request.page_token or 0)
        end = start + 2  # small pages, so that a client must go on
        return job_service_pb2.ListJobsResponse(
            jobs=found[start:end], next_page_token=str(end) if end < len(found) else ""
        )

    async def CancelJob(
        self, request: job_service_pb2.CancelJobRequest, context: Context
    ) -> job_service_pb2.CancelJobResponse:
        """See the contract."""
        job = self.get(request.job_id)
        if job.state in TERMINAL:
            raise JobAlreadyTerminal(f"Job {job.job_id} has ended.")
        await self.cancel(job)
        return job_service_pb2.CancelJobResponse(job=job)

    async def RetryJob(
        self, request: job_service_pb2.RetryJobRequest, context: Context
    ) -> job_service_pb2.RetryJobResponse:
        """See the contract."""
        job = self.get(request.job_id)
        if job.state not in TERMINAL:
            raise JobNotTerminal(f"Job {job.job_id} has not ended.")
        again = await self.accept(job.spec, job.priority, retry_of=job.job_id)
        return job_service_pb2.RetryJobResponse(job=again)

    async def DeleteJob(
        self, request: job_service_pb2.DeleteJobRequest, context: Context
    ) -> job_service_pb2.DeleteJobResponse:
        """See the contract."""
        job = self.get(request.job_id)
        if job.state not in TERMINAL:
            raise JobNotTerminal(f"Job {job.job_id} has not ended.")
        del self.jobs[job.job_id]
        job.rev += 1
        await self._append(job, deleted=job_event_pb2.JobDeleted())
        return job_service_pb2.DeleteJobResponse()

    async def WatchJobs(
        self, request: job_service_pb2.WatchJobsRequest, context: Context
    ) -> AsyncIterator[Frame]:
        """See the contract."""
        self.cursors.append(request.cursor)
        self.masks.append(list(request.read_mask.paths))
        wanted = self._wanted(request.filter)
        frames = self._frames(request.cursor, wanted)
        ends_after, how = self.faults.watch_ends.pop(0) if self.faults.watch_ends else (-1, "")
        sent = 0
        async with contextlib.aclosing(frames):
            async for frame in frames:
                if sent == ends_after:
                    break
                yield frame
                sent += 1
        match how:
            case "unavailable":
                raise StoreUnavailable("The connection is torn.")
            case "oversize":
                yield Frame(cursor="x" * (5 << 20), bookmark=job_event_pb2.Bookmark())
            case "silence":
                await asyncio.Event().wait()
            case "reset":
                yield Frame(reset=job_event_pb2.WatchReset())
                async for frame in self._frames("", wanted):
                    yield frame

    # ---- what a test does to it ---------------------------------------------------------

    async def compact(self) -> None:
        """Replace the store: no cursor of before is valid, and jobs count from 1 again."""
        self._epoch += 1
        self._history.clear()
        for job in self.jobs.values():
            job.rev = 1
        async with self._changed:
            self._changed.notify_all()

    async def stop(self) -> None:
        """End all work."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- work ---------------------------------------------------------------------------

    def lose_reply(self) -> None:
        """Fail as if the reply were lost, if that is to happen."""
        if self.faults.lost_replies:
            self.faults.lost_replies -= 1
            raise StoreUnavailable("The reply was lost.")

    def check(self, spec: job_pb2.JobSpec) -> None:
        """Raise what is wrong with a spec."""
        if spec.WhichOneof("kind") == "loop" and spec.loop.length_seconds > 36_000:
            raise InvalidField("A loop lasts up to ten hours.", fields={"length": "up to 36000"})
        if spec.WhichOneof("kind") != "generate":
            return
        parameters = spec.generate.parameters
        if not 0 < len(parameters.prompt) <= 2000:
            raise InvalidPrompt(f"The prompt has {len(parameters.prompt)} characters.")
        if parameters.duration_seconds > 600:
            raise InvalidField(
                "The composer makes up to 600 seconds.",
                fields={"spec.generate.parameters.duration_seconds": "must be 5 to 600"},
            )
        if spec.generate.engine not in {"", "composer", "singer"}:
            raise ModelNotFound(f"There is no engine {spec.generate.engine!r}.")

    async def accept(
        self,
        spec: job_pb2.JobSpec,
        priority: job_pb2.Job.Priority.ValueType,
        *,
        retry_of: str = "",
        batch_id: str = "",
    ) -> job_pb2.Job:
        """Accept a job, and begin with it."""
        self.created += 1
        kind = spec.WhichOneof("kind") or ""
        job = job_pb2.Job(
            job_id=f"job{self.created}",
            state=job_pb2.Job.STATE_QUEUED,
            spec=spec,
            max_attempts=3,
            retry_of=retry_of,
            priority=priority or job_pb2.Job.PRIORITY_NORMAL,
            queue=f"generate.{spec.generate.engine or 'composer'}" if kind == "generate" else kind,
            rank=self.created * RANK_STEP,
            batch_id=batch_id,
        )
        job.create_time.GetCurrentTime()
        self.jobs[job.job_id] = job
        self._cancelled[job.job_id] = asyncio.Event()
        await self.change(job)
        task = asyncio.create_task(self._work(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def cancel(self, job: job_pb2.Job) -> None:
        """Ask a job to stop: it does so at its next step, or at once if it waits."""
        self._cancelled[job.job_id].set()
        if job.state == job_pb2.Job.STATE_QUEUED:
            await self._end(job, job_pb2.Job.STATE_CANCELLED)
        elif job.state == job_pb2.Job.STATE_RUNNING:
            await self.change(job, state=job_pb2.Job.STATE_CANCELLING)

    async def pause(self, queue: str, *, paused: bool) -> None:
        """Pause or resume a queue, or "all"."""
        (self.paused.add if paused else self.paused.discard)(queue)
        async with self._changed:
            self._history.append(job_event_pb2.QueueChange(queue=queue, paused=paused))
            self._changed.notify_all()

    async def _work(self, job: job_pb2.Job) -> None:
        await asyncio.sleep(STEP_S)
        async with self._changed:
            await self._changed.wait_for(
                lambda: not self.paused & {"all", job.queue} or job.state in TERMINAL
            )
        if job.state in TERMINAL:
            return
        job.start_time.GetCurrentTime()
        job.attempt += 1
        job.ClearField("not_before_time")
        await self.change(job, state=job_pb2.Job.STATE_RUNNING)
        prompt = job.spec.generate.parameters.prompt
        if prompt.startswith("flaky ") and job.attempt == 1:
            await self._try_again(job, prompt.removeprefix("flaky "))
            return
        step = 0
        endless = prompt in {"hang", "stubborn"}
        while endless or step < STEPS:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._cancelled[job.job_id].wait(), STEP_S)
            if prompt == "stubborn":
                await asyncio.sleep(STEP_S)
            elif self._cancelled[job.job_id].is_set():
                await self._end(job, job_pb2.Job.STATE_CANCELLED)
                return
            step = min(step + 1, STEPS - 1) if endless else step + 1
            await self._progress(job, step)
            if prompt == "heard":
                preview = job.previews.add(start_frame=1000 * (step - 1))
                preview.artifact.key = f"artifacts/{job.job_id}/1/preview-{step - 1}.flac"
                await self.change(job)
        if job.job_id in self.faults.failing_jobs:
            prompt = "fail ENGINE_CRASHED"
        if prompt.startswith("fail "):
            reason = by_reason(prompt.removeprefix("fail "))
            job.error.CopyFrom(to_error_proto(reason(f"It failed: {reason.reason}.")))
            await self._end(job, job_pb2.Job.STATE_FAILED)
            return
        if job.spec.WhichOneof("kind") == "find_loops" and self.faults.nothing_repeats:
            job.error.CopyFrom(to_error_proto(no_loop()))
            await self._end(job, job_pb2.Job.STATE_FAILED)
            return
        self._finish(job)
        await self._end(job, job_pb2.Job.STATE_SUCCEEDED)

    async def _try_again(self, job: job_pb2.Job, reason: str) -> None:
        job.error.CopyFrom(to_error_proto(by_reason(reason)("It failed once.")))
        past = job.attempts.add(attempt=job.attempt, worker="scripted", error=job.error)
        past.start_time.CopyFrom(job.start_time)
        past.end_time.GetCurrentTime()
        job.not_before_time.GetCurrentTime()
        job.not_before_time.FromMilliseconds(
            job.not_before_time.ToMilliseconds() + int(RETRY_S * 1000)
        )
        await self.change(job, state=job_pb2.Job.STATE_QUEUED)
        await asyncio.sleep(RETRY_S)
        await self._work(job)

    def _finish(self, job: job_pb2.Job) -> None:
        if job.spec.WhichOneof("kind") == "find_loops":
            find_loops(job, self._made)
            return
        if job.spec.WhichOneof("kind") != "export":
            job.result.track_ids.append(f"track{job.job_id.removeprefix('job')}")
            return
        path = f"/v1/artifacts/{job.job_id}/1/export.flac"
        content = bytes(range(256)) * 4000
        self._made[path] = content if not self.faults.wrong_bytes else content[::-1]
        download = job.result.downloads.add(path=path, file_name="Rainy Night.flac")
        download.artifact.CopyFrom(
            audio_pb2.Artifact(
                key=path[4:],
                sha256=_sha256(content),
                size_bytes=len(content),
                media_type="audio/flac",
            )
        )

    async def _progress(self, job: job_pb2.Job, step: int) -> None:
        job.progress.CopyFrom(
            progress_pb2.Progress(
                stage="rendering", step=step, steps=STEPS, fraction=step / STEPS, detail="chorus"
            )
        )
        if step > 1:
            job.progress.eta.FromMilliseconds(int((STEPS - step) * STEP_S * 1000))
        job.rev += 1
        await self._append(job, progressed=job.progress)

    async def _end(self, job: job_pb2.Job, state: job_pb2.Job.State.ValueType) -> None:
        job.end_time.GetCurrentTime()
        job.ClearField("previews")
        await self.change(job, state=state)

    async def change(
        self, job: job_pb2.Job, state: job_pb2.Job.State.ValueType | None = None
    ) -> None:
        """Tell of a change of a job, which may be of its state."""
        if state is not None:
            job.state = state
        job.rev += 1
        await self._append(job, changed=job)

    async def _append(self, job: job_pb2.Job, **what: object) -> None:
        event = job_event_pb2.JobEvent(job_id=job.job_id, rev=job.rev)
        for name, value in what.items():
            getattr(event, name).CopyFrom(value)
        async with self._changed:
            self._history.append(event)
            self._changed.notify_all()

    # ---- watching -----------------------------------------------------------------------

    def _wanted(self, filter: job_pb2.JobFilter) -> set[str] | None:
        """Return the jobs that a filter names; None for all."""
        if not filter.job_ids and not filter.batch_ids:
            return None
        members = (job.job_id for job in self.jobs.values() if job.batch_id in filter.batch_ids)
        return {*filter.job_ids, *members}

    async def _frames(self, cursor: str, wanted: set[str] | None) -> AsyncGenerator[Frame, None]:
        epoch = self._epoch
        if cursor:
            its_epoch, _, position = cursor.partition(".")
            if int(its_epoch) != epoch:
                raise WatchCursorCompacted("The cursor is of another store.")
            at = int(position)
            if self.faults.repeat_events:
                at = max(0, at - 1)
        else:
            at = len(self._history)
            chosen = (job for job in self.jobs.values() if wanted is None or job.job_id in wanted)
            for job in list(chosen):
                yield Frame(snapshot=job_event_pb2.JobsSnapshot(jobs=[job]))
            last = job_event_pb2.JobsSnapshot(complete=True, paused_queues=sorted(self.paused))
            yield Frame(cursor=f"{epoch}.{at}", snapshot=last)
        while True:
            async with self._changed:
                await self._changed.wait_for(
                    lambda: self._epoch != epoch or len(self._history) > at  # noqa: B023  # now
                )
                if self._epoch != epoch:
                    raise StoreUnavailable("The store was replaced.")
                event = self._history[at]
            at += 1
            if isinstance(event, job_event_pb2.QueueChange):
                events = job_event_pb2.JobEvents(queues=[event])
            elif wanted is None or event.job_id in wanted:
                events = job_event_pb2.JobEvents(events=[event])
            else:
                continue
            frame = Frame(cursor=f"{epoch}.{at}", events=events)
            yield frame
            if self.faults.repeat_events:
                yield frame

    def get(self, job_id: str) -> job_pb2.Job:
        """Return a job. Raises JobNotFound."""
        if job_id not in self.jobs:
            raise JobNotFound(f"There is no job {job_id}.")
        return self.jobs[job_id]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
