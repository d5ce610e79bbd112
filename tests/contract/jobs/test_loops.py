"""A search for loops, from the call to the result, through a real store and real channels."""

# ruff: noqa: ARG002, N802  # the contract's names and signatures
from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.jobs.v1 import job_pb2, job_service_pb2
from musicgen.api.library.v1 import library_service_pb2_grpc
from musicgen.api.looper.v1 import loop_pb2, looper_service_pb2, looper_service_pb2_grpc
from musicgen.api.progress.v1 import progress_pb2
from musicgen.errors import NoLoopFound, StudioError
from musicgen.rpc.channel import connect
from musicgen.rpc.status import from_rpc_error
from services.jobs.publisher import Publisher
from services.jobs.runner.cancels import Cancels
from services.jobs.runner.lanes import FindLoopsLane, Lane, LoopLane
from services.jobs.runner.worker import Slot
from services.jobs.watch import WatchLimits
from tests.contract.jobs.conftest import Jobs, running
from tests.contract.jobs.fake_library import RATE_HZ, fake_library, serving
from tests.valkey import Valkey

pytestmark = pytest.mark.contract

LOOPER = "musicgen.api.looper.v1.LooperService"
KEY = "artifacts/{job}/{fence}/{name}"


class Looper(looper_service_pb2_grpc.LooperServiceServicer):
    """Finds one cycle in everything, or nothing; renders without end."""

    def __init__(self) -> None:
        self.asked: list[looper_service_pb2.FindLoopsRequest] = []
        self.error: StudioError | None = None

    async def FindLoops(
        self, request: looper_service_pb2.FindLoopsRequest, context: Any
    ) -> AsyncIterator[looper_service_pb2.FindLoopsResponse]:
        """See the contract."""
        self.asked.append(request)
        answer = looper_service_pb2.FindLoopsResponse
        yield answer(progress=progress_pb2.Progress(stage="analysing", fraction=0.5))
        if self.error:
            raise self.error
        found = loop_pb2.LoopCandidate(score=0.9, bars=4)
        found.points.end_frame = 8 * RATE_HZ
        found.seam.key = KEY.format(job=request.job_id, fence=request.fence, name="seam-1.flac")
        files = []
        for name in ("loops.json", "loops.cue"):
            file = looper_service_pb2.PointsFile(file_name=f"Rain {name}")
            file.artifact.key = KEY.format(job=request.job_id, fence=request.fence, name=name)
            files.append(file)
        analysis = loop_pb2.LoopAnalysis(candidates=[found], sample_rate_hz=RATE_HZ)
        yield answer(result=looper_service_pb2.LoopsFound(analysis=analysis, files=files))

    async def RenderLoop(
        self, request: looper_service_pb2.RenderLoopRequest, context: Any
    ) -> AsyncIterator[looper_service_pb2.RenderLoopResponse]:
        """See the contract."""
        yield looper_service_pb2.RenderLoopResponse(progress=progress_pb2.Progress(stage="hours"))
        await asyncio.Event().wait()


@asynccontextmanager
async def studio(valkey: Valkey, folder: Path) -> AsyncIterator[tuple[Jobs, Looper]]:
    """Run jobs, publisher and a runner with both lanes of the looper, one slot each."""
    looper = Looper()
    at_library, at_looper = f"unix:{folder}/library.sock", f"unix:{folder}/looper.sock"
    async with contextlib.AsyncExitStack() as stack:
        add = looper_service_pb2_grpc.add_LooperServiceServicer_to_server
        await stack.enter_async_context(fake_library().serving(at_library))
        await stack.enter_async_context(serving(LOOPER, at_looper, add, looper))
        limits = WatchLimits(watch_s=600, bookmark_s=0.2)
        jobs = await stack.enter_async_context(running(valkey, folder, limits, at_library))
        channels = connect(at_looper), connect(at_library)
        cancels = Cancels(jobs.store)
        lanes: list[Lane] = [LoopLane(*channels), FindLoopsLane(*channels)]
        publisher = Publisher(jobs.store, library_service_pb2_grpc.LibraryServiceStub(channels[1]))
        work = [asyncio.create_task(cancels.run()), asyncio.create_task(publisher.run())]
        work += [
            asyncio.create_task(Slot(jobs.store, lane, cancels, owner=lane.name, lease_s=15).run())
            for lane in lanes
        ]
        try:
            async with asyncio.timeout(20):
                yield jobs, looper
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            for channel in channels:
                await channel.close()


def find(track_id: str = "t", **wanted: Any) -> job_pb2.JobSpec:
    """Return the spec of a search."""
    spec = loop_pb2.FindLoopsSpec(source=audio_pb2.AudioRef(track_id=track_id), **wanted)
    return job_pb2.JobSpec(find_loops=spec)


