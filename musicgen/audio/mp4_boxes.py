"""The boxes that MP4 files are made of: writing them, finding them, what they say of time."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from musicgen.errors import InvalidAudio

LARGEST_UINT32 = (1 << 32) - 1
LARGEST_MOVIE_BYTES = 256 << 20
"""More of `moov` than this isn't read into memory; ten hours of AAC need 7 MB."""

_LARGE = struct.Struct(">I4sQ")
_SMALL = struct.Struct(">I4s")


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box lies: [start, end), its content [body, end)."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Timing:
    """What is to be heard of a track, in units of its own clock, `ticks_per_s`: from
    `delay` on for `length`; both as the file says, 0 and None where it says nothing."""

    ticks_per_s: int
    delay: int
    length: int | None


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box."""
    size = 8 + sum(map(len, parts))
    return b"".join((_SMALL.pack(size, kind), *parts))


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """Return a box that begins with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def top_boxes(file: BinaryIO, size_bytes: int) -> Iterator[Box]:
    """Yield the outermost boxes of a file. Raises InvalidAudio for one that isn't whole."""
    position = 0
    while position + 8 <= size_bytes:
        file.seek(position)
        found = _box_at(file.read(16), position, size_bytes)
        yield found
        position = found.end


def children(data: bytes, parent: Box) -> Iterator[Box]:
    """Yield the boxes in a box of `data`. Raises InvalidAudio for one that isn't whole."""
    position = parent.body
    while position + 8 <= parent.end:
        found = _box_at(data[position : min(position + 16, parent.end)], position, parent.end)
        yield found
        position = found.end


def within(data: bytes, parent: Box, *path: bytes) -> Iterator[Box]:
    """Yield the boxes at `path`, one kind a level, below a box of `data`."""
    for child in children(data, parent):
        if child.kind == path[0]:
            if len(path) == 1:
                yield child
            else:
                yield from within(data, child, *path[1:])


def whole(data: bytes) -> Box:
    """Return the box that `data` is. Raises InvalidAudio."""
    return _box_at(data[:16], 0, len(data))


def read_movie(file: BinaryIO, size_bytes: int) -> bytes:
    """Return the `moov` box of a file. Raises InvalidAudio if there is none."""
    for found in top_boxes(file, size_bytes):
        if found.kind == b"moov":
            if found.end - found.start > LARGEST_MOVIE_BYTES:
                raise InvalidAudio("The MP4 file's tables are too large.")
            file.seek(found.start)
            return file.read(found.end - found.start)
    raise InvalidAudio("The MP4 file holds no movie.")


def sound_track(moov: bytes) -> Box | None:
    """Return the first track of `moov` that is sound."""
    for track in within(moov, whole(moov), b"trak"):
        for handler in within(moov, track, b"mdia", b"hdlr"):
            if moov[handler.body + 8 : handler.body + 12] == b"soun":
                return track
    return None


def timing(moov: bytes, track: Box) -> Timing:
    """Return what a file says of the delay and the length of a track.

    What iTunes writes counts first: it is in samples. An edit list counts in ticks of the
    movie, which may be coarse: the track's own length says which sample it means. Raises
    InvalidAudio.
    """
    ticks_per_s, total = _clock(moov, next(within(moov, track, b"mdia", b"mdhd"), None))
    if gapless := _itunes_gapless(moov):
        delay, length = gapless
        if not total or delay + length <= total:
            return Timing(ticks_per_s, delay, length)
    movie_per_s, _ = _clock(moov, next(within(moov, whole(moov), b"mvhd"), None))
    for edits in within(moov, track, b"edts", b"elst"):
        for duration, media_time in _edits(moov, edits):
            if media_time < 0:
                continue  # silence before the track
            length = round(duration * ticks_per_s / movie_per_s)
            rest = total - media_time
            coarse = total and abs(length - rest) <= ticks_per_s / movie_per_s
            return Timing(ticks_per_s, media_time, rest if coarse else length or None)
    return Timing(ticks_per_s, 0, total or None)


def _box_at(head: bytes, start: int, limit: int) -> Box:
    size, kind = _SMALL.unpack_from(head)
    body = 8
    if size == 1 and len(head) >= 16:
        _, _, size = _LARGE.unpack_from(head)
        body = 16
    elif size == 0:  # up to the end
        size = limit - start
    if size < body or start + size > limit:
        raise InvalidAudio("The MP4 file breaks off.")
    return Box(kind, start, start + body, start + size)


def _clock(moov: bytes, header: Box | None) -> tuple[int, int]:
    """Return ticks a second and the length of an `mdhd` or `mvhd`."""
    if header is None or header.end - header.body < 20:
        raise InvalidAudio("The MP4 file says nothing of its clock.")
    large = moov[header.body] == 1
    if large and header.end - header.body < 32:
        raise InvalidAudio("The MP4 file's clock breaks off.")
    at = header.body + (20 if large else 12)
    ticks_per_s, length = struct.unpack_from(">IQ" if large else ">II", moov, at)
    if not ticks_per_s:
        raise InvalidAudio("The MP4 file's clock stands still.")
    return ticks_per_s, length


def _edits(moov: bytes, edits: Box) -> Iterator[tuple[int, int]]:
    """Yield the duration and the media time of each edit."""
    kind = ">QqI" if moov[edits.body] == 1 else ">IiI"
    for at in range(edits.body + 8, edits.end - struct.calcsize(kind) + 1, struct.calcsize(kind)):
        duration, media_time, _ = struct.unpack_from(kind, moov, at)
        yield duration, media_time


def _itunes_gapless(moov: bytes) -> tuple[int, int] | None:
    """Return the delay and the length in frames that iTunes wrote, if it did."""
    match = re.search(
        rb"iTunSMPB.{0,40}?data.{8}\s*[0-9A-Fa-f]{8} ([0-9A-Fa-f]{8}) [0-9A-Fa-f]{8} "
        rb"([0-9A-Fa-f]{16})",
        moov,
        re.DOTALL,
    )
    if not match:
        return None
    delay, length = int(match[1], 16), int(match[2], 16)
    return (delay, length) if length else None
