"""Bytes that are made once and read often, in bounded memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

HELD_BYTES = 32 << 20
"""What may be bigger than this is kept in an unnamed file: a cycle can last for hours."""

PIECE_BYTES = 832 * 5040
"""4 MB: large enough that the work for each piece costs nothing. Whole frames of PCM, with
any number of channels up to ten at 16 or 24 bits."""

Bytes = bytes | memoryview
Read = Callable[[int, int], Bytes]
"""Returns the bytes at an offset, as many as asked for."""


class Spool:
    """Bytes that are appended first and then read anywhere, by any thread: in memory, or
    in an unnamed file of `folder` if up to `size_at_most` need it. Raises OSError."""

    def __init__(self, folder: Path, size_at_most: int) -> None:
        self.size_bytes = 0
        self._held = bytearray()
        self._file = None
        if size_at_most > HELD_BYTES:
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - see __exit__

    def append(self, data: Bytes) -> None:
        """Add bytes at the end; only as long as nothing has been read."""
        view = memoryview(data)
        self.size_bytes += len(view)
        if self._file is None:
            self._held += view
            return
        while view:
            view = view[self._file.write(view) :]

    def read(self, offset: int, count: int) -> Bytes:
        """Return `count` bytes from `offset` on; fewer at the end."""
        if self._file is None:
            return memoryview(self._held)[offset : offset + count]
        parts = []
        while count > 0 and (part := os.pread(self._file.fileno(), count, offset)):
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def pieces(self) -> Iterator[Bytes]:
        """Yield all of it in pieces of PIECE_BYTES or less."""
        for offset in range(0, self.size_bytes, PIECE_BYTES):
            yield self.read(offset, min(PIECE_BYTES, self.size_bytes - offset))

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()


class Ring:
    """A cycle of bytes that is read round and round, by any thread."""

    def __init__(self, read: Read, cycle_bytes: int) -> None:
        self._read, self._turn_bytes = read, cycle_bytes
        if cycle_bytes < PIECE_BYTES:
            # Several turns at once, or the pieces would be small.
            held = memoryview(bytes(read(0, cycle_bytes)) * (PIECE_BYTES // cycle_bytes))
            self._turn_bytes = len(held)
            self._read = lambda offset, count: held[offset : offset + count]

    def pieces(self, offset: int, count: int) -> Iterator[Bytes]:
        """Yield `count` bytes in large pieces, beginning `offset` bytes into the cycle."""
        offset %= self._turn_bytes
        while count > 0:
            piece = self._read(offset, min(PIECE_BYTES, count, self._turn_bytes - offset))
            yield piece
            count -= len(piece)
            offset = (offset + len(piece)) % self._turn_bytes
