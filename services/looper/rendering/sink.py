"""The file being written: hashed on the way, forced to disk bit by bit, told to the user."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from musicgen.artifacts import sha256_of

SYNC_BYTES = 64 << 20
"""Written this much, data is forced to disk: the final sync is short, and a cancel never
waits for gigabytes."""

Wrote = Callable[[int], None]
"""Told how many bytes more are written; what it raises ends the writing."""


class Sink:
    """A new file. Raises OSError (ENOSPC when the disk is full)."""

    def __init__(self, path: Path, wrote: Wrote) -> None:
        self.path = path
        self._file = path.open("w+b", buffering=0)
        self._wrote = wrote
        self._digest = hashlib.sha256()
        self._patched = False
        self._synced = 0
        self.size_bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes, all of them; best in pieces of a megabyte or so."""
        view = memoryview(data).cast("B")
        while len(view):
            view = view[self._file.write(view) :]
        self._digest.update(data)
        self.size_bytes += len(memoryview(data).cast("B"))
        if self.size_bytes - self._synced >= SYNC_BYTES:
            os.fdatasync(self._file.fileno())
            self._synced = self.size_bytes
        self._wrote(len(memoryview(data).cast("B")))

    def patch(self, offset: int, data: bytes) -> None:
        """Overwrite bytes that were written before, such as a length in a header."""
        os.pwrite(self._file.fileno(), data, offset)
        self._patched = True

    def sha256(self, tick: Callable[[int], None] | None = None) -> str:
        """Return the hash of all that was written: read again if something was patched,
        and `tick` is told of each chunk then."""
        return sha256_of(self.path, tick) if self._patched else self._digest.hexdigest()

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
