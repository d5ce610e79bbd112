"""Runs a command that can't outlive the process which wants it.

    python -I leash.py COMMAND ARGUMENT...

with its standard input a pipe that its parent holds open. When that closes, since the parent
has died, everything in this process's group is killed. It is started as the leader of a
group of its own, and imports nothing of the studio.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def _watch() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Run the command; return its exit code."""
    try:
        child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603  # our caller's
    except OSError as error:
        print(error, file=sys.stderr)
        return 127
    threading.Thread(target=_watch, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
