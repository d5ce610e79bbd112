"""Scratch folders: one for each generation, gone after it, whatever happens."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from musicgen.errors import DiskFull

_PREFIX = "inference-"
_LOCK = "lock"


class Scratch:
    """The scratch area of one service process, a folder under `data_root/scratch`.

    A lock that ends with the process tells the areas of running services from stale
    ones, which are removed when the next service starts. All methods block.
    """

    def __init__(self, data_root: Path) -> None:
        """Remove stale areas and make one. Raises OSError."""
        parent = data_root.resolve() / "scratch"
        parent.mkdir(parents=True, exist_ok=True)
        for old in parent.glob(f"{_PREFIX}*"):
            if _abandoned(old):
                shutil.rmtree(old, ignore_errors=True)
        self._root = parent / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        self._root.mkdir(mode=0o700)
        self._lock = os.open(self._root / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def make(self) -> Path:
        """Return a new, empty folder. Raises DiskFull."""
        folder = self._root / secrets.token_hex(8)
        with no_space_is_disk_full():
            folder.mkdir(mode=0o700)
        return folder

    @staticmethod
    def remove(folder: Path) -> None:
        """Remove a folder that `make` returned, with all that is in it."""
        shutil.rmtree(folder, ignore_errors=True)

    def probe(self) -> str:
        """Return why nothing can be written, or "" if something can."""
        path = self._root / "probe"
        try:
            path.write_bytes(b"written and removed to see that it can be")
            path.unlink()
        except OSError as error:
            return f"The data folder can't be written: {error.strerror}"
        return ""

    def close(self) -> None:
        """Remove the whole area."""
        shutil.rmtree(self._root, ignore_errors=True)
        os.close(self._lock)


@contextlib.contextmanager
def no_space_is_disk_full() -> Iterator[None]:
    """Raise DiskFull for an OSError that says so."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("No space is left for the track.") from error
        raise


def _abandoned(area: Path) -> bool:
    try:
        lock = os.open(area / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
