"""`python -m services.looper` as a process: settings, stopping, and being killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from musicgen.api.looper.v1 import looper_service_pb2_grpc
from musicgen.artifacts import sha256_of
from musicgen.audio.codecs import probe
from musicgen.rpc.channel import connect
from tests.contract.looper.calls import (
    PATIENCE_S,
    TEN_HOURS_S,
    events,
    points,
    render_request,
    source_file,
    started,
)
from tests.unit.looper import signals

pytestmark = pytest.mark.contract

RATE_HZ = 8_000


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


@asynccontextmanager
async def serving(
    folder: Path, data_root: Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, grpc.aio.Channel]]:
    """A process that serves, and a channel to it; killed at the end if it still runs."""
    address = f"unix:{folder}/looper.sock"
    process = await start(MUSICGEN_ADDRESS=address, MUSICGEN_DATA_ROOT=str(data_root))
    try:
        async with connect(address) as channel:
            await asyncio.wait_for(channel.channel_ready(), PATIENCE_S)
            yield process, channel
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_serves_until_it_is_told_to_stop(short_tmp: Path) -> None:
    """The process is healthy on its socket, makes its data root, and ends well on SIGTERM."""
    async with serving(short_tmp, short_tmp / "data") as (process, channel):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert (short_tmp / "data").is_dir()
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), PATIENCE_S)
    assert process.returncode == 0


async def test_missing_settings_are_listed() -> None:
    """Without settings the process ends with 2 and says which it needs."""
    process = await start()
    _, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2
    assert b"MUSICGEN_ADDRESS" in errors
    assert b"MUSICGEN_DATA_ROOT" in errors


async def test_a_killed_process_publishes_nothing_and_the_next_one_does_it_again(
    short_tmp: Path,
) -> None:
    """SIGKILL in the middle of ten hours leaves no file under its name; under the next fence
    the same bytes come out as if nothing had happened."""
    store = source_file(
        short_tmp / "data", signals.music(40_003, 3.5, rate_hz=RATE_HZ, channels=1)[0],
        rate_hz=RATE_HZ,
    )  # fmt: skip
    hours: dict[str, Any] = {"length_seconds": TEN_HOURS_S, "points": points(9_000, 49_003)}
    async with serving(short_tmp, store.root) as (process, channel):
        stub: Any = looper_service_pb2_grpc.LooperServiceStub(channel)
        call = stub.RenderLoop(render_request(**hours))
        await started(call)
        process.kill()
        await process.wait()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await events(call)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    folder = store.path("artifacts/j1/1")
    (part,) = folder.iterdir()
    assert part.name.endswith(".part")
    assert part.stat().st_size > 0
    hashes = []
    async with serving(short_tmp, store.root) as (_, channel):
        stub = looper_service_pb2_grpc.LooperServiceStub(channel)
        for job_id, fence in (("j1", 2), ("j2", 1)):
            request = render_request(fence=fence, **hours)
            request.job_id = job_id
            _, result = await events(stub.RenderLoop(request))
            artifact = result.track.artifact
            path = store.existing(artifact.key)
            assert artifact.key == f"artifacts/{job_id}/{fence}/loop.flac"
            assert probe(path).duration_frames == TEN_HOURS_S * RATE_HZ
            assert sha256_of(path) == artifact.sha256
            hashes.append(artifact.sha256)
            path.unlink()
    assert hashes[0] == hashes[1]
    assert not (folder / "loop.flac").exists()
