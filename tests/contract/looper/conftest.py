"""The looper in this process, on a real channel, with music to loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from musicgen.api.looper.v1 import looper_service_pb2_grpc
from musicgen.rpc.channel import connect
from musicgen.rpc.server import RpcServer
from services.looper.servicer import SERVICE, LooperServicer
from tests.contract.looper.calls import PERIOD, Looper, source_file
from tests.unit.looper import signals


@pytest.fixture(scope="session")
def music() -> signals.Signal:
    """Three and a half cycles."""
    return signals.music(PERIOD, 3.5)[0]


@pytest.fixture
async def looper(short_tmp: Path, music: signals.Signal) -> AsyncIterator[Looper]:
    """A looper on a Unix socket, with one source in its store."""
    store = source_file(short_tmp / "data", music)
    address = f"unix:{short_tmp}/looper.sock"
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        servicer = LooperServicer(store, executor)
        server = RpcServer([SERVICE], servicer.check)
        looper_service_pb2_grpc.add_LooperServiceServicer_to_server(servicer, server.grpc)
        running = asyncio.create_task(server.run(address))
        async with connect(address) as channel:
            await channel.channel_ready()
            stub = looper_service_pb2_grpc.LooperServiceStub(channel)
            yield Looper(stub, store, servicer, channel)
        server.draining.set()
        await running
