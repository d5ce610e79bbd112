"""How fast jobs are accepted: one client after another, and many at once."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass

from bench.jobs.studio import Studio
from bench.jobs.usage import Spent
from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import inference_service_pb2
from musicgen.api.jobs.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from musicgen.rpc.channel import connect
from services.jobs.store import JobStore

ENGINE = engine_pb2.EngineManifest(
    name="null",
    display_name="Null",
    version="1",
    sample_rate_hz=44_100,
    channels=2,
    min_duration_seconds=1,
    max_duration_seconds=600,
    default_duration_seconds=30,
)
QUEUE = f"generate.{ENGINE.name}"
ANNOUNCED_S = 3600.0


@dataclass(frozen=True, slots=True)
class Creating:
    """What accepting jobs took: one at a time, and `at_once` clients together."""

    took_us: list[int]
    at_once: int
    a_second: float
    cpu_us: float
    """Of the jobs process, for each of the jobs accepted at once."""


def spec() -> job_pb2.JobSpec:
    """Return what is asked for."""
    parameters = engine_pb2.GenerationParameters(prompt="warm lofi piano with soft rain")
    return job_pb2.JobSpec(
        generate=inference_service_pb2.GenerateSpec(engine=ENGINE.name, parameters=parameters)
    )


async def announce(url: str) -> None:
    """Say that a worker has the engine, so that jobs for it are accepted."""
    store = JobStore.connect(url)
    await store.announce("bench", {ENGINE.name: ENGINE.SerializeToString()}, ANNOUNCED_S)
    await store.close()


async def create(stub: job_service_pb2_grpc.JobServiceAsyncStub) -> str:
    """Have one job accepted, as clients do it: with a request id. Return its id."""
    request = job_service_pb2.CreateJobRequest(spec=spec(), request_id=str(uuid.uuid4()))
    return (await stub.CreateJob(request)).job.job_id


async def create_some(address: str, count: int) -> list[str]:
    """Have `count` jobs accepted; return their ids."""
    async with connect(address) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        return [await create(stub) for _ in range(count)]


async def measure(studio: Studio, alone: int, together: int, at_once: int) -> Creating:
    """Have `alone` jobs accepted one by one, then `together` by `at_once` clients. The engine
    was announced."""
    async with connect(studio.jobs_address) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        await create(stub)
        took_us = []
        for _ in range(alone):
            begin_ns = time.monotonic_ns()
            await create(stub)
            took_us.append((time.monotonic_ns() - begin_ns) // 1000)

        async def client() -> None:
            for _ in range(together // at_once):
                await create(stub)

        before, begin_s = Spent.until_now(studio.pids), time.monotonic()
        await asyncio.gather(*(client() for _ in range(at_once)))
        wall_s = time.monotonic() - begin_s
        spent = Spent.until_now(studio.pids) - before
    made = together // at_once * at_once
    return Creating(took_us, at_once, made / wall_s, spent.jobs_s * 1e6 / made)
