from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from musicgen.api.inference.v1 import inference_service_pb2 as pb
from musicgen.api.inference.v1 import inference_service_pb2_grpc as rpc
from musicgen.errors import EngineCrashed
from musicgen.rpc.channel import connect
from musicgen.rpc.status import from_rpc_error
from musicgen.settings import SettingsError
from tests.contract.inference.conftest import Running, engines_file, request, running

pytestmark = pytest.mark.contract


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended but was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    """Processes that a process started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in found.split()]


async def gone(pid: int, limit_s: float = 3.0) -> bool:
    """Wait until a process has ended."""
    until_s = time.monotonic() + limit_s
    while alive(pid) and time.monotonic() < until_s:
        await asyncio.sleep(0.02)
    return not alive(pid)


@pytest.fixture
def program(short_tmp: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m services.inference` as a process of its own, with the fake prewarmed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "services.inference"],
        env={
            **os.environ,
            "MUSICGEN_ADDRESS": f"unix:{short_tmp}/i.sock",
            "MUSICGEN_DATA_ROOT": str(short_tmp / "data"),
            "MUSICGEN_RUNTIME_DIR": str(short_tmp),
            "MUSICGEN_ENGINES_FILE": str(engines_file(short_tmp / "engines.json")),
            "MUSICGEN_PREWARM": "fake",
        },
    )
    yield process
    process.kill()
    process.wait()


async def ready(stub: rpc.InferenceServiceAsyncStub) -> None:
    """Wait until the fake engine is warm."""
    while True:
        listed = await stub.ListEngines(pb.ListEnginesRequest(), wait_for_ready=True)
        if any(engine.state == pb.Engine.STATE_READY for engine in listed.engines):
            return
        await asyncio.sleep(0.02)


async def test_no_orphan_after_kill_9(program: subprocess.Popen[bytes], short_tmp: Path) -> None:
    """When the service is killed in the middle of a generation, its host ends too; the
    next service removes the scratch that was left."""
    async with connect(f"unix:{short_tmp}/i.sock") as channel:
        stub: Any = rpc.InferenceServiceStub(channel)
        await ready(stub)
        [host] = children(program.pid)
        call = stub.Generate(request(options={"hang_at": 3, "step_s": 0.1}))
        while (await call.read()).progress.step < 2:
            pass
        program.kill()
        assert await gone(host)
        program.wait()
    [stale] = (short_tmp / "data" / "scratch").iterdir()
    async with running(short_tmp) as service:
        assert not stale.exists()
        assert (await service.generate(request(fence=2)))[-1].HasField("result")


async def test_sigterm_drains_and_ends_hosts(
    program: subprocess.Popen[bytes], short_tmp: Path
) -> None:
    """On SIGTERM the running generation may end, then host and scratch are gone."""
    async with connect(f"unix:{short_tmp}/i.sock") as channel:
        stub: Any = rpc.InferenceServiceStub(channel)
        await ready(stub)
        [host] = children(program.pid)
        call = stub.Generate(request(options={"steps": 10, "step_s": 0.05}))
        await call.read()
        program.send_signal(signal.SIGTERM)
        events = []
        while (event := await call.read()) is not grpc.aio.EOF:
            events.append(event)
        assert events[-1].HasField("result")
        assert await asyncio.to_thread(program.wait, 5) == 0
        assert await gone(host)
    assert list((short_tmp / "data" / "scratch").iterdir()) == []
    assert list(short_tmp.glob("mg-*")) == []


async def test_list_engines(inference: Running) -> None:
    """Every engine is listed with its manifest, without being started."""
    composer, _, tiny, fake = (await inference.stub.ListEngines(pb.ListEnginesRequest())).engines
    assert composer.manifest.name == "composer"
    assert (fake.manifest.name, fake.manifest.sample_rate_hz) == ("fake", 44_100)
    assert "steps" in fake.manifest.options_schema.fields["properties"].struct_value.fields
    assert fake.state == pb.Engine.STATE_STOPPED
    assert (tiny.manifest.name, tiny.state) == ("diffrhythm-tiny", pb.Engine.STATE_UNAVAILABLE)
    assert "musicgen engines setup diffrhythm-tiny" in tiny.detail
    await inference.generate(request())
    *_, fake = (await inference.stub.ListEngines(pb.ListEnginesRequest())).engines
    assert fake.state == pb.Engine.STATE_READY


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"command": ["/nonexistent/python"]}, "can't be started"),
        ({"command": [sys.executable, "-c", "import sys; sys.exit(3)"]}, "code 3"),
        ({"command": [sys.executable, "-c", "import time; time.sleep(60)"]}, "within 0.5 s"),
        ({"version": "2.0.0"}, "2.0.0 is registered"),
    ],
)
async def test_engine_that_cannot_start(
    short_tmp: Path, changes: dict[str, object], words: str
) -> None:
    """An engine whose host doesn't come up fails with the reason, is shown as unavailable,
    and leaves no folder behind."""
    engines = engines_file(short_tmp / "e.json", **changes)
    timeout_s = 0.5 if "within" in words else 10.0
    async with running(
        short_tmp, engines_file=engines, engine_start_timeout_s=timeout_s
    ) as inference:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await inference.generate(request())
        found = from_rpc_error(caught.value)
        assert isinstance(found, EngineCrashed)
        assert words in found.message
        *_, fake = (await inference.stub.ListEngines(pb.ListEnginesRequest())).engines
        assert fake.state == pb.Engine.STATE_UNAVAILABLE
        assert words in fake.detail
        assert list(short_tmp.glob("mg-*")) == []


async def test_engine_whose_environment_nobody_knows(short_tmp: Path) -> None:
    """It is listed as unavailable, and the others are listed as ever."""
    engine = {"environment": "nosuch", "engine": "a:B"}
    engines = engines_file(short_tmp / "e.json")
    listed = json.loads(engines.read_text())["engines"]
    engines.write_text(json.dumps({"engines": [{**engine, "manifest": listed[0]["manifest"]}]}))
    async with running(short_tmp, engines_file=engines) as inference:
        *others, fake = (await inference.stub.ListEngines(pb.ListEnginesRequest())).engines
        assert [other.manifest.name for other in others] == [
            "composer", "diffrhythm", "diffrhythm-tiny",
        ]  # fmt: skip
        assert fake.state == pb.Engine.STATE_UNAVAILABLE
        assert "nosuch" in fake.detail


async def test_health_is_the_data_folder(inference: Running) -> None:
    """NOT_SERVING while the data folder can't be written, SERVING when it can again."""
    health = health_pb2_grpc.HealthStub(inference.channel)
    wanted = health_pb2.HealthCheckResponse

    async def becomes(status: int) -> bool:
        for _ in range(60):
            answer = await health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
            if answer.status == status:
                return True
            await asyncio.sleep(0.05)
        return False

    assert await becomes(wanted.SERVING)
    away = inference.data_root.with_name("away")
    inference.data_root.rename(away)
    assert await becomes(wanted.NOT_SERVING)
    away.rename(inference.data_root)
    assert await becomes(wanted.SERVING)


