"""The frame of silence before an MP3's music that tells how long it is, where its seconds
are, and what to drop at its ends: Xing's header with LAME's behind it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.looper.rendering import crc
from services.looper.rendering.mp3_frames import HEADER_BYTES, kind_of

LANE_BYTES = 1024
LARGEST = (1 << 32) - 1

# Where things are, counted from the four letters "Xing" or "Info".
FRAMES_AT, TABLE_AT, METHOD_AT, DELAY_AT, LENGTH_AT, CHECK_AT = 8, 16, 129, 141, 148, 154
AVERAGE_BITRATE = 2

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def delays(info: bytes) -> tuple[int, int]:
    """Return how many samples the encoder of an Info frame put before and after the music."""
    start = _start(info) + DELAY_AT
    both = int.from_bytes(info[start : start + 3], "big")
    return both >> 12, both & 0xFFF


@dataclass(frozen=True, slots=True)
class Music:
    """Bytes of frames: how many, their checksum, and whether their bit rates differ."""

    size_bytes: int
    checksum: int
    varying: bool


def filled(info: bytes, frames: int, padding: int, places: Sequence[int], music: Music) -> bytes:
    """Return an encoder's Info frame for other music: `frames` of it, of which `padding`
    samples at the end are to be dropped. `places` are the bytes at which its 100 percents
    start."""
    frame, start = bytearray(info), _start(info)
    if music.varying:
        frame[start : start + 4] = b"Xing"
        frame[start + METHOD_AT] = frame[start + METHOD_AT] & 0xF0 | AVERAGE_BITRATE
    size = len(info) + music.size_bytes
    told = min(size, LARGEST)
    struct.pack_into(">II", frame, start + FRAMES_AT, frames, told)
    table = bytes(256 * (len(info) + place) // size for place in places)
    frame[start + TABLE_AT : start + TABLE_AT + len(table)] = table
    both = delays(info)[0] << 12 | padding
    frame[start + DELAY_AT : start + DELAY_AT + 3] = both.to_bytes(3, "big")
    struct.pack_into(">IH", frame, start + LENGTH_AT, told, music.checksum)
    check = start + CHECK_AT
    struct.pack_into(">H", frame, check, checksum(bytes(frame[:check])))
    return bytes(frame)


def checksum(data: bytes) -> int:
    """Return the CRC-16 that LAME uses, whose bits come in mirrored order."""
    data = data.translate(_MIRRORED)
    rows = np.frombuffer(bytes(-len(data) % LANE_BYTES) + data, np.uint8).reshape(-1, LANE_BYTES)
    lengths = np.full(len(rows), LANE_BYTES, np.int64)
    after = np.arange(len(rows))[::-1] * LANE_BYTES
    parts = crc.shifted_16(crc.shifts_16(after), crc.crc16(rows, lengths))
    return _mirrored(int(np.bitwise_xor.reduce(parts)))


class Checksums:
    """The checksum of long music from those of its pieces."""

    def __init__(self) -> None:
        self._total = np.zeros(1, np.uint16)
        self._shifts: dict[int, crc.U16] = {}

    def add(self, piece_checksum: int, size_bytes: int) -> None:
        """Add a piece at the end."""
        if size_bytes not in self._shifts:
            self._shifts[size_bytes] = crc.shifts_16(np.array([size_bytes]))
        shifted = crc.shifted_16(self._shifts[size_bytes], self._total)
        self._total = shifted ^ np.uint16(_mirrored(piece_checksum))

    @property
    def total(self) -> int:
        """Return the checksum of all pieces."""
        return _mirrored(int(self._total[0]))


def _mirrored(number: int) -> int:
    return int(f"{number:016b}"[::-1], 2)


def _start(info: bytes) -> int:
    return kind_of(info[:HEADER_BYTES]).prefix_bytes
