from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from musicgen.rpc.channel import connect

pytestmark = pytest.mark.contract


async def start(**variables: str) -> asyncio.subprocess.Process:
    """Start `python -m services.looper` with these settings only."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MUSICGEN_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.looper",
        env=environ | variables,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_it_serves_until_it_is_told_to_stop(short_tmp: Path) -> None:
    """The process is healthy on its socket, makes its data root, and ends well on SIGTERM."""
    address = f"unix:{short_tmp}/looper.sock"
    process = await start(MUSICGEN_ADDRESS=address, MUSICGEN_DATA_ROOT=str(short_tmp / "data"))
    async with connect(address) as channel:
        await asyncio.wait_for(channel.channel_ready(), 20)
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert (short_tmp / "data").is_dir()
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0


async def test_missing_settings_are_listed() -> None:
    """Without settings the process ends with 2 and says which it needs."""
    process = await start()
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert b"MUSICGEN_ADDRESS" in errors
    assert b"MUSICGEN_DATA_ROOT" in errors