async def create(jobs: Jobs, spec: job_pb2.JobSpec) -> job_pb2.Job:
    """Return an accepted job."""
    answer = await jobs.stub.CreateJob(job_service_pb2.CreateJobRequest(spec=spec))
    return answer.job


async def until(jobs: Jobs, job_id: str, *states: job_pb2.Job.State.ValueType) -> job_pb2.Job:
    """Return the job once it is in one of these states."""
    while True:
        got = await jobs.stub.GetJob(job_service_pb2.GetJobRequest(job_id=job_id))
        if got.job.state in states:
            return got.job
        await asyncio.sleep(0.02)


async def test_a_search_ends_with_cycles_and_files(valkey: Valkey, short_tmp: Path) -> None:
    """The result has the analysis as the looper gave it, seams included, and the points files
    as downloads under names for people; no track."""
    async with studio(valkey, short_tmp) as (jobs, looper):
        accepted = await create(jobs, find(max_seconds=30))
        assert (accepted.spec.find_loops.max_candidates, accepted.spec.find_loops.min_seconds) == (
            5,
            2.0,
        )
        job = await until(jobs, accepted.job_id, job_pb2.Job.STATE_SUCCEEDED)
        (asked,) = looper.asked
        assert asked.source.artifact.key == "library/t/audio.flac"
        assert (asked.job_id, asked.fence) == (job.job_id, 1)
        assert asked.spec == accepted.spec.find_loops
        (found,) = job.result.analysis.candidates
        assert (found.bars, found.points.end_frame) == (4, 8 * RATE_HZ)
        assert found.seam.key == f"artifacts/{job.job_id}/1/seam-1.flac"
        assert job.result.analysis.sample_rate_hz == RATE_HZ
        assert [file.path for file in job.result.downloads] == [
            f"/v1/artifacts/{job.job_id}/1/loops.json?name=Rain+loops.json",
            f"/v1/artifacts/{job.job_id}/1/loops.cue?name=Rain+loops.cue",
        ]
        assert not job.result.track_ids


async def test_a_search_does_not_wait_for_a_render(valkey: Valkey, short_tmp: Path) -> None:
    """While hours are being rendered, loops are found: each kind has a queue of its own."""
    async with studio(valkey, short_tmp) as (jobs, _):
        spec = loop_pb2.LoopSpec(source=audio_pb2.AudioRef(track_id="t"), length_seconds=36_000)
        render = await create(jobs, job_pb2.JobSpec(loop=spec))
        assert render.spec.loop.ending == loop_pb2.LoopSpec.ENDING_CUT
        await until(jobs, render.job_id, job_pb2.Job.STATE_RUNNING)
        search = await create(jobs, find())
        await until(jobs, search.job_id, job_pb2.Job.STATE_SUCCEEDED)
        await jobs.stub.CancelJob(job_service_pb2.CancelJobRequest(job_id=render.job_id))
        await until(jobs, render.job_id, job_pb2.Job.STATE_CANCELLED)


async def test_no_loop_is_told_with_the_nearest_miss(valkey: Valkey, short_tmp: Path) -> None:
    """A search in vain fails once, for good, and keeps what the looper said of it."""
    async with studio(valkey, short_tmp) as (jobs, looper):
        looper.error = NoLoopFound("Nothing.", metadata={"best": "0.61", "best_end_frame": "9"})
        accepted = await create(jobs, find())
        job = await until(jobs, accepted.job_id, job_pb2.Job.STATE_FAILED)
        assert len(looper.asked) == job.attempt == 1
        assert job.error.metadata["best_end_frame"] == "9"


async def test_a_source_is_checked_before_the_job_is_accepted(
    valkey: Valkey, short_tmp: Path
) -> None:
    """A source that is missing or not named, and points outside of it, make no job."""
    source = audio_pb2.AudioRef(track_id="t")
    beyond = audio_pb2.LoopPoints(start_frame=0, end_frame=61 * RATE_HZ)
    loop = loop_pb2.LoopSpec(source=source, cycles=2, points=beyond)
    async with studio(valkey, short_tmp) as (jobs, _):
        for spec, reason, field in (
            (find("gone"), "TRACK_NOT_FOUND", ""),
            (job_pb2.JobSpec(find_loops=loop_pb2.FindLoopsSpec()), "INVALID_FIELD", "source"),
            (find(min_seconds=9, max_seconds=3), "INVALID_FIELD", "max_seconds"),
            (job_pb2.JobSpec(loop=loop), "INVALID_FIELD", "points"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await create(jobs, spec)
            error = from_rpc_error(caught.value)
            assert error.reason == reason
            assert [name.split(".")[-1] for name in error.fields] == ([field] if field else [])
        listed = await jobs.stub.ListJobs(job_service_pb2.ListJobsRequest())
        assert not listed.jobs
