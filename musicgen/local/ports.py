"""The one TCP port of a studio, and who has it if it is taken."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from pathlib import Path

from musicgen.local.errors import CannotStart

DEFAULT_PORT = 8400
_TRIED = 100
_LISTENING = "0A"


def choose_port(asked: int) -> tuple[int, str]:
    """Return the port to listen on, and a remark if it is not the usual one.

    The default gives way to the next free port, 0 means any, and any other number is
    taken as meant. Raises CannotStart if that one is taken.
    """
    if asked == 0:
        return _any_free(), ""
    if is_free(asked):
        return asked, ""
    owner = owner_of(asked)
    if asked != DEFAULT_PORT:
        raise CannotStart(
            f"Port {asked} is taken{f' by {owner}' if owner else ''}.",
            remedy="End that program, or choose another port; 0 takes any free one.",
        )
    port = (
        next((port for port in range(asked + 1, asked + _TRIED) if is_free(port)), None)
        or _any_free()
    )
    return port, f"Port {asked} is taken{f' by {owner}' if owner else ''}; using {port}."


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` of the loopback interface now."""
    with socket.socket() as probe:
        # As servers do: connections of an earlier server that still close are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def owner_of(port: int) -> str:
    """Return who listens on `port`, such as "python (process 4711)", or ""."""
    if Path("/proc/net/tcp").exists():
        return _owner_by_proc(port)
    lsof = shutil.which("lsof")
    if lsof is None:
        return ""
    asked = subprocess.run(  # noqa: S603  # a fixed program and a number
        [lsof, "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = {line[0]: line[1:] for line in asked.stdout.splitlines() if line}
    return f"{found['c']} (process {found['p']})" if {"c", "p"} <= found.keys() else ""


def _owner_by_proc(port: int) -> str:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        if inodes & _open_files(process):
            with contextlib.suppress(OSError):  # it has just ended
                name = (process / "comm").read_text(encoding="utf-8").strip()
                return f"{name} (process {process.name})"
    return ""


def _open_files(process: Path) -> set[str]:
    """Return what a process has open, such as "socket:[4711]"; nothing if it is not ours."""
    names: set[str] = set()
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                names.add(str(link.readlink()))
    return names


def _any_free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
