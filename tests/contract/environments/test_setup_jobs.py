"""An engine is set up by a job: from the call, through a runner, to a host that works there."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from musicgen.api.inference.v1 import environment_pb2, inference_service_pb2
from musicgen.api.jobs.v1 import job_pb2, job_service_pb2
from musicgen.api.library.v1 import library_service_pb2_grpc
from musicgen.errors import DownloadFailed
from musicgen.rpc.status import from_error_proto
from musicgen.testing.fake_engine import MANIFEST
from services.inference import service as inference_service
from services.inference.environments.environments import Environments
from services.inference.environments.families import FAMILIES
from services.jobs.publisher import Publisher
from services.jobs.runner.cancels import Cancels
from services.jobs.runner.model_lanes import SetupEngineLane
from services.jobs.runner.worker import Slot
from services.jobs.watch import WatchLimits
from tests.contract.environments.conftest import Place
from tests.contract.environments.wheels import family
from tests.contract.inference.conftest import Running
from tests.contract.inference.conftest import running as inference_running
from tests.contract.jobs.conftest import Jobs
from tests.contract.jobs.conftest import running as jobs_running
from tests.valkey import Valkey

pytestmark = pytest.mark.contract

FAMILY, ENGINE = "morning", "morning-engine"
Environment, Action = environment_pb2.Environment, environment_pb2.SetupEngineSpec


@dataclasses.dataclass
class Studio:
    """A jobs service, a runner for set-ups, and an inference service."""

    jobs: Jobs
    inference: Running

    async def setup(
        self,
        engine: str,
        action: environment_pb2.SetupEngineSpec.Action.ValueType = Action.ACTION_UNSPECIFIED,
    ) -> tuple[job_pb2.Job, list[str]]:
        """Have an engine set up; return the job when it or its first attempt has
        ended, and the stages that were seen."""
        spec = job_pb2.JobSpec(setup_engine=Action(engine=engine, action=action))
        request = job_service_pb2.CreateJobRequest(spec=spec)
        created = (await self.jobs.stub.CreateJob(request)).job
        stages: list[str] = []
        asked = job_service_pb2.GetJobRequest(job_id=created.job_id)
        async with asyncio.timeout(120):
            while True:
                job = (await self.jobs.stub.GetJob(asked)).job
                if job.HasField("end_time") or job.HasField("error"):
                    return job, stages
                if job.progress.stage and job.progress.stage not in stages[-1:]:
                    stages.append(job.progress.stage)
                await asyncio.sleep(0.02)

    async def engine(self) -> inference_service_pb2.Engine:
        """Return how the engine stands."""
        request = inference_service_pb2.ListEnginesRequest()
        engines = (await self.inference.stub.ListEngines(request)).engines
        return next(engine for engine in engines if engine.manifest.name == ENGINE)


@pytest.fixture
async def studio(
    place: Place, valkey: Valkey, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Studio]:
    """The studio, with an engine whose environment is small wheels."""
    families = {
        **FAMILIES,
        FAMILY: family(place.folder, FAMILY, "dawn==1.0", "dusk==1.0", imports=("dawn",)),
    }

    def environments(root: Path, **how: Any) -> Environments:
        return Environments(root, families, **how)

    monkeypatch.setattr(inference_service, "Environments", environments)
    manifest = dataclasses.asdict(dataclasses.replace(MANIFEST, name=ENGINE))
    entry = {"environment": FAMILY, "engine": "dawn:Engine", "manifest": manifest}
    (short_tmp / "e.json").write_text(json.dumps({"engines": [entry]}))
    address, limits = f"unix:{short_tmp}/i.sock", WatchLimits(watch_s=600, bookmark_s=0.2)
    async with contextlib.AsyncExitStack() as stack:
        inference = await stack.enter_async_context(
            inference_running(short_tmp, engines_file=short_tmp / "e.json")
        )
        jobs = await stack.enter_async_context(
            jobs_running(valkey, short_tmp, limits, inference=address)
        )
        cancels, lane = Cancels(jobs.store), SetupEngineLane(inference.channel)
        library = library_service_pb2_grpc.LibraryServiceStub(inference.channel)  # not called
        slot = Slot(jobs.store, lane, cancels, owner="w", lease_s=15.0)
        work = [slot.run(), cancels.run(), Publisher(jobs.store, library).run()]
        tasks = [asyncio.create_task(one) for one in work]
        yield Studio(jobs, inference)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_engine_is_set_up(studio: Studio) -> None:
    """By the name of its family, too. The job tells what is going on and ends with the
    environment; the engine can be started then, by that environment's Python. A second set-up
    has nothing to do, and a removal takes all away."""
    assert (await studio.engine()).state == inference_service_pb2.Engine.STATE_UNAVAILABLE
    job, stages = await studio.setup(FAMILY)
    assert job.state == job_pb2.Job.STATE_SUCCEEDED, job.error
    assert job.spec.setup_engine == Action(engine=ENGINE, action=Action.ACTION_MAKE)
    made = job.result.environment
    assert (made.engine, made.state) == (ENGINE, Environment.STATE_READY)
    assert made.size_bytes > 1_000_000
    assert {"packages", "installing"} & set(stages)
    assert (await studio.engine()).environment.state == Environment.STATE_READY
    command = studio.inference.service.engines[ENGINE].entry.command
    assert f"engines/{FAMILY}" in " ".join(command)

    again, _ = await studio.setup(ENGINE)
    assert again.result.environment == made
    repaired, _ = await studio.setup(ENGINE, Action.ACTION_REPAIR)
    assert repaired.result.environment.state == Environment.STATE_READY
    gone, _ = await studio.setup(ENGINE, Action.ACTION_REMOVE)
    assert gone.result.environment.state == Environment.STATE_ABSENT
    assert (await studio.engine()).state == inference_service_pb2.Engine.STATE_UNAVAILABLE


async def test_a_wheel_that_no_index_has(studio: Studio, place: Place) -> None:
    """The job says what went wrong while it waits to be tried again, and nothing of the
    environment stays."""
    for wheel in place.wheels.glob("dusk-*.whl"):
        wheel.unlink()
    job, _ = await studio.setup(ENGINE)
    assert job.state == job_pb2.Job.STATE_QUEUED
    assert isinstance(from_error_proto(job.error), DownloadFailed)
    assert (await studio.engine()).environment.state == Environment.STATE_ABSENT
    with pytest.raises(grpc.aio.AioRpcError):
        await studio.setup("nosuch")
