"""Where tags lie in MP4 files: in `moov`, which is put before the sound, so that a player
can begin before it has all of the file.

The sound stays as it is; what moves is where the tables say that it lies.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from musicgen.audio.mp4_boxes import (
    LARGEST_MOVIE_BYTES,
    LARGEST_UINT32,
    Box,
    box,
    children,
    top_boxes,
    whole,
)
from musicgen.errors import InvalidAudio
from services.library import tags
from services.library.layouts import Layout
from services.library.track import Track

_HOLDERS = frozenset({b"trak", b"mdia", b"minf", b"stbl"})
_SPARE = frozenset({b"free", b"skip"})

Offsets = npt.NDArray[np.int64]


def layout(file: BinaryIO, size_bytes: int, track: Track) -> Layout:
    """Return the file with the tags of `track`. Raises InvalidAudio."""
    outermost = list(top_boxes(file, size_bytes))
    kinds = [found.kind for found in outermost]
    if kinds[:1] != [b"ftyp"] or kinds.count(b"moov") != 1:
        raise InvalidAudio("The MP4 file does not begin as one, or has no movie.")
    if b"moof" in kinds:
        # In fragments, which find their sound by other ways: tags stay in the sidecar.
        return Layout(b"", ((0, size_bytes),))
    movie_box = outermost[kinds.index(b"moov")]
    if movie_box.end - movie_box.start > LARGEST_MOVIE_BYTES:
        raise InvalidAudio("The MP4 file's tables are too large.")
    file.seek(movie_box.start)
    movie = file.read(movie_box.end - movie_box.start)
    kept = [found for found in outermost[1:] if found.kind not in _SPARE | {b"moov"}]
    file.seek(0)
    file_type = file.read(outermost[0].end)

    parts = list(children(movie, whole(movie)))
    old = b"".join(movie[part.start : part.end] for part in parts if part.kind == b"udta")
    new = tags.mp4_user_data(old, track)
    # Decided by a size that the new file can't pass, as the tables' own size depends on it.
    large = size_bytes + len(movie) + len(new) > LARGEST_UINT32

    def tables(moved: _Moved | None) -> bytes:
        rest = [_rebuilt(movie, part, moved, large) for part in parts if part.kind != b"udta"]
        return box(b"moov", *rest, new)

    start = len(file_type) + len(tables(None))
    moved = _Moved(kept, start)
    body = tuple((found.start, found.end) for found in kept)
    return Layout(file_type + tables(moved), body)


class _Moved:
    """Where bytes of the old file lie in the new one."""

    def __init__(self, kept: list[Box], start: int) -> None:
        self._starts = np.array([found.start for found in kept], np.int64)
        lengths = [found.end - found.start for found in kept]
        self._shifts = start + np.cumsum([0, *lengths[:-1]]) - self._starts

    def __call__(self, offsets: Offsets) -> Offsets:
        index = np.searchsorted(self._starts, offsets, "right") - 1
        if len(offsets) and (index.min(initial=0) < 0 or not len(self._starts)):
            raise InvalidAudio("The MP4 file's tables point to where no sound is.")
        moved: Offsets = offsets + self._shifts[index]
        return moved


def _rebuilt(movie: bytes, part: Box, moved: _Moved | None, large: bool) -> bytes:
    """Return a box of the movie with its chunks where they are now; with `moved` None, only
    its length is right."""
    if part.kind in _HOLDERS:
        return box(part.kind, *(_rebuilt(movie, child, moved, large) for child in _in(movie, part)))
    if part.kind in (b"stco", b"co64"):
        count = (part.end - part.body - 8) // (4 if part.kind == b"stco" else 8)
        old = np.frombuffer(movie, ">u4" if part.kind == b"stco" else ">u8", count, part.body + 8)
        offsets = old.astype(np.int64)
        wide = large or part.kind == b"co64"
        new = (moved(offsets) if moved else offsets).astype(">u8" if wide else ">u4")
        head = struct.pack(">II", 0, count)
        return box(b"co64" if wide else b"stco", head, new.tobytes())
    return movie[part.start : part.end]


def _in(movie: bytes, part: Box) -> Iterator[Box]:
    return children(movie, part)
