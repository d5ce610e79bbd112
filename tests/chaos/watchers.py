"""Clients that watch all jobs, through every break, and check what they are told."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from musicgen.api.jobs.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from musicgen.client.backoff import Backoff
from musicgen.client.view import JobsView
from musicgen.client.watch import follow
from musicgen.rpc.channel import connect
from musicgen.rpc.status import from_rpc_error
from tests.chaos.doors import JOBS
from tests.chaos.web import Refused, grpc_web

Frame = job_service_pb2.WatchJobsResponse
_KEPT_CURSORS = 4


class Watcher(abc.ABC):
    """One client. `break_s` is about how long it stays connected by its own will."""

    def __init__(self, name: str, rng: random.Random, break_s: float) -> None:
        self.name = name
        self.faults: list[str] = []
        """Where its view went wrong: it went back, or one change was taken for two."""
        self.doubled: list[str] = []
        self.connections = 0
        self.snapshots = 0
        self.repeats = 0
        """Changes that came again and were passed over: no fault."""
        self.rng = rng
        self._break_s = break_s

    @property
    @abc.abstractmethod
    def jobs(self) -> dict[str, job_pb2.Job]:
        """What it believes."""

    @abc.abstractmethod
    async def run(self) -> None:
        """Watch until cancelled."""

    def stay_s(self) -> float:
        """Return how long the next connection lasts."""
        return self.rng.uniform(0.3, 1.7) * self._break_s


class SdkWatcher(Watcher):
    """The SDK's own watch and view; at times it resumes from an older cursor than its newest,
    as a client does that died before it wrote that down."""

    def __init__(
        self, name: str, address: str, rng: random.Random, break_s: float, *, old_cursors: bool
    ) -> None:
        super().__init__(name, rng, break_s)
        self._view = JobsView()
        self._channel = connect(address)
        self._stub = job_service_pb2_grpc.JobServiceStub(self._channel)
        self._old_cursors = old_cursors
        self._cursors: list[str] = []
        self._revs: dict[str, int] = {}

    @property
    def jobs(self) -> dict[str, job_pb2.Job]:
        """The SDK's view."""
        return dict(self._view.jobs)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.stay_s()):
                    await self._follow()

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    def _open(self, cursor: str) -> Any:
        self.connections += 1
        if cursor and self._old_cursors and self.rng.random() < 0.7:
            cursor = self.rng.choice(self._cursors)
        return self._stub.WatchJobs(job_service_pb2.WatchJobsRequest(cursor=cursor))

    async def _follow(self) -> None:
        backoff = Backoff(0.05, 0.5)
        updates = follow(self._open, self._view, from_rpc_error, backoff, silence_s=8.0)
        async with contextlib.aclosing(updates) as all_updates:
            async for update in all_updates:
                if update.disconnected:
                    continue
                if update.synced:
                    self.snapshots += 1
                    self._cursors.clear()
                self._cursors = [*self._cursors[1 - _KEPT_CURSORS :], self._view.cursor]
                for change in update.changes:
                    self._check(change.job, synced=update.synced)

    def _check(self, job: job_pb2.Job, *, synced: bool) -> None:
        known = self._revs.get(job.job_id, 0)
        if job.rev == known and not synced:
            self.doubled.append(f"{self.name}: job {job.job_id} rev {job.rev} was applied twice")
        elif job.rev < known:
            self.faults.append(f"{self.name}: job {job.job_id} went from {known} to {job.rev}")
        self._revs[job.job_id] = job.rev


