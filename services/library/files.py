"""Small things with files: containment, atomic JSON, disk space."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from musicgen.artifacts import publish
from musicgen.errors import Cancelled, DiskFull

_RESERVE_BYTES = 16 << 20
"""Left free on the disk, so that sidecars and the index can still be written."""


class Stop:
    """Asks work in a thread to end: the thread calls `check` between its blocks."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask for the end."""
        self._event.set()

    def check(self, _done: int = 0) -> None:
        """Raise Cancelled if the end was asked for."""
        if self._event.is_set():
            raise Cancelled("The work was stopped.")


def is_contained(path: Path, folder: Path) -> bool:
    """Say whether `path` is a file that really lies in `folder`, links followed.

    The folder itself may be reached over a link: a person may keep it on another disk.
    """
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())


def write_json(target: Path, content: object) -> None:
    """Write a JSON file for people to read, atomically and durably."""
    write_text(target, json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def write_text(target: Path, text: str) -> None:
    """Write a text file atomically and durably."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        publish(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def signature_of(path: Path) -> str:
    """Return what changes whenever the file is replaced or edited."""
    status = path.stat()
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def require_space(folder: Path, size_bytes: int) -> None:
    """Raise DiskFull unless `size_bytes` more fit on the disk of `folder`."""
    free_bytes = shutil.disk_usage(folder).free
    if size_bytes + _RESERVE_BYTES > free_bytes:
        raise DiskFull(
            f"{size_bytes / 1e6:,.0f} MB are needed and {free_bytes / 1e6:,.0f} MB are free.",
            metadata={"needed_bytes": str(size_bytes), "free_bytes": str(free_bytes)},
        )


@contextlib.contextmanager
def full_disk_is_disk_full() -> Iterator[None]:
    """Raise DiskFull instead of the OSError that says so."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull("No space is left on the disk.") from error
        raise
