"""Encoded frames, kept on disk: an hour of them would not do in memory."""

from __future__ import annotations

import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PENDING_BYTES = 1 << 20


class Run(NamedTuple):
    """The frames [first, end) of a store."""

    first: int
    end: int


class FrameStore:
    """Frames of any size in an unnamed temporary file in `folder`. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by __exit__
        self._pending = bytearray()
        self._flushed = 0
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def sizes(self, run: Run) -> npt.NDArray[np.int64]:
        """Return the bytes of each frame of a run, shape [frames]."""
        ends = np.array(self._ends[run.first : run.end + 1], np.int64)
        return ends[1:] - ends[:-1]

    def size_bytes(self, run: Run) -> int:
        """Return the bytes of all frames of a run."""
        return self._ends[run.end] - self._ends[run.first]

    def append(self, frame: bytes | bytearray) -> None:
        """Add a frame."""
        self._pending += frame
        self._ends.append(self._ends[-1] + len(frame))
        if len(self._pending) >= PENDING_BYTES:
            self._flush()

    def extend(self, frames: Iterable[bytes]) -> Run:
        """Add frames and return where they are."""
        first = len(self)
        for frame in frames:
            self.append(frame)
        return Run(first, len(self))

    def read(self, run: Run) -> bytes:
        """Return frames one after the other, in one piece."""
        self._flush()
        size = self.size_bytes(run)
        data = os.pread(self._file.fileno(), size, self._ends[run.first])
        if len(data) != size:
            raise OSError("A temporary file is shorter than what was written to it.")
        return data

    def frames(self, run: Run) -> Iterator[bytes]:
        """Yield frames one by one."""
        for piece in self.pieces(run):
            data, start = memoryview(self.read(piece)), self._ends[piece.first]
            for index in range(piece.first, piece.end):
                yield bytes(data[self._ends[index] - start : self._ends[index + 1] - start])

    def pieces(self, run: Run, piece_bytes: int = PENDING_BYTES) -> Iterator[Run]:
        """Cut a run into runs of about `piece_bytes`, a frame at least each."""
        first = run.first
        while first < run.end:
            # The last frame that ends within the piece.
            end = bisect_right(self._ends, self._ends[first] + piece_bytes, first, run.end + 1) - 1
            end = max(first + 1, end)
            yield Run(first, end)
            first = end

    def _flush(self) -> None:
        if self._pending:
            self._file.seek(self._flushed)
            self._file.write(self._pending)
            self._file.flush()
            self._flushed += len(self._pending)
            self._pending.clear()

    def __enter__(self) -> FrameStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