class WebWatcher(Watcher):
    """A page's watch over gRPC-Web, folded here without the SDK; it can fall asleep with its
    connection open. It knows which changes of state it was told."""

    def __init__(self, name: str, port: int, rng: random.Random, break_s: float) -> None:
        super().__init__(name, rng, break_s)
        self._port = port
        self._jobs: dict[str, job_pb2.Job] = {}
        self._pages: dict[str, job_pb2.Job] = {}
        self._cursor = ""
        self.awake = asyncio.Event()
        self.awake.set()
        self.first_revs: dict[str, int] = {}
        """Rev of each job in the newest snapshot."""
        self.told: defaultdict[str, set[int]] = defaultdict(set)
        """Revs of the changes of state since then."""

    @property
    def jobs(self) -> dict[str, job_pb2.Job]:
        """The folded view."""
        return dict(self._jobs)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self.stay_s()) as limit:
                    await self._connect(lambda s: limit.reschedule(_now() + s))
            except (Refused, TimeoutError) as error:
                if isinstance(error, Refused) and error.code == "OUT_OF_RANGE":
                    self._restart()
                await asyncio.sleep(0.1)

    async def _connect(self, extend: Callable[[float], None]) -> None:
        self.connections += 1
        self._pages.clear()
        request = job_service_pb2.WatchJobsRequest(cursor=self._cursor)
        call = grpc_web(self._port, JOBS + "WatchJobs", request.SerializeToString())
        async with call as reply:
            async for message in reply.messages():
                self._fold(Frame.FromString(message))
                if not self.awake.is_set():
                    extend(3600.0)  # who sleeps breaks nothing off
                    await self.awake.wait()
                    extend(self.stay_s())

    def _restart(self) -> None:
        self._cursor = ""
        self._pages.clear()

    def _fold(self, frame: Frame) -> None:
        body = frame.WhichOneof("body")
        if body == "reset":
            return self._restart()
        if body == "snapshot":
            self._pages |= {job.job_id: job for job in frame.snapshot.jobs}
            if frame.snapshot.complete:
                self._replace()
        for event in frame.events.events:
            self._apply(event)
        if frame.cursor:
            self._cursor = frame.cursor
        return None

    def _replace(self) -> None:
        self.snapshots += 1
        for job_id, job in self._pages.items():
            known = self._jobs.get(job_id)
            if known and job.rev < known.rev:
                self.faults.append(
                    f"{self.name}: a snapshot brought job {job_id} from {known.rev} to {job.rev}"
                )
        self._jobs, self._pages = self._pages, {}
        self.first_revs = {job_id: job.rev for job_id, job in self._jobs.items()}
        self.told.clear()

    def _apply(self, event: Any) -> None:
        known = self._jobs.get(event.job_id)
        if known and event.rev <= known.rev:
            self.repeats += 1
        elif event.HasField("changed"):
            self.told[event.job_id].add(event.rev)
            self._jobs[event.job_id] = event.changed
        elif event.HasField("progressed"):
            if known is None:
                self.faults.append(f"{self.name}: progress of job {event.job_id}, never told of")
                return
            known.rev = event.rev
            known.progress.CopyFrom(event.progressed)
            known.update_time.CopyFrom(event.time)

    def missed(self, revs: dict[str, list[int]]) -> list[str]:
        """Return the changes of state since its snapshot that it was never told of."""
        return [
            f"{self.name}: was not told of rev {rev} of job {job_id}"
            for job_id, changed in revs.items()
            for rev in changed
            if rev > self.first_revs.get(job_id, 0) and rev not in self.told[job_id]
        ]


async def until_equal(watcher: Watcher, truth: dict[str, job_pb2.Job], limit_s: float) -> list[str]:
    """Wait until a watcher believes the truth. Returns where it does not in the end."""
    until = time.monotonic() + limit_s
    while True:
        wrong = [
            f"{watcher.name}: believes {_short(watcher.jobs.get(job_id))} of job {job_id}, "
            f"which is {_short(truth.get(job_id))}"
            for job_id in truth.keys() | watcher.jobs.keys()
            if truth.get(job_id) != watcher.jobs.get(job_id)
        ]
        if not wrong or time.monotonic() > until:
            return wrong
        await asyncio.sleep(0.2)


def _short(job: job_pb2.Job | None) -> str:
    return f"{job_pb2.Job.State.Name(job.state)} rev {job.rev}" if job else "nothing"


def _now() -> float:
    return asyncio.get_running_loop().time()
