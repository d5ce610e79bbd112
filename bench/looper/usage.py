"""Runs a program and tells what it used; `run` calls this file as a program of its own.

The kernel counts a child's peak memory from its parent's at the fork, so the parent has to be
small: this file imports nothing of the bench.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """What a program used."""

    status: int
    """Its exit status; negative: killed by that signal."""
    wall_s: float
    cpu_s: float
    peak_mib: float
    timed_out: bool = False


def run(command: list[str], timeout_s: float, cwd: Path | None = None) -> tuple[str, str, Usage]:
    """Return what a program printed, what it complained, and what it used."""
    with tempfile.TemporaryDirectory() as name:
        out, complaints, told = (Path(name, file) for file in ("out", "complaints", "told"))
        launcher = [sys.executable, "-I", "-S", __file__, str(told), str(timeout_s), *command]
        with out.open("wb") as stdout, complaints.open("wb") as stderr:
            subprocess.run(launcher, stdout=stdout, stderr=stderr, cwd=cwd, check=True)  # noqa: S603 - the bench's own words
        usage = Usage(**json.loads(told.read_bytes()))
        return (
            out.read_text(encoding="utf-8", errors="replace"),
            complaints.read_text(encoding="utf-8", errors="replace"),
            usage,
        )


def _launch(told: str, timeout_s: float, command: list[str]) -> None:
    started_s = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ)
    timed_out = False
    pause_s = 0.001
    while True:
        pid, status, used = os.wait4(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() - started_s > timeout_s:
            timed_out = True
            os.kill(child, 9)
            _, status, used = os.wait4(child, 0)
            break
        time.sleep(pause_s)
        pause_s = min(0.02, pause_s * 1.5)
    Path(told).write_text(
        json.dumps(
            {
                "status": os.waitstatus_to_exitcode(status),
                "wall_s": time.monotonic() - started_s,
                "cpu_s": used.ru_utime + used.ru_stime,
                "peak_mib": used.ru_maxrss / 1024,
                "timed_out": timed_out,
            }
        ),
        encoding="utf-8",
    )


if __name__ == "__main__":
    _launch(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
