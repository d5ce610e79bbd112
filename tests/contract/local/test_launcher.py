from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from musicgen.home import read_run_file
from musicgen.local import launcher, ports
from musicgen.local.doctor import Verdict, diagnose
from musicgen.local.guardian import marked
from musicgen.local.launcher import LaunchOptions, up
from musicgen.local.layout import Layout
from musicgen.local.parts import Part
from musicgen.local.probes import http_get
from musicgen.local.processes import identify
from tests.contract.local.programs import CRASHES, SLEEPS, part

pytestmark = pytest.mark.contract

ROOT = Path(__file__).parents[3]


def small(_layout: Layout, _port: int, _environ: Mapping[str, str]) -> list[Part]:
    """A studio of one part."""
    return [part("a", SLEEPS)]


@contextmanager
def launched(data_root: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """The launcher of studio.py as a process of its own, once it works."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.local.studio", str(data_root), *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 15
        # An earlier, killed launcher may have left its own file.
        while (running := read_run_file(data_root)) is None or running.pid != process.pid:
            assert time.monotonic() < until
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def tidy(tmp_path: Path) -> Iterator[None]:
    """Remove the sockets' folder, which lies elsewhere."""
    yield
    if tmp_path.joinpath("logs").exists():
        shutil.rmtree(Layout.make(tmp_path, {}).sockets)


def wait_until_gone(studio_id: str, within_s: float) -> float:
    """Return after how many seconds nothing of the studio is left."""
    started = time.monotonic()
    while left := marked(f"{studio_id}-"):
        assert time.monotonic() - started < within_s, left
        time.sleep(0.02)
    return time.monotonic() - started


def test_kill_9_leaves_no_orphan(tmp_path: Path) -> None:
    """When the launcher is killed, Valkey, the parts and their children end too, and the
    next start works."""
    layout = Layout.make(tmp_path, {})
    for _ in range(2):
        with launched(tmp_path) as process:
            mark = f"{layout.studio_id}-{process.pid}/"
            assert {len(marked(f"{mark}{name}")) for name in ("valkey", "parent")} == {1, 2}
            process.kill()
            process.wait()
            wait_until_gone(layout.studio_id, within_s=5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_everything(tmp_path: Path, number: int) -> None:
    """Being asked to stop is a success, and leaves nothing."""
    with launched(tmp_path) as process:
        process.send_signal(number)
        assert process.wait(10) == 0
    assert not marked(f"{Layout.make(tmp_path, {}).studio_id}-")
    assert read_run_file(tmp_path) is None


def test_second_launcher_finds_the_first(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`up` on a running studio says where it is, or runs the command against it."""
    lines: list[str] = []
    with launched(tmp_path) as process:
        running = read_run_file(tmp_path)
        assert running is not None
        assert running.pid == process.pid
        options = LaunchOptions(data_root=tmp_path, on_event=lines.append)
        assert asyncio.run(up(options)) == 0
        assert running.url in lines[0]
        command = ["sh", "-c", "echo at $MUSICGEN_GATEWAY; exit 5"]
        assert asyncio.run(up(LaunchOptions(data_root=tmp_path, exec_command=command))) == 5
        assert f"at {running.address}" in capfd.readouterr().out
        assert process.poll() is None


async def test_command_runs_and_ends_the_studio(tmp_path: Path) -> None:
    """--exec runs once everything works; its exit code is the launcher's."""
    out = tmp_path / "out"
    command = [
        "sh",
        "-c",
        f"cat {tmp_path}/run.json > {out}; echo $MUSICGEN_GATEWAY >> {out}; exit 7",
    ]
    lines: list[str] = []
    options = LaunchOptions(
        tmp_path, port=0, quiet=True, exec_command=command, on_event=lines.append
    )
    assert await up(options, parts_of=small) == 7
    said, address = out.read_text().rsplit("}", 1)
    assert json.loads(said + "}")["address"] == address.strip()
    assert not lines
    assert read_run_file(tmp_path) is None


@pytest.mark.parametrize(
    ("command", "code"), [(["sh", "-c", "kill -9 $$"], 137), (["no-such-command"], 127)]
)
async def test_command_exit_codes(tmp_path: Path, command: list[str], code: int) -> None:
    """Codes mean what they mean in a shell."""
    options = LaunchOptions(tmp_path, port=0, quiet=True, exec_command=command)
    assert await up(options, parts_of=small) == code


async def test_failed_start_says_why(tmp_path: Path) -> None:
    """The exit code is 1, with the reason, the log's end, and nothing left running."""
    lines: list[str] = []

    def broken(layout: Layout, port: int, environ: Mapping[str, str]) -> list[Part]:
        return [*small(layout, port, environ), part("bad", CRASHES, settle_s=0.5)]

    options = LaunchOptions(tmp_path, port=0, on_event=lines.append)
    assert await up(options, parts_of=broken) == 1
    text = "\n".join(lines)
    assert "✗ bad ends as soon as it is started (exit code 3)." in text
    assert "no such tune" in text
    assert "bad.log" in text


async def test_taken_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that was asked for must be free, and the one who has it is named; the default
    gives way to the next."""
    lines: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = LaunchOptions(tmp_path, port=port, on_event=lines.append, exec_command=["true"])
        assert await up(options, parts_of=small) == 1
        assert f"Port {port} is taken by" in lines[0]
        assert f"(process {os.getpid()})" in lines[0]
        monkeypatch.setattr(ports, "DEFAULT_PORT", port)
        lines.clear()
        assert await up(options, parts_of=small) == 0
        assert f"Port {port} is taken" in lines[0]
        assert f"http://127.0.0.1:{port}\n" not in "\n".join(lines)


async def test_unusable_data_folder(tmp_path: Path) -> None:
    """A data folder that can't be made is told, with what to do."""
    (tmp_path / "file").touch()
    lines: list[str] = []
    options = LaunchOptions(tmp_path / "file" / "data", on_event=lines.append)
    assert await up(options, parts_of=small) == 1
    assert "can't be used" in lines[0]
    assert "MUSICGEN_HOME" in lines[1]


async def test_the_whole_studio(tmp_path: Path) -> None:
    """All real parts start, serve through one port, come back when they are killed, are
    found well by the doctor, and end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c"),
        "import asyncio, sys; from pathlib import Path;"
        "from musicgen.local.launcher import LaunchOptions, up;"
        "sys.exit(asyncio.run(up(LaunchOptions(Path(sys.argv[1]), port=0))))",
        str(tmp_path),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            while not (running := read_run_file(tmp_path)):
                assert process.returncode is None, (await process.stderr.read()).decode()
                await asyncio.sleep(0.05)
        port = int(running.address.rpartition(":")[2])
        studio_id = Layout.make(tmp_path, {}).studio_id
        assert (await serving(port, 10)) == ""
        names = {"valkey", "jobs", "library", "inference", "looper", "runner", "envoy"}
        before = {name: marked(f"{studio_id}-{process.pid}/{name}") for name in names}
        assert all(before.values()), before
        for pids in before.values():
            os.kill(min(pids), signal.SIGKILL)
        await asyncio.sleep(0.5)
        assert (await serving(port, 20)) == ""
        after = {name: marked(f"{studio_id}-{process.pid}/{name}") for name in names}
        assert all(min(before[name]) not in after[name] for name in names)
        studio = (await diagnose(tmp_path))[-1]
        assert studio.verdict is Verdict.OK, studio
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
        assert not marked(f"{studio_id}-")
        assert identify(process.pid) is None
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def serving(port: int, within_s: float) -> str:
    """Return "" once the studio says that all of it serves, else what it said last."""
    until, last = time.monotonic() + within_s, ""
    while time.monotonic() < until:
        try:
            status, body = await http_get(port, "/v1/health", None)
            if status == 200 and b"STATUS_SERVING" in body:
                return ""
            last = body.decode()
        except (OSError, ValueError) as error:
            last = str(error)
        await asyncio.sleep(0.1)
    return last


def test_the_launcher_exports_its_default_port() -> None:
    """The command line reads the default from here."""
    assert launcher.DEFAULT_PORT == 8400
