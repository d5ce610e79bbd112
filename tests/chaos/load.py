"""Clients that have jobs made, change their minds, and never take no for an answer."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.jobs.v1 import job_pb2, job_service_pb2, queue_service_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.client import specs
from tests.chaos.doors import Door
from tests.chaos.engine import QUEUES
from tests.chaos.ledger import Ledger, Promise
from tests.chaos.recorder import Recorder
from tests.chaos.web import Refused

CLIENTS = 6
OPEN_MOST = 60
"""Jobs that wait or run at a time: new ones are to come for as long as faults do."""
RETRY_S = 0.3
PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "NOT_FOUND", "RESOURCE_EXHAUSTED", "CANCELLED")
"""NOT_FOUND: no worker has said yet, or again, that it has the engine."""

Priority = job_pb2.Job.Priority


@dataclass(frozen=True, slots=True)
class Order:
    """What one client wants."""

    kind: str
    jobs: tuple[job_pb2.JobSpec, ...]
    priority: Priority.ValueType = job_pb2.Job.PRIORITY_NORMAL
    request_id: str = ""
    clients: int = 1
    """How many ask for it at once, all with the same request id."""
    cancel_after_s: float | None = None


@dataclass(slots=True)
class Orders:
    """An endless stream of orders, the same for the same seed."""

    rng: random.Random
    made: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def one(self) -> Order:
        """Draw an order."""
        rng, draw = self.rng, self.rng.random()
        request_id = self._uuid()
        cancel_after_s = rng.uniform(0, 3) if rng.random() < 0.06 else None
        priority = rng.choices(
            (job_pb2.Job.PRIORITY_LOW, job_pb2.Job.PRIORITY_NORMAL, job_pb2.Job.PRIORITY_HIGH),
            (2, 6, 1),
        )[0]
        if draw < 0.04:
            jobs = tuple(self._quick(request_id) for _ in range(rng.randint(3, 12)))
            return Order("batch", jobs, priority, request_id, 1, cancel_after_s)
        if draw < 0.08:
            steps = rng.randint(8, 20)
            spec = self._spec(
                "slow", request_id, steps=steps, step_s=rng.uniform(0.25, 0.4), previews=3
            )
            return Order("slow", (spec,), priority, request_id, 1, cancel_after_s)
        if draw < 0.10:
            return Order("poison", (self._spec("quick", request_id, crash_at=1),), priority)
        if draw < 0.13:
            spec = self._spec("quick", request_id, fail_at=2, fail_with="INVALID_PROMPT")
            return Order("failing", (spec,), priority, request_id)
        clients = 3 if draw < 0.33 else 1
        if draw > 0.85:
            request_id = ""  # such a client can't know what became of a call that broke
        return Order("quick", (self._quick(request_id),), priority, request_id, clients,
                     cancel_after_s)  # fmt: skip

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def _quick(self, request_id: str) -> job_pb2.JobSpec:
        return self._spec("quick", request_id, step_s=self.rng.choice((0.0, 0.0, 0.02, 0.1)))

    def _spec(self, engine: str, request_id: str, **script: Any) -> job_pb2.JobSpec:
        number = next(self.made)
        return specs.generate(
            f"piece {number} {request_id}",
            duration_s=0.3,
            seed=number,
            engine=engine,
            options=script,
        )


class Load:
    """All clients together."""

    def __init__(
        self, doors: Sequence[Door], ledger: Ledger, recorder: Recorder, rng: random.Random
    ) -> None:
        self._doors = doors
        self._ledger = ledger
        self._recorder = recorder
        self._rng = rng
        self._orders = Orders(rng)
        self._minds: set[asyncio.Task[None]] = set()
        self.batches_work = True

    async def run(self, jobs: int) -> None:
        """Have this many jobs accepted."""
        async with asyncio.TaskGroup() as tasks:
            clients = [tasks.create_task(self._client(jobs)) for _ in range(CLIENTS)]
            whims = (self._pauses(), self._second_tries(), self._exports())
            others = [tasks.create_task(whim) for whim in whims]
            await asyncio.gather(*clients)
            for task in others:
                task.cancel()
        for queue in (*QUEUES, "all"):  # one may have been paused just now
            await self._until_heard(
                "ResumeQueue", queue_service_pb2.ResumeQueueRequest(queue=queue)
            )
        await asyncio.gather(*self._minds)

    async def place(self, order: Order) -> None:
        """Ask until it is promised; with the same request id as often as it takes."""
        await asyncio.gather(*(self._ask(order) for _ in range(order.clients)))

    async def _client(self, jobs: int) -> None:
        while len(self._ledger.promises) < jobs:
            if self._open() >= OPEN_MOST:
                await asyncio.sleep(0.05)
                continue
            await self.place(self._orders.one())

    def _open(self) -> int:
        return len(self._ledger.promises.keys() - self._recorder.ended)

    async def _ask(self, order: Order) -> None:
        while True:
            door = self._rng.choice(self._doors)
            try:
                promises = await self._once(door, order)
            except Refused as error:
                self._ledger.refused[error.code] += 1
                if error.code == "UNIMPLEMENTED" and order.kind == "batch":
                    self.batches_work = False
                    return
                if error.code not in PASSING:
                    raise
                if not order.request_id:
                    return  # the call may have been heard: who asks again asks for another
                await asyncio.sleep(self._rng.uniform(0.3, 1.0) * RETRY_S)
                continue
            for promise in promises:
                self._ledger.promised(promise)
            if order.cancel_after_s is not None:
                self._soon(self._cancel(promises, order.cancel_after_s))
            return

    async def _once(self, door: Door, order: Order) -> list[Promise]:
        if order.kind == "batch":
            asked = [
                job_service_pb2.CreateJobRequest(spec=spec, priority=order.priority)
                for spec in order.jobs
            ]
            batch = await door.call(
                "BatchCreateJobs",
                job_service_pb2.BatchCreateJobsRequest(requests=asked, request_id=order.request_id),
            )
            batch_id, ids = batch.batch.batch_id, list(batch.job_ids)
            self._ledger.batches[batch_id] = ids
            return [Promise(id, door.name, "quick", order.request_id, batch_id) for id in ids]
        answer = await door.call(
            "CreateJob",
            job_service_pb2.CreateJobRequest(
                spec=order.jobs[0], request_id=order.request_id, priority=order.priority
            ),
        )
        return [Promise(answer.job.job_id, door.name, order.kind, order.request_id)]

    def _soon(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._minds.add(task)
        task.add_done_callback(self._minds.discard)

    async def _cancel(self, promises: list[Promise], after_s: float) -> None:
        await asyncio.sleep(after_s)
        self._ledger.cancelled |= {promise.job_id for promise in promises}
        batch = promises[0].batch_id
        request: Any = job_service_pb2.CancelJobRequest(job_id=promises[0].job_id)
        method = "CancelJob"
        if batch:
            request, method = (
                job_service_pb2.CancelJobBatchRequest(batch_id=batch),
                "CancelJobBatch",
            )
        await self._until_heard(method, request)

    async def _until_heard(self, method: str, request: Any) -> Any:
        """Call until there is an answer; None if the answer is that it makes no sense now."""
        while True:
            try:
                return await self._rng.choice(self._doors).call(method, request)
            except Refused as error:
                self._ledger.refused[error.code] += 1
                if error.code in ("FAILED_PRECONDITION", "INVALID_ARGUMENT", "UNIMPLEMENTED"):
                    return None
                if error.code not in PASSING:
                    raise
                await asyncio.sleep(RETRY_S)

    async def _pauses(self) -> None:
        """Pause and resume queues, and move jobs about, now and then."""
        while True:
            await asyncio.sleep(self._rng.uniform(4, 12))
            queue = self._rng.choice((*QUEUES, "all"))
            paused = await self._until_heard(
                "PauseQueue", queue_service_pb2.PauseQueueRequest(queue=queue)
            )
            if paused is None:
                continue
            await asyncio.sleep(self._rng.uniform(0.5, 2))
            for job_id in list(self._ledger.promises.keys() - self._recorder.ended)[-3:]:
                await self._until_heard(
                    "MoveJob", job_service_pb2.MoveJobRequest(job_id=job_id, first=True)
                )
            await self._until_heard(
                "ResumeQueue", queue_service_pb2.ResumeQueueRequest(queue=queue)
            )

    async def _exports(self) -> None:
        """Export tracks of jobs that succeeded."""
        while True:
            await asyncio.sleep(self._rng.uniform(2, 5))
            stories = self._recorder.stories
            made = [id for id in list(self._recorder.ended) if stories[id].state == "SUCCEEDED"]
            if not made:
                continue
            asked = job_service_pb2.GetJobRequest(job_id=self._rng.choice(made))
            answer = await self._until_heard("GetJob", asked)
            if answer is None or not answer.job.result.track_ids:
                continue
            spec = job_pb2.JobSpec(
                export=track_pb2.ExportSpec(
                    track_id=answer.job.result.track_ids[0],
                    format=self._rng.choice(
                        (audio_pb2.AUDIO_FORMAT_WAV, audio_pb2.AUDIO_FORMAT_FLAC)
                    ),
                )
            )
            request_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
            await self.place(Order("export", (spec,), request_id=request_id))

    async def _second_tries(self) -> None:
        """Retry jobs that failed or were cancelled, three clients at once."""
        tried: set[str] = set()
        while True:
            await asyncio.sleep(self._rng.uniform(1, 3))
            stories = self._recorder.stories
            ended = (
                id
                for id, promise in self._ledger.promises.items()
                if id not in tried
                and promise.kind == "quick"
                and stories[id].state in ("FAILED", "CANCELLED")
            )
            if (old := next(ended, None)) is None:
                continue
            tried.add(old)
            request_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
            request = job_service_pb2.RetryJobRequest(job_id=old, request_id=request_id)
            answers = await asyncio.gather(
                *(self._until_heard("RetryJob", request) for _ in range(3))
            )
            for answer in answers:
                if answer is not None:
                    job_id = answer.job.job_id
                    self._ledger.promised(
                        Promise(job_id, "retry", "quick", request_id, retry_of=old)
                    )
