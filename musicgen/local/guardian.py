"""Ends a studio's processes when the launcher died without doing so (kill -9, a crash).

The launcher starts it as a program and holds the other end of its standard input, on
which it names the process groups of the parts: "+4711" and "-4711", a line each. When
that input ends, whatever is still named is ended. Standard library only, so that it
starts in milliseconds and outlives anything that is wrong with the rest.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

MARK = "MUSICGEN_STUDIO"
"""Variable that every part and its children carry: "<data root>-<run>/<part>"."""

GRACE_S = 5.0
_STEP_S = 0.05


def marked(prefix: str) -> set[int]:
    """Return the ids of this user's processes whose mark starts with `prefix`, except
    this one. Finds grandchildren in sessions of their own too. Linux only; elsewhere
    nothing is found."""
    wanted = f"{MARK}={prefix}".encode()
    found: set[int] = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended, or belongs to somebody else
            continue
        if any(variable.startswith(wanted) for variable in variables):
            found.add(int(entry.name))
    return found - {os.getpid()}


def signal_groups(groups: Iterable[int], number: int) -> set[int]:
    """Signal process groups (0 only looks). Returns those that exist."""
    there: set[int] = set()
    for group in groups:
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            continue
        except PermissionError:  # macOS says so of groups that hold only the dead
            continue
        there.add(group)
    return there


def signal_processes(pids: Iterable[int], number: int) -> None:
    """Signal processes; those that have ended are passed over."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def end(groups: Iterable[int], mark: str, grace_s: float = GRACE_S) -> None:
    """End process groups, and all processes with a mark that starts with `mark`: ask,
    wait up to `grace_s` seconds, then kill. Returns when they are gone."""
    left = set(groups)
    for number, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 2.0)):
        until = time.monotonic() + patience_s
        signal_processes(marked(mark), number)
        left = signal_groups(left, number)
        while left or marked(mark):
            if time.monotonic() > until:
                break
            time.sleep(_STEP_S)
            left = signal_groups(left, 0)
        else:
            return


def main(mark: str) -> None:
    """Wait for the launcher's end, then end what it left."""
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    end(groups, mark)


if __name__ == "__main__":
    # The launcher's terminal may send these to everything; its end is told by the input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    main(sys.argv[1])
