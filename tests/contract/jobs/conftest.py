"""The jobs service in this process, on a real channel and a real Valkey server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.jobs.v1 import job_service_pb2_grpc, queue_service_pb2_grpc
from musicgen.api.library.v1 import library_service_pb2_grpc
from musicgen.api.system.v1 import system_service_pb2_grpc
from musicgen.rpc.channel import connect
from musicgen.rpc.server import RpcServer
from services.jobs.acceptance import Acceptance
from services.jobs.admission import Admission
from services.jobs.hub import WatchHub
from services.jobs.model_admission import ModelAdmission
from services.jobs.queue_servicer import QueueServicer
from services.jobs.servicer import JobServicer
from services.jobs.store import JobStore
from services.jobs.system_servicer import SystemServicer
from services.jobs.watch import WatchLimits
from tests.valkey import Valkey

ENGINE = engine_pb2.EngineManifest(
    name="tones",
    display_name="Tones",
    version="1",
    sample_rate_hz=44_100,
    channels=2,
    min_duration_seconds=1,
    max_duration_seconds=600,
    default_duration_seconds=30,
)


@dataclass
class Jobs:
    """A running service and the store beneath it."""

    store: JobStore
    hub: WatchHub
    channel: grpc.aio.Channel
    stub: job_service_pb2_grpc.JobServiceAsyncStub
    draining: asyncio.Event


@asynccontextmanager
async def running(
    valkey: Valkey, folder: Path, limits: WatchLimits, library: str = "", inference: str = ""
) -> AsyncIterator[Jobs]:
    """Run the service with one engine announced, and no library and no inference unless their
    addresses are given."""
    store = JobStore.connect(valkey.url)
    await store.announce("test", {ENGINE.name: ENGINE.SerializeToString()}, ttl_s=60)

    async def check() -> str:
        return ""

    server = RpcServer(["musicgen.api.jobs.v1.JobService"], check)
    hub = WatchHub(store, server.draining)
    nowhere = connect(library or f"unix:{folder}/nowhere.sock")
    asked = connect(inference or f"unix:{folder}/nowhere.sock")
    servicer = JobServicer(
        store,
        hub,
        Acceptance(
            store,
            Admission(
                store,
                library_service_pb2_grpc.LibraryServiceStub(nowhere),
                ModelAdmission(asked),
            ),
            queue_limit=1000,
            max_attempts=3,
        ),
        limits=limits,
    )
    queue_service_pb2_grpc.add_QueueServiceServicer_to_server(QueueServicer(store), server.grpc)
    job_service_pb2_grpc.add_JobServiceServicer_to_server(servicer, server.grpc)
    system_service_pb2_grpc.add_SystemServiceServicer_to_server(
        SystemServicer(store, {"library": nowhere}), server.grpc
    )
    address = f"unix:{folder}/jobs.sock"
    reading = asyncio.create_task(hub.run())
    serving = asyncio.create_task(server.run(address))
    channel = connect(address)
    await asyncio.wait_for(channel.channel_ready(), 10)
    while not hub.position:
        await asyncio.sleep(0.01)
    try:
        yield Jobs(
            store, hub, channel, job_service_pb2_grpc.JobServiceStub(channel), server.draining
        )
    finally:
        await channel.close()
        server.draining.set()
        await serving
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await nowhere.close()
        await asked.close()
        await store.close()


@pytest.fixture
async def jobs(valkey: Valkey, short_tmp: Path) -> AsyncIterator[Jobs]:
    """A service whose watches last long and send bookmarks soon."""
    async with running(valkey, short_tmp, WatchLimits(watch_s=600, bookmark_s=0.2)) as jobs:
        yield jobs
