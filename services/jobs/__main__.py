"""Runs the jobs service: `python -m services.jobs`."""

from __future__ import annotations

import asyncio
import os
import sys

from musicgen.api.jobs.v1 import job_service_pb2_grpc, queue_service_pb2_grpc
from musicgen.api.library.v1 import library_service_pb2_grpc
from musicgen.api.system.v1 import system_service_pb2_grpc
from musicgen.errors import EngineCrashed, StoreUnavailable
from musicgen.rpc import telemetry
from musicgen.rpc.channel import connect
from musicgen.rpc.server import RpcServer
from musicgen.rpc.status import to_error_proto
from musicgen.settings import SettingsError, load
from services.jobs.acceptance import Acceptance
from services.jobs.admission import Admission
from services.jobs.hub import WatchHub
from services.jobs.model_admission import ModelAdmission
from services.jobs.monitor import Monitor
from services.jobs.publisher import Publisher
from services.jobs.queue_servicer import QueueServicer
from services.jobs.reconciler import Reconciler
from services.jobs.servicer import JobServicer
from services.jobs.settings import Settings
from services.jobs.store import JobStore
from services.jobs.system_servicer import SystemServicer
from services.jobs.watch import WatchLimits

SERVICES = [
    "musicgen.api.jobs.v1.JobService",
    "musicgen.api.jobs.v1.QueueService",
    "musicgen.api.system.v1.SystemService",
]


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM."""
    store = JobStore.connect(settings.redis_url)

    async def check() -> str:
        try:
            await store.ping()
        except StoreUnavailable as error:
            return error.message
        return ""

    server = RpcServer(SERVICES, check)
    channels = {
        "inference": connect(settings.inference_address),
        "library": connect(settings.library_address),
        "looper": connect(settings.looper_address),
    }
    library = library_service_pb2_grpc.LibraryServiceStub(channels["library"])
    hub = WatchHub(store, server.draining)
    lost_worker = EngineCrashed("The worker stopped answering in the middle of the job.")
    reconciler = Reconciler(
        store,
        lost_worker=to_error_proto(lost_worker).SerializeToString(),
        history_s=settings.history_s,
        records_s=settings.records_s,
    )
    job_servicer = JobServicer(
        store,
        hub,
        Acceptance(
            store,
            Admission(store, library, ModelAdmission(channels["inference"])),
            queue_limit=settings.queue_limit,
            max_attempts=settings.max_attempts,
        ),
        limits=WatchLimits(settings.watch_s, settings.bookmark_s),
    )
    job_service_pb2_grpc.add_JobServiceServicer_to_server(job_servicer, server.grpc)
    queue_service_pb2_grpc.add_QueueServiceServicer_to_server(QueueServicer(store), server.grpc)
    system_service_pb2_grpc.add_SystemServiceServicer_to_server(
        SystemServicer(store, channels), server.grpc
    )
    async with asyncio.TaskGroup() as tasks:
        parts = (hub, reconciler, Publisher(store, library), Monitor(store, hub))
        work = [tasks.create_task(part.run()) for part in parts]
        await server.run(settings.address)
        for task in work:
            task.cancel()
    for channel in channels.values():
        await channel.close()
    await store.close()


def main() -> int:
    """Read the settings and serve."""
    try:
        settings = load(Settings, os.environ)
        telemetry.start(
            "jobs", log_level=settings.log_level, metrics_address=settings.metrics_address
        )
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
