"""Whoever reads our output: whether it is still there."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import select
import stat
import sys


def silence_stdout() -> None:
    """Let what is still to be printed go nowhere: nobody reads it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def reader_left() -> None:
    """Return when the other end of the pipe that stdout is was closed, be there something to
    print or not. Never returns if stdout is a file or a terminal."""
    left = asyncio.Event()
    fd = _pipe()
    if fd is None:
        await left.wait()
        return
    loop, poll = asyncio.get_running_loop(), select.poll()
    poll.register(fd, 0)  # errors and hang-ups are always told

    def look() -> None:
        if poll.poll(0):
            left.set()
        loop.remove_reader(fd)

    with contextlib.suppress(OSError):  # what can't be watched is noticed when it is written to
        loop.add_reader(fd, look)
    try:
        await left.wait()
    finally:
        with contextlib.suppress(OSError):
            loop.remove_reader(fd)


def _pipe() -> int | None:
    try:
        fd = sys.stdout.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return None
    mode = os.fstat(fd).st_mode
    return fd if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None
