from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from musicgen.local.display import Display
from musicgen.local.guardian import marked
from musicgen.local.layout import Layout
from musicgen.local.parts import Part, studio_parts
from musicgen.local.probes import ask_valkey
from musicgen.local.processes import identify
from musicgen.local.supervisor import PARTS_FILE, PartFailed, Supervisor
from tests.contract.local.programs import (
    CRASHES,
    HAS_A_CHILD,
    IGNORES_SIGTERM,
    QUICK,
    SLEEPS,
    part,
    said,
)

pytestmark = pytest.mark.contract


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """The folders of a studio."""
    made = Layout.make(tmp_path / "data root", {})
    yield made
    shutil.rmtree(made.sockets)


@pytest.fixture
def lines() -> list[str]:
    """What was shown."""
    return []


@asynccontextmanager
async def running(parts: list[Part], layout: Layout, lines: list[str]) -> AsyncIterator[Supervisor]:
    """A supervisor of these parts, started."""
    supervisor = Supervisor(parts, layout, Display(lines.append, colour=False), dict(os.environ))
    try:
        await supervisor.start()
        yield supervisor
    finally:
        await supervisor.stop()
        assert not marked(f"{layout.studio_id}-")


async def until(condition: Callable[[], object], within_s: float = 8.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


def pids(layout: Layout, name: str) -> set[int]:
    """Return the processes of a part, its children too."""
    return marked(f"{layout.studio_id}-{os.getpid()}/{name}")


async def test_starts_and_ends_everything(layout: Layout, lines: list[str]) -> None:
    """All parts run between start and stop, and none after it."""
    async with running([part("a", SLEEPS), part("b", SLEEPS)], layout, lines):
        assert len(pids(layout, "")) == 2
    assert [line.split()[1] for line in lines] == ["a", "b"]
    assert not list(layout.data_root.glob("parts.json"))


async def test_what_dies_comes_back(layout: Layout, lines: list[str]) -> None:
    """A killed part runs again within a second, and what it left behind is gone."""
    parent = part("parent", HAS_A_CHILD, said(layout.log("parent")))
    async with running([parent], layout, lines):
        before = pids(layout, "parent")
        assert len(before) == 2
        leader = next(pid for pid in before if os.getsid(pid) == pid and is_parent(pid, before))
        os.kill(leader, signal.SIGKILL)
        await until(lambda: len(pids(layout, "parent") - before) == 2, within_s=2)
        assert not pids(layout, "parent") & before
        await until(lambda: "works again" in lines[-1])
    assert any("killed by signal 9" in line for line in lines)


def is_parent(pid: int, others: set[int]) -> bool:
    """Return whether one of `others` is a child of `pid`."""
    stats = (Path(f"/proc/{other}/stat").read_text().rpartition(")")[2] for other in others)
    return any(int(stat.split()[1]) == pid for stat in stats)


async def test_a_crash_loop_is_given_up(layout: Layout, lines: list[str]) -> None:
    """A part that keeps dying is given up with the end of its log; the rest goes on."""
    flag = layout.data_root / "crash"
    code = (
        "import os, sys, time; print('no such tune')\n"
        f"while not os.path.exists({str(flag)!r}): time.sleep(0.02)\n"
        "sys.exit(3)"
    )
    async with running([part("good", SLEEPS), part("bad", code)], layout, lines):
        flag.touch()
        await until(lambda: any("given up after 4 crashes" in line for line in lines))
        assert any("no such tune" in line for line in lines)
        assert len(pids(layout, "good")) == 1
        assert not pids(layout, "bad")


async def test_what_was_given_up_is_tried_again(layout: Layout, lines: list[str]) -> None:
    """A part that worked comes back by itself once what it lacked is there again."""
    flag = layout.data_root / "crash"
    code = (
        "import os, sys, time\n"
        f"while not os.path.exists({str(flag)!r}): time.sleep(0.02)\n"
        "sys.exit(3)"
    )
    eager = dataclasses.replace(QUICK, retry_s=0.2)
    async with running([part("bad", code, restart=eager)], layout, lines):
        flag.touch()
        await until(lambda: any("given up after 4 crashes" in line for line in lines))
        await asyncio.sleep(0.6)  # a few more attempts, without a word
        assert sum("given up" in line for line in lines) == 1
        flag.unlink()
        await until(lambda: pids(layout, "bad"))
        before = pids(layout, "bad")
        await asyncio.sleep(0.3)
        assert pids(layout, "bad") == before


async def test_parts_are_kept_running_on_a_full_disk(layout: Layout, lines: list[str]) -> None:
    """A part that dies is started again though nothing can be recorded of it."""
    async with running([part("a", SLEEPS)], layout, lines):
        before = pids(layout, "a")
        record = layout.data_root / PARTS_FILE
        record.unlink()
        record.mkdir()  # stands in for a full disk: the file can't be written
        os.kill(next(iter(before)), signal.SIGKILL)
        await until(lambda: "works again" in lines[-1])
        assert pids(layout, "a").isdisjoint(before)
        record.rmdir()


async def test_a_part_that_never_works_stops_the_start(layout: Layout, lines: list[str]) -> None:
    """The start fails with the reason and the end of the log."""
    with pytest.raises(ExceptionGroup) as caught:
        async with running([part("bad", CRASHES, settle_s=0.5)], layout, lines):
            pass
    failure = caught.value.exceptions[0]
    assert isinstance(failure, PartFailed)
    assert "exit code 3" in failure.message
    assert "no such tune" in failure.log
    assert str(layout.log("bad")) in failure.remedy


async def test_a_silent_part_times_out(layout: Layout, lines: list[str]) -> None:
    """A part that runs but does not work is told so after its time."""
    silent = part("dumb", SLEEPS, said(layout.log("dumb")), start_timeout_s=0.3)
    with pytest.raises(ExceptionGroup) as caught:
        async with running([silent], layout, lines):
            pass
    assert "does not work after 0 s: silent" in str(caught.value.exceptions[0])


async def test_a_missing_program_is_named(layout: Layout, lines: list[str]) -> None:
    """A program that is not there is an error that names it."""
    with pytest.raises(ExceptionGroup) as caught:
        async with running([part("none", "", argv=("/no/such/program",))], layout, lines):
            pass
    assert "/no/such/program" in str(caught.value.exceptions[0])


async def test_the_deaf_are_killed(layout: Layout, lines: list[str]) -> None:
    """A part that ignores SIGTERM is killed after its grace, and its children with it."""
    deaf = part("deaf", IGNORES_SIGTERM, said(layout.log("deaf")), stop_grace_s=0.3)
    parent = part("parent", HAS_A_CHILD, said(layout.log("parent")))
    started = asyncio.get_running_loop().time()
    async with running([deaf, parent], layout, lines):
        pass
    assert asyncio.get_running_loop().time() - started < 5


async def test_leftovers_are_ended(layout: Layout, lines: list[str]) -> None:
    """What an earlier launcher left running is ended before anything starts."""
    old = subprocess.Popen(  # noqa: ASYNC220  # it must not be asyncio's child
        ["sleep", "600"],
        env={**os.environ, "MUSICGEN_STUDIO": f"{layout.studio_id}-1/old"},
        start_new_session=True,
    )
    await until(lambda: marked(f"{layout.studio_id}-1/"))
    async with running([part("a", SLEEPS)], layout, lines):
        assert old.wait(5) == -signal.SIGTERM
    assert "left behind" in lines[0]


async def test_valkey_is_durable_private_and_adopted(layout: Layout, lines: list[str]) -> None:
    """Valkey runs with a file synced at each write, on a private socket only; one that
    outlived its launcher is adopted, kept running, and ended with the studio."""
    valkey = next(p for p in studio_parts(layout, 1, {}) if p.name == "valkey")
    socket = layout.socket("valkey")
    async with running([valkey], layout, lines):
        facts = await ask_valkey(socket, "INFO persistence")
        assert "aof_enabled:1" in facts
        assert "tcp_port:0" in await ask_valkey(socket, "INFO server")
        assert socket.stat().st_mode & 0o777 == 0o700
        assert (await ask_valkey(socket, "SET kept 1")).startswith("+OK")
    outlived = subprocess.Popen(  # noqa: ASYNC220  # it must not be asyncio's child
        valkey.argv,
        env={**os.environ, "MUSICGEN_STUDIO": f"{layout.studio_id}-1/valkey"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    await until(socket.exists)
    lines.clear()
    async with running([valkey], layout, lines):
        assert f"adopted process {outlived.pid}" in lines[0]
        assert outlived.poll() is None
        assert await ask_valkey(socket, "GET kept") == "1"
        outlived.kill()
        outlived.wait()
        await until(lambda: "works again" in lines[-1])
        assert await ask_valkey(socket, "GET kept") == "1"
        new = pids(layout, "valkey").pop()
    assert identify(new) is None
