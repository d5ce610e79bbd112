"""A piece on its way from a real engine host to those who watch its job."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import soundfile

from musicgen.api.inference.v1 import inference_service_pb2
from musicgen.api.jobs.v1 import job_outcome_pb2, job_pb2, job_service_pb2
from musicgen.testing.fake_engine import MANIFEST
from services.jobs.runner.cancels import Cancels
from services.jobs.runner.lanes import GenerateLane
from services.jobs.runner.worker import Slot
from tests.contract.inference.conftest import Running, request, running
from tests.contract.jobs.conftest import Jobs

pytestmark = pytest.mark.contract

RUNNING = job_pb2.Job.STATE_RUNNING
PARENT = "abcdefgh234567ab"


@asynccontextmanager
async def working(
    jobs: Jobs, folder: Path, spec: inference_service_pb2.GenerateSpec
) -> AsyncIterator[Running]:
    """Run a job called "job" with a real runner's slot and a real inference service."""
    await jobs.store.create(
        id="job",
        queue=f"generate.{MANIFEST.name}",
        spec=job_pb2.JobSpec(generate=spec).SerializeToString(),
        max_attempts=1,
        queue_limit=10,
    )
    async with running(folder) as inference, asyncio.timeout(20):
        cancels, lane = Cancels(jobs.store), GenerateLane(inference.channel, inference.channel)
        slot = Slot(jobs.store, lane, cancels, owner="w", lease_s=15.0)
        tasks = [asyncio.create_task(slot.run()), asyncio.create_task(cancels.run())]
        yield inference
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def changes(jobs: Jobs) -> AsyncGenerator[job_pb2.Job, None]:
    """Watch; yield every job that changed otherwise than in its progress."""
    async for frame in jobs.stub.WatchJobs(job_service_pb2.WatchJobsRequest()):
        for event in frame.events.events:
            if event.HasField("changed"):
                yield event.changed


async def test_a_piece_is_heard_while_it_is_being_made(jobs: Jobs, short_tmp: Path) -> None:
    """Previews of an engine reach the watchers of its job before the engine goes on, and the
    files that they name can be played; when the job has ended, they are no longer named."""
    spec = request(options={"steps": 4, "previews": 4, "hang_at": 3}).spec
    seen: list[job_pb2.Job] = []
    async with working(jobs, short_tmp, spec) as inference:
        async with contextlib.aclosing(changes(jobs)) as changed:
            async for job in changed:
                seen.append(job)
                if job.state == RUNNING and len(job.previews) == 2:
                    await jobs.store.cancel("job")
                if job.state == job_pb2.Job.STATE_CANCELLED:
                    break
        assert [len(job.previews) for job in seen if job.state == RUNNING] == [0, 1, 2]
        assert not seen[-1].previews
        previews = next(job.previews for job in seen if len(job.previews) == 2)
        for number, preview in enumerate(previews):
            samples, _ = soundfile.read(inference.data_root / preview.artifact.key)
            assert len(samples) == preview.artifact.audio.duration_frames == 11_025
            assert preview.start_frame == 11_025 * number


async def test_a_variation_names_its_parent(jobs: Jobs, short_tmp: Path) -> None:
    """What a job makes a variation of is part of what it commits for the library."""
    spec = request().spec
    spec.parent_track_id = PARENT
    async with working(jobs, short_tmp, spec):
        while not (outcome := (await jobs.store.get("job")).outcome):
            await asyncio.sleep(0.02)
    [track] = job_outcome_pb2.JobOutcome.FromString(outcome).tracks
    assert track.parent_track_id == PARENT
