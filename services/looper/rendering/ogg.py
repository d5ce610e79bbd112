"""Ogg pages: taken apart to packets, and made again with their places filled in later."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

HEADER_BYTES = 27
CONTINUED, FIRST, LAST = 1, 2, 4
MOST_SEGMENTS = 255
NOWHERE = -1
"""The granule position of a page that no packet ends on."""

_FLAGS_AT, _GRANULE_AT, _SERIAL_AT, _SEQUENCE_AT, _CHECKSUM_AT = 5, 6, 14, 18, 22
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was, and the packets that end on it."""

    data: bytes
    granule: int
    packets: tuple[bytes, ...]


def pages(stream: Iterable[bytes]) -> Iterator[Page]:
    """Yield the pages of a stream as it comes. Raises ValueError if it is none."""
    unpacker = Unpacker()
    for data in stream:
        yield from unpacker.pages(data)


class Unpacker:
    """Takes a stream of pages apart as it comes. Raises ValueError if it is none."""

    def __init__(self) -> None:
        self._ahead = bytearray()
        self._packet = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each packet that is complete."""
        for page in self.pages(data):
            yield from page.packets

    def pages(self, data: bytes) -> Iterator[Page]:
        """Yield each page that is complete."""
        ahead = self._ahead
        ahead += data
        while len(ahead) >= HEADER_BYTES and len(ahead) >= HEADER_BYTES + ahead[26]:
            if not ahead.startswith(b"OggS"):
                raise ValueError("This is no page of an Ogg stream.")
            segments = bytes(ahead[HEADER_BYTES : HEADER_BYTES + ahead[26]])
            place = HEADER_BYTES + len(segments)
            if len(ahead) < place + sum(segments):
                return
            packets = []
            for segment in segments:
                self._packet += ahead[place : place + segment]
                place += segment
                if segment < 255:
                    packets.append(bytes(self._packet))
                    self._packet.clear()
            (granule,) = struct.unpack_from("<q", ahead, _GRANULE_AT)
            page = Page(bytes(ahead[:place]), granule, tuple(packets))
            del ahead[:place]
            yield page


def segments_of(packet: bytes) -> list[int]:
    """Return the sizes of the segments that a packet is cut into."""
    return [255] * (len(packet) // 255) + [len(packet) % 255]


def page(segments: Sequence[int], body: bytes, serial: int, flags: int = 0) -> bytes:
    """Return a page that is still to be placed."""
    header = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, 0, serial, 0, 0, len(segments))
    return header + bytes(segments) + body


def header_pages(packet: bytes, serial: int, sequence: int, flags: int = 0) -> list[bytes]:
    """Return the finished pages of one packet that holds no audio."""
    pages: list[bytes] = []
    segments = segments_of(packet)
    for first in range(0, len(segments), MOST_SEGMENTS):
        of_page = segments[first : first + MOST_SEGMENTS]
        body = packet[255 * first : 255 * first + sum(of_page)]
        is_end = first + MOST_SEGMENTS >= len(segments)
        made = bytearray(page(of_page, body, serial, CONTINUED if first else flags))
        granule = 0 if is_end else NOWHERE
        place(made, 0, len(made), granule=granule, sequence=sequence + len(pages))
        pages.append(bytes(made))
    return pages


def place(
    data: bytearray,
    start: int,
    size: int,
    *,
    granule: int,
    sequence: int,
    flags: int = 0,
    serial: int | None = None,
) -> None:
    """Fill in where the page at [start, start + size) of `data` belongs, with `flags` added
    to its own, and its checksum; `serial` only where that changes."""
    data[start + _FLAGS_AT] |= flags
    if serial is not None:
        struct.pack_into("<I", data, start + _SERIAL_AT, serial)
    struct.pack_into("<q", data, start + _GRANULE_AT, granule)
    struct.pack_into("<II", data, start + _SEQUENCE_AT, sequence, 0)
    struct.pack_into("<I", data, start + _CHECKSUM_AT, checksum(data[start : start + size]))


def checksum(data: bytes | bytearray) -> int:
    """Return the CRC-32 that Ogg uses: zlib's with the bits in mirrored order, and without
    its two inversions."""
    mirrored = zlib.crc32(data.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
