"""Processes: who they are, and how they are started."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from musicgen.local import guardian

_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, for ever: its id, and when it started, for ids are used again."""

    pid: int
    started: str


def identify(pid: int) -> Identity | None:
    """Return who runs under `pid` now, or None if nobody does."""
    try:
        # Its second field, the name, may itself hold spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _identify_by_ps(pid)
    except ProcessLookupError:
        return None
    state, started = fields[0], fields[19]
    return None if state in "ZX" else Identity(pid, started)


def _identify_by_ps(pid: int) -> Identity | None:
    asked = subprocess.run(  # noqa: S603  # a fixed program and a number
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    started = asked.stdout.strip()
    return Identity(pid, started) if started else None


class Child:
    """A process that this one started, leading a session of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(
        cls, argv: Sequence[str], env: Mapping[str, str], log: Path, cwd: Path
    ) -> Child:
        """Start a program whose output goes to the end of `log`. Raises OSError."""
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=env,
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C is for the launcher; it ends the parts in their order.
                start_new_session=True,
            )
        return cls(process)

    async def wait(self) -> str:
        """Wait for its end. Returns how it ended, for people."""
        code = await self._process.wait()
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


class Adopted:
    """A process that an earlier launcher started."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.pid = identity.pid

    async def wait(self) -> str:
        """Wait for its end."""
        while identify(self.pid) == self._identity:  # noqa: ASYNC110  # not our child
            await asyncio.sleep(_POLL_S)
        return "ended"


class Guardian:
    """The launcher's end of the guardian; see guardian.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    def start(cls, mark: str) -> Guardian:
        """Start it for all processes with a mark that starts with `mark`."""
        return cls(
            subprocess.Popen(  # noqa: S603  # this interpreter, a file of ours
                [sys.executable, "-I", "-S", guardian.__file__, mark],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                text=True,
            )
        )

    def watch(self, group: int) -> None:
        """Let it end this process group if the launcher dies."""
        self._say(f"+{group}")

    def forget(self, group: int) -> None:
        """The group has ended."""
        self._say(f"-{group}")

    def dismiss(self) -> None:
        """Everything has ended; it may go."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        if self._process.stdin is not None and self._process.poll() is None:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