async def test_disk_full(short_tmp: Path) -> None:
    """On a full disk a generation ends with DISK_FULL and leaves nothing behind."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("needs to mount a small file system")
    data = short_tmp / "data"
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(data)]
    mounting = await asyncio.create_subprocess_exec(*mount)
    if await mounting.wait():
        pytest.skip("can't mount here")
    try:
        async with running(short_tmp) as inference:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await inference.generate(request(duration_s=60.0))
            assert from_rpc_error(caught.value).reason == "DISK_FULL"
            assert inference.scratch_left() == []
            assert (await inference.generate(request("small")))[-1].HasField("result")
    finally:
        unmounting = await asyncio.create_subprocess_exec("umount", data)
        assert await unmounting.wait() == 0


async def test_engine_that_is_cancelled_while_starting(inference: Running) -> None:
    """Stopping the service while a host starts leaves no process."""
    starting = asyncio.create_task(inference.fake.start())
    await asyncio.sleep(0.05)
    await inference.fake.stop()
    with pytest.raises(EngineCrashed):
        await starting
    assert inference.fake.host_pid is None


async def test_settings_are_checked(short_tmp: Path) -> None:
    """A prewarmed engine that doesn't exist is refused at the start."""
    with pytest.raises(SettingsError, match="nosuch"):
        async with running(short_tmp, prewarm="nosuch"):
            pass


def test_program_lists_what_is_missing() -> None:
    """Without settings the program ends and names all that it needs."""
    bare = {k: v for k, v in os.environ.items() if not k.startswith("MUSICGEN_")}
    found = subprocess.run(
        [sys.executable, "-m", "services.inference"],
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert "MUSICGEN_ADDRESS" in found.stderr
    assert "MUSICGEN_DATA_ROOT" in found.stderr
