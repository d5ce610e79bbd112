"""A whole studio in a folder of its own: the launcher and everything that it starts."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 90.0
STOP_S = 30.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process as /proc shows it."""

    pid: int
    parent: int
    command: str


def processes() -> list[Process]:
    """Return every process that runs now (zombies don't)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found.append(Process(int(folder.name), int(parent), command))
    return found


def descendants(pid: int) -> list[Process]:
    """Return the children of a process, theirs and so on."""
    running = processes()
    family = {pid}
    while True:
        more = {process.pid for process in running if process.parent in family} - family
        if not more:
            break
        family |= more
    return [process for process in running if process.pid in family - {pid}]


class Studio:
    """A running studio. Its data are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on a free port and wait until it serves."""
        with (self.folder / "launcher.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "musicgen.cli"),
                    *("up", "--port", "0", "--data", str(self.folder)),
                ],
                stdout=log,
                stderr=log,
                env=os.environ | {"NO_COLOR": "1"},
            )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError, ValueError, KeyError):
                if self.health()["status"] == "STATUS_SERVING":
                    return
            time.sleep(0.05)
        raise TimeoutError((self.folder / "launcher.log").read_text())

    @property
    def run_file(self) -> dict[str, Any]:
        """What the launcher tells other programs: url, address, pid."""
        return json.loads((self.folder / "run.json").read_text())  # type: ignore[no-any-return]  # JSON

    @property
    def url(self) -> str:
        """The page's address."""
        return str(self.run_file["url"]).rstrip("/")

    @property
    def address(self) -> str:
        """The gateway's host:port."""
        return str(self.run_file["address"])

    @property
    def pid(self) -> int:
        """The launcher's process id."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def health(self) -> dict[str, Any]:
        """Return what GET /v1/health says."""
        return self.get("/v1/health")

    def get(self, path: str) -> dict[str, Any]:
        """Return what GET says, decoded."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310 - our own address
            return json.load(answer)  # type: ignore[no-any-return]  # JSON

    def part(self, words: str) -> Process:
        """Return the process whose command line holds `words`."""
        return next(found for found in descendants(self.pid) if words in found.command)

    def kill(self, words: str) -> None:
        """End a part of the studio as a crash would."""
        os.kill(self.part(words).pid, signal.SIGKILL)

    def cli(
        self, *args: str, timeout_s: float = 240.0, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a `musicgen` command against this studio."""
        return subprocess.run(
            [sys.executable, "-m", "musicgen.cli", *args],
            env=os.environ | {"MUSICGEN_GATEWAY": self.address, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            **options,
        )

    def interrupt(self) -> int:
        """Press Ctrl-C; return the launcher's exit code."""
        if self._process is None:
            raise RuntimeError("not started")
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(STOP_S)

    def stop(self) -> None:
        """End it, however it is."""
        if self._process and self._process.poll() is None:
            family = descendants(self.pid)
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
            self._process.kill()
            for process in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            self._process.wait()


def thrice(it: Studio) -> dict[str, Any]:
    """Make a track that plays a loop three times. Returns what the command line says of it."""
    one = it.cli(
        "generate", "house, 120 bpm, A minor", "--duration", "16", "--seed", "3",
        "--option", "loop=true", "--json",
    )  # fmt: skip
    if one.returncode == 0:
        track_id = json.loads(one.stdout)["track"]["track_id"]
        one = it.cli("loop", track_id, "--cycles", "3", "--json")
    if one.returncode:
        raise RuntimeError(one.stderr)
    return json.loads(one.stdout)  # type: ignore[no-any-return]  # JSON


@contextlib.contextmanager
def studio(folder: Path) -> Iterator[Studio]:
    """Run a studio while the body runs."""
    it = Studio(folder)
    try:
        it.start()
        yield it
    finally:
        it.stop()
