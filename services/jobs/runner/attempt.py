"""One attempt at a job: the worker service's stream, and a claim kept alive meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import grpc

from musicgen.api.jobs.v1 import job_outcome_pb2, job_pb2
from musicgen.errors import Internal, StoreUnavailable
from musicgen.rpc.status import from_rpc_error
from services.jobs.convert import preview_to_bytes
from services.jobs.records import Claim, Hold
from services.jobs.runner.lanes import Lane
from services.jobs.runner.pace import Pace
from services.jobs.store import JobStore

BEATS_PER_LEASE = 5
RETRY_S = 0.25

T = TypeVar("T")


class Stopped(Exception):
    """The attempt must end: the job was cancelled or taken over."""

    def __init__(self, hold: Hold) -> None:
        super().__init__(hold.value)
        self.hold = hold


class Attempt:
    """Does a claimed job once."""

    def __init__(self, store: JobStore, lane: Lane, claim: Claim, lease_s: float) -> None:
        self._store = store
        self._lane = lane
        self._claim = claim
        self._lease_s = lease_s
        self._pace = Pace(lease_s / BEATS_PER_LEASE, time.monotonic())
        self._news = asyncio.Event()
        self._latest = self._told = b""
        self._previews: asyncio.Queue[bytes] = asyncio.Queue()
        self._checkpoint = b""
        self._kept = b""
        self._checkpointed = asyncio.Event()

    async def run(self, cancelled: asyncio.Event) -> job_outcome_pb2.JobOutcome:
        """Return what was made.

        Raises StudioError if the work failed, Stopped if it must not go on.
        """
        work = asyncio.create_task(self._stream())
        guards = [
            asyncio.create_task(guard)
            for guard in (
                self._beat(),
                self._tell_previews(),
                self._keep_checkpoints(),
                _until(cancelled),
            )
        ]
        try:
            await asyncio.wait([work, *guards], return_when=asyncio.FIRST_COMPLETED)
            for guard in guards:
                if guard.done() and not work.done():
                    await guard  # a guard only ends by raising
            outcome = await work
        finally:
            for task in (work, *guards):
                task.cancel()
            await asyncio.gather(work, *guards, return_exceptions=True)
            if self._checkpoint != self._kept:
                # What a worker left just before it failed; of no use if it succeeded.
                with contextlib.suppress(StoreUnavailable):
                    await self._store.keep_checkpoint(self._claim, self._checkpoint)
        if self._latest != self._told:  # held back, or cut off with the last beat
            with contextlib.suppress(StoreUnavailable):
                await self._store.beat(self._claim, self._lease_s, self._latest)
        return outcome

    async def _stream(self) -> job_outcome_pb2.JobOutcome:
        spec = job_pb2.JobSpec.FromString(self._claim.spec)
        try:
            async with contextlib.aclosing(self._lane.work(self._claim, spec)) as events:
                async for event in events:
                    if event.outcome is not None:
                        return event.outcome
                    if event.progress is not None:
                        self._pace.hold(event.progress)
                        self._latest = event.progress.SerializeToString()
                        self._news.set()
                    if event.preview is not None:
                        self._previews.put_nowait(preview_to_bytes(event.preview))
                    if event.checkpoint is not None:
                        self._checkpoint = event.checkpoint.SerializeToString()
                        self._checkpointed.set()
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        raise Internal("The worker service ended without a result.")

    async def _beat(self) -> None:
        while True:
            # News wakes it early; the pace says how early that may be.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.wait_s(time.monotonic())):
                    await self._news.wait()
            await asyncio.sleep(self._pace.wait_s(time.monotonic()))
            self._news.clear()
            progress = self._pace.take(time.monotonic())
            with contextlib.suppress(StoreUnavailable):  # the next beat may get through
                hold = await self._store.beat(self._claim, self._lease_s, progress)
                if hold is not Hold.OK:
                    raise Stopped(hold)
                self._told = progress or self._told

    async def _tell_previews(self) -> None:
        """Tell each at once, in order. While the store is away they wait; those that are
        still waiting when the work is done are of no use any more."""
        offset = 0
        while True:
            preview = await self._previews.get()
            hold = await until_told(partial(self._store.add_preview, self._claim, offset, preview))
            if hold is not Hold.OK:
                raise Stopped(hold)
            offset += len(preview)

    async def _keep_checkpoints(self) -> None:
        """Keep the newest; one that waited while the store was away may be skipped."""
        while True:
            await self._checkpointed.wait()
            self._checkpointed.clear()
            newest = self._checkpoint
            hold = await until_told(partial(self._store.keep_checkpoint, self._claim, newest))
            if hold is not Hold.OK:
                raise Stopped(hold)
            self._kept = newest


async def until_told(tell: Callable[[], Awaitable[T]]) -> T:
    """Repeat `tell` until the store took it."""
    while True:
        try:
            return await tell()
        except StoreUnavailable:
            await asyncio.sleep(RETRY_S)


async def _until(cancelled: asyncio.Event) -> None:
    await cancelled.wait()
    raise Stopped(Hold.CANCEL)
