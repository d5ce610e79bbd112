"""The file being written: hashed and forced to disk while the writing goes on."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

SYNC_BYTES = 64 << 20
"""Written this much, data is forced to disk: the final sync is short, and a cancel never
waits for gigabytes."""

_BACKLOG_BYTES = 2 * SYNC_BYTES
"""The writer gets this far ahead of the disk."""

_STEP_BYTES = 1 << 20
_TICK_S = 0.1

Wrote = Callable[[int], None]
"""Told how many bytes more are written, at least every _TICK_S; what it raises ends the
writing."""


class Sink:
    """A new file. Raises OSError (ENOSPC when the disk is full).

    One thread reads what was written back from the page cache and hashes it, one forces it
    to disk; what fails in them is raised by the next call. All methods are for one thread.
    """

    def __init__(self, path: Path, wrote: Wrote) -> None:
        self.path = path
        self.size_bytes = 0
        self._file = path.open("w+b", buffering=0)
        self._wrote = wrote
        self._digest = hashlib.sha256()
        # All of the following belongs to this lock.
        self._changed = threading.Condition()
        self._hashed = 0  # bytes, as the two below
        self._taken = 0  # hashed, or being hashed
        self._synced = 0
        self._provisional = False
        self._unsynced_patch = False
        self._finishing = False
        self._closing = False
        self._error: Exception | None = None
        self._threads: list[threading.Thread] = []

    def write(self, data: bytes | bytearray | memoryview, *, provisional: bool = False) -> None:
        """Append bytes, all of them; best in pieces of a megabyte or more.

        `provisional` says that `patch` will change them: hashing waits for that.
        """
        if provisional:
            with self._changed:
                self._provisional = True
        view = memoryview(data).cast("B")
        while len(view):
            count = self._file.write(view[:_STEP_BYTES])
            view = view[count:]
            self.size_bytes += count
            self._wake()
            self._wrote(count)
            while self._is_ahead():
                self._wrote(0)

    def poll(self) -> None:
        """Give whoever waits for the file an occasion to stop the work between writes."""
        self._wrote(0)

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes that were written before; fewer where the file ends."""
        parts = []
        while count > 0 and (part := os.pread(self._file.fileno(), count, offset)):
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def patch(self, offset: int, data: bytes) -> None:
        """Overwrite bytes that were written before, such as a length in a header. If they
        were not written as provisional, all must be hashed again."""
        view = memoryview(data)
        while view:
            count = os.pwrite(self._file.fileno(), view, offset)
            view, offset = view[count:], offset + count
        with self._changed:
            self._provisional = False
            self._unsynced_patch = True
            if offset - len(data) < self._taken:
                self._taken = self._hashed = 0
            self._changed.notify_all()

    def sha256(self, tick: Callable[[int], None] | None = None) -> str:
        """Force all to disk and return its hash as lower-case hexadecimal. `tick` is told
        meanwhile how many bytes more were hashed; what it raises ends the waiting."""
        self._start()
        told = 0
        with self._changed:
            self._provisional = False
            self._finishing = True
            self._changed.notify_all()
        while True:
            with self._changed:
                self._raise()
                hashed = self._hashed
                done = hashed == self.size_bytes and self._is_synced()
                if not done:
                    self._changed.wait(_TICK_S)
            if tick:
                tick(max(0, hashed - told))
                told = max(told, hashed)
            if done:
                return self._digest.hexdigest()

    def _start(self) -> None:
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._run, args=(step,), daemon=True)
                for step in (self._hash_step, self._sync_step)
            ]
            for thread in self._threads:
                thread.start()

    def _wake(self) -> None:
        self._start()
        with self._changed:
            self._raise()
            self._changed.notify_all()

    def _is_ahead(self) -> bool:
        """Wait a moment if the disk is far behind, and say whether it still is."""
        with self._changed:
            if self.size_bytes - self._synced > _BACKLOG_BYTES:
                self._changed.wait(_TICK_S)
            self._raise()
            return self.size_bytes - self._synced > _BACKLOG_BYTES

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _is_synced(self) -> bool:
        return self._synced == self.size_bytes and not self._unsynced_patch

    def _run(self, step: Callable[[], bool]) -> None:
        try:
            while step():
                pass
        except Exception as error:
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()

    def _hash_step(self) -> bool:
        """Hash a piece; False when the file is being closed."""
        with self._changed:
            while not self._closing and (self._provisional or self._taken == self.size_bytes):
                self._changed.wait()
            if self._closing:
                return False
            start = self._taken
            if start == 0:
                self._digest = hashlib.sha256()
            self._taken = min(start + _STEP_BYTES, self.size_bytes)
            end = self._taken
        data = self.read(start, end - start)
        if len(data) < end - start:
            raise OSError(errno.EIO, "What was written can't be read back")
        self._digest.update(data)
        with self._changed:
            # Unless a patch has sent it back to the start meanwhile.
            if self._taken == end:
                self._hashed = end
            self._changed.notify_all()
        return True

    def _sync_step(self) -> bool:
        """Force to disk what is there; False when the file is being closed."""
        with self._changed:
            while not self._closing and not self._is_sync_due():
                self._changed.wait()
            if self._closing:
                return False
            target = self.size_bytes
            self._unsynced_patch = False
        os.fdatasync(self._file.fileno())
        with self._changed:
            self._synced = target
            self._changed.notify_all()
        return True

    def _is_sync_due(self) -> bool:
        if self._finishing and not self._is_synced():
            return True
        return self.size_bytes - self._synced >= SYNC_BYTES

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._file.close()
