"""Where tags lie in Ogg files: in the second packet of an Opus or Vorbis stream.

All other packets stay as they are, and so do the positions that the pages name. Only if
the tags need more or fewer pages than before are the later ones numbered anew.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from musicgen.errors import InvalidAudio
from services.library import tags
from services.library.layouts import Layout
from services.library.track import Track

_HEAD = struct.Struct("<4sBBqIIIB")
_CONTINUED, _FIRST = 1, 2
_MOST_SEGMENTS = 255
_PACKETS_LIMIT_BYTES = 64 << 20
_NO_PACKET_ENDS = -1
_SEQUENCE_AT, _CHECKSUM_AT = 18, 22
_OPUS, _OPUS_TAGS = b"OpusHead", b"OpusTags"
_VORBIS, _VORBIS_TAGS = b"\x01vorbis", b"\x03vorbis"
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class _Page:
    """A page: its bytes, and where in them its segments begin."""

    data: bytes
    serial: int
    sequence: int
    lacing: bytes


def layout(file: BinaryIO, size_bytes: int, track: Track) -> Layout:
    """Return the file with the tags of `track`. Raises InvalidAudio."""
    first = _read_page(file)
    content = first.data[_HEAD.size + len(first.lacing) :]
    if not first.data[5] & _FIRST:
        raise InvalidAudio("The Ogg file does not begin as one.")
    if content.startswith(_OPUS):
        count, name, framing = 1, _OPUS_TAGS, b""
    elif content.startswith(_VORBIS):
        count, name, framing = 2, _VORBIS_TAGS, b"\x01"
    else:
        raise InvalidAudio("The Ogg file holds neither Opus nor Vorbis.")
    packets, old_pages = _read_packets(file, first.serial, count)
    if not packets[0].startswith(name):
        raise InvalidAudio("The Ogg file has no tags where they must be.")
    packets[0] = name + tags.vorbis_comment(packets[0][len(name) :], track) + framing
    pages = list(_pages(packets, first.serial, first.sequence + 1))
    shift = len(pages) - old_pages
    return Layout(
        first.data + b"".join(pages),
        ((file.tell(), size_bytes),),
        edit=partial(_renumbered, serial=first.serial, shift=shift) if shift else None,
    )


def _read_page(file: BinaryIO) -> _Page:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size or not head.startswith(b"OggS"):
        raise InvalidAudio("The Ogg file's pages break off.")
    *_, serial, sequence, _, segments = _HEAD.unpack(head)
    lacing = file.read(segments)
    content = file.read(sum(lacing))
    if len(lacing) + len(content) < segments + sum(lacing):
        raise InvalidAudio("The Ogg file's pages break off.")
    return _Page(head + lacing + content, serial, sequence, lacing)


def _read_packets(file: BinaryIO, serial: int, count: int) -> tuple[list[bytes], int]:
    """Return the next `count` packets, which end a page, and on how many pages they lie."""
    packets: list[bytes] = []
    pages, pending = 0, bytearray()
    while len(packets) < count:
        page = _read_page(file)
        pages += 1
        if page.serial != serial:
            raise InvalidAudio("The Ogg file holds several streams at once.")
        position = _HEAD.size + len(page.lacing)
        for size in page.lacing:
            pending += page.data[position : position + size]
            position += size
            if size < _MOST_SEGMENTS:
                packets.append(bytes(pending))
                pending.clear()
        if len(pending) > _PACKETS_LIMIT_BYTES:
            raise InvalidAudio("The Ogg file's tags have no end.")
    if len(packets) > count or pending:
        raise InvalidAudio("The Ogg file's sound begins on the page of its tags.")
    return packets, pages


def _pages(packets: list[bytes], serial: int, sequence: int) -> Iterator[bytes]:
    """Yield packets on as few pages as there can be."""
    lacing, content, ends = bytearray(), b"".join(packets), set()
    for packet in packets:
        lacing += b"\xff" * (len(packet) // 255) + bytes((len(packet) % 255,))
        ends.add(len(lacing))
    position = 0
    for start in range(0, len(lacing), _MOST_SEGMENTS):
        here = lacing[start : start + _MOST_SEGMENTS]
        continued = 0 if start == 0 or start in ends else _CONTINUED
        ended = any(start < end <= start + len(here) for end in ends)
        granule = 0 if ended else _NO_PACKET_ENDS
        head = _HEAD.pack(b"OggS", 0, continued, granule, serial, sequence, 0, len(here))
        page = bytearray(head + here + content[position : position + sum(here)])
        position += sum(here)
        sequence += 1
        yield _sealed(page)


def _renumbered(pieces: Iterable[bytes], serial: int, shift: int) -> Iterator[bytes]:
    """Yield pages of a stream with their numbers shifted. What is no page, such as bytes
    after the end, is passed on as it is."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        done = position = 0
        changed = bytearray()
        while (end := _page_end(waiting, position)) is not None and end <= len(waiting):
            page = waiting[position:end]
            if int.from_bytes(page[14:18], "little") == serial:
                number = int.from_bytes(page[_SEQUENCE_AT:_CHECKSUM_AT], "little") + shift
                struct.pack_into("<II", page, _SEQUENCE_AT, number % (1 << 32), 0)
                changed += _sealed(page)
            else:
                changed += page
            done = position = end
        del waiting[:done]
        yield bytes(changed)
    yield bytes(waiting)


def _page_end(data: bytearray, start: int) -> int | None:
    """Return where the page ends that begins at `start`, None if that isn't known yet."""
    if len(data) - start < _HEAD.size or data[start : start + 4] != b"OggS":
        return None
    lacing = data[start + _HEAD.size :][: data[start + _HEAD.size - 1]]
    if len(lacing) < data[start + _HEAD.size - 1]:
        return None
    return start + _HEAD.size + len(lacing) + sum(lacing)


def _sealed(page: bytearray) -> bytes:
    """Return a page whose checksum is 0 with its checksum."""
    # Ogg's CRC is zlib's with all bits in the other order, without its inversions.
    crc = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    struct.pack_into("<I", page, _CHECKSUM_AT, int(f"{crc:032b}"[::-1], 2))
    return bytes(page)
