"""The looper as a gRPC service."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import sys

from musicgen.api.looper.v1 import looper_service_pb2_grpc
from musicgen.artifacts import ArtifactStore
from musicgen.rpc import telemetry
from musicgen.rpc.server import RpcServer
from musicgen.settings import SettingsError, load
from services.looper.servicer import SERVICE, LooperServicer
from services.looper.settings import Settings


async def serve(settings: Settings) -> None:
    """Serve until the process is asked to stop."""
    store = ArtifactStore(settings.data_root)
    store.root.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(settings.looper_slots, "loop") as executor:
        servicer = LooperServicer(store, executor)
        server = RpcServer([SERVICE], servicer.check)
        looper_service_pb2_grpc.add_LooperServiceServicer_to_server(servicer, server.grpc)
        await server.run(settings.address)


def main() -> int:
    """Read the settings and serve. Returns the process's exit code."""
    try:
        settings = load(Settings, os.environ)
        telemetry.start(
            "looper", log_level=settings.log_level, metrics_address=settings.metrics_address
        )
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    asyncio.run(serve(settings))
    return 0
