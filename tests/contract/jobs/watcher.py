"""A client that watches jobs in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc

from musicgen.api.jobs.v1 import job_service_pb2
from musicgen.api.progress.v1 import progress_pb2
from musicgen.errors import StudioError
from musicgen.rpc.status import from_rpc_error
from services.jobs.records import Claim
from tests.contract.jobs.conftest import Jobs

Frame = job_service_pb2.WatchJobsResponse


class Watcher:
    """Reads frames in the background."""

    def __init__(self, jobs: Jobs, **request: object) -> None:
        self.frames: list[Frame] = []
        self._call = jobs.stub.WatchJobs(job_service_pb2.WatchJobsRequest(**request))  # type: ignore[arg-type]  # a test's shorthand
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self._call:
            self.frames.append(frame)

    def events(self) -> list[tuple[str, int]]:
        """Return (job, rev) of every event so far."""
        return [(event.job_id, event.rev) for frame in self.frames for event in frame.events.events]

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until `done`."""
        async with asyncio.timeout(10):
            while not done():
                await asyncio.sleep(0.005)

    async def synced(self) -> str:
        """Wait for the end of the snapshot or replay; return its cursor."""
        await self.until(lambda: any(frame.cursor for frame in self.frames))
        return next(frame.cursor for frame in self.frames if frame.cursor)

    async def ended(self) -> StudioError | None:
        """Wait for the stream's end; return its error, None for OK."""
        try:
            async with asyncio.timeout(10):
                await self._task
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error)
        return None

    def close(self) -> None:
        """Cancel the call."""
        self._call.cancel()
        self._task.cancel()


async def claim(jobs: Jobs) -> Claim:
    """Claim the next job."""
    taken = await jobs.store.claim("w", ["generate.tones"], 30)
    assert taken is not None
    return taken


def progress(step: int) -> bytes:
    """Return serialised progress."""
    return progress_pb2.Progress(
        stage="s", step=step, steps=9, fraction=step / 9
    ).SerializeToString()
