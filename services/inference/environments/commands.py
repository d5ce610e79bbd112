"""Runs the programs of a set-up: watched, cancelled within a second, never left behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICK_S = 0.2
STALL_S = 900.0
"""A program that says nothing for so long is stopped."""

_LEASH = Path(__file__).with_name("leash.py")
_KEPT_LINES = 60
_LINE_CHARACTERS = 2_000

# What would make a child's Python or pip look at, or write to, another environment.
_NOT_FOR_CHILDREN = (
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended by itself, with its last lines."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """Its last lines as one text."""
        return "\n".join(self.lines)


def child_environment(temporary: Path) -> dict[str, str]:
    """Return the environment of a program that works on an environment being made."""
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN}
    return {
        **kept,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_USER": "0",  # also where a configuration file says otherwise
        # pip unpacks gigabytes there, and a system's /tmp is often small.
        "TMPDIR": str(temporary),
    }


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    tick: Callable[[], None],
    on_line: Callable[[str], None] | None = None,
    held: int | None = None,
    stall_s: float = STALL_S,
) -> Ended:
    """Run a program to its end and return its exit code and its last lines, standard output
    and standard error together.

    `tick` is called every TICK_S; what it raises kills the program, and passes. `held` is a
    file descriptor that the program's leash keeps open: a lock that it holds ends with it.
    Raises TimeoutError if nothing was said for `stall_s`.
    """
    process = subprocess.Popen(  # noqa: S603  # commands of this package
        [sys.executable, "-I", str(_LEASH), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(env),
        pass_fds=() if held is None else (held,),
        start_new_session=True,
    )
    try:
        lines = _read(process, tick, on_line or _ignore, stall_s)
        return Ended(process.wait(), lines)
    finally:
        # Before it is waited for, so that the number is still its own.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _read(
    process: subprocess.Popen[bytes],
    tick: Callable[[], None],
    on_line: Callable[[str], None],
    stall_s: float,
) -> tuple[str, ...]:
    if process.stdout is None:
        raise RuntimeError("the program was started without a pipe for its output")
    output = process.stdout.fileno()
    os.set_blocking(output, False)
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    rest = b""
    heard_s = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        ticked_s = float("-inf")
        while True:
            if selector.select(TICK_S):
                chunk = os.read(output, 65_536)
                if not chunk:
                    break
                heard_s = time.monotonic()
                *complete, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
                for raw in complete:
                    line = raw[:_LINE_CHARACTERS].decode("utf-8", "replace")
                    on_line(line)
                    if line.strip() and not line.startswith("Progress "):
                        kept.append(line)
                rest = rest[-_LINE_CHARACTERS:]
            if time.monotonic() - ticked_s >= TICK_S:
                tick()
                ticked_s = time.monotonic()
            if time.monotonic() - heard_s > stall_s:
                raise TimeoutError(f"nothing was said for {stall_s:g} s")
    if rest.strip():
        kept.append(rest.decode("utf-8", "replace"))
    return tuple(kept)


def _ignore(_line: str) -> None:
    pass
