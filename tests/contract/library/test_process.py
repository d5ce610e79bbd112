from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from musicgen.api.library.v1 import library_service_pb2 as pb
from musicgen.rpc.channel import connect
from tests.contract.library.studio import Studio
from tests.unit.library.sounds import RATE_HZ

pytestmark = pytest.mark.contract


@contextlib.asynccontextmanager
async def process(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Studio]]:
    """The library as a process of its own."""
    environ = {
        **os.environ,
        "MUSICGEN_ADDRESS": f"unix:{folder}/grpc.sock",
        "MUSICGEN_HTTP_ADDRESS": f"unix:{folder}/http.sock",
        "MUSICGEN_DATA_ROOT": str(folder / "data"),
    }
    with (folder / "log").open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.library", env=environ, stderr=log
        )
    channel = connect(f"unix:{folder}/grpc.sock")
    try:
        await asyncio.wait_for(channel.channel_ready(), 20)
        yield child, Studio(folder, channel)
    finally:
        await channel.close()
        if child.returncode is None:
            child.kill()
        await child.wait()


async def test_sigterm_ends_both_sides_well(short_tmp: Path) -> None:
    """SIGTERM ends the process with 0, and a next one takes over the sockets, also those
    that a killed one left."""
    async with process(short_tmp) as (child, studio):
        track = await studio.register(frames=20 * RATE_HZ)
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 10) == 0
    async with process(short_tmp) as (child, studio):
        assert (await studio.http("HEAD", track.audio_path)).code == 200
        assert (await studio.http("GET", "/")).code == 503
        mode = (short_tmp / "http.sock").stat().st_mode
        assert mode & 0o077 == 0, "only its owner may use the socket"


async def test_killed_while_registering(short_tmp: Path) -> None:
    """SIGKILL at several moments of a registration: the next call makes the one track."""
    request = None
    for delay_s in (0.02, 0.1, 0.25, None):
        async with process(short_tmp) as (child, studio):
            if request is not None:
                track = (await studio.stub.RegisterTrack(request)).track
                found = await studio.stub.ListTracks(pb.ListTracksRequest())
                assert [one.track_id for one in found.tracks].count(track.track_id) == 1
                assert not list(studio.store.path("library").glob(".staging/*"))
                folder = studio.store.path(f"library/{track.track_id}")
                names = sorted(path.name for path in folder.iterdir())
                assert names == ["audio.flac", "peaks.json", "track.json"]
            if delay_s is not None:
                request = studio.request(f"job-{delay_s}", frames=60 * RATE_HZ)
                call = asyncio.ensure_future(studio.stub.RegisterTrack(request))
                await asyncio.sleep(delay_s)
                child.kill()
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await call
                await child.wait()


async def test_a_tcp_address_works_too(short_tmp: Path) -> None:
    """In a container both sides listen on host:port."""
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            ports.append(probe.getsockname()[1])
    environ = {
        **os.environ,
        "MUSICGEN_ADDRESS": f"127.0.0.1:{ports[0]}",
        "MUSICGEN_HTTP_ADDRESS": f"127.0.0.1:{ports[1]}",
        "MUSICGEN_DATA_ROOT": str(short_tmp / "data"),
        "MUSICGEN_LOG_LEVEL": "ERROR",
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.library", env=environ
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", ports[1])
                    break
                except OSError:
                    await asyncio.sleep(0.05)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 503")
    finally:
        child.terminate()
        assert await asyncio.wait_for(child.wait(), 10) == 0
