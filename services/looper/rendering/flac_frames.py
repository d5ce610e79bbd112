"""FLAC frames taken apart, and put together again with another number in their headers.

A frame is a header with its own CRC-8, the body, and a CRC-16 of both. The body is never
looked at: what it adds to the CRC-16 follows from the frame's own header and CRC-16.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from musicgen.errors import Internal
from services.looper.rendering.crc import U8, U16, Ints, crc8, crc16, shifted_16, shifts_16
from services.looper.rendering.spool import Bytes

_FIXED = 4
"""Bytes before the number."""

_HEADER_AT_MOST = 16
_VARIABLE_BLOCKS = 0x01
_CRC_BYTES = 2

_NUMBER_LIMITS = np.array([1 << 7, 1 << 11, 1 << 16, 1 << 21, 1 << 26, 1 << 31])
"""Numbers from each of these on take a byte more; 36 bits fit into seven bytes."""

_LEADS = np.array([0, 0x00, 0xC0, 0xE0, 0xF0, 0xF8, 0xFC, 0xFE])
"""The first byte's marker of a number of so many bytes."""

_BLOCK_SIZES = np.array([0, 192, 576, 1152, 2304, 4608, 0, 0, *(256 << n for n in range(8))])
"""What each code stands for."""

_EIGHT_BITS, _SIXTEEN_BITS = 6, 7
"""Codes of a block size that follows the number."""

_BYTES_OF_SIZE = np.array([0, 0, 0, 0, 0, 0, 1, 2, *[0] * 8])
_BYTES_OF_RATE = np.array([0] * 12 + [1, 2, 2, 0])


@dataclass(frozen=True, slots=True)
class Frames:
    """What is known of a row of frames, apart from their bodies. Arrays of shape [frames],
    unless said otherwise.

    `starts` are samples from the first frame's start. `heads`, shape [frames, 4], come
    before the number; `extras`, shape [frames, 4], after it, as many bytes as
    `extra_bytes` says.
    """

    starts: Ints
    sizes: Ints
    heads: U8
    extras: U8
    extra_bytes: Ints
    body_bytes: Ints
    body_crcs: U16
    shifts: U16

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def samples(self) -> int:
        """Samples of each channel in all frames together."""
        return int(self.sizes.sum())

    def part(self, start: int, end: int) -> Frames:
        """Return the frames [start, end); their `starts` stay as they are."""
        return Frames(*(getattr(self, name)[start:end] for name in self.__slots__))

    def bytes_with(self, numbers: Ints) -> Ints:
        """Return the length of each frame when it carries such a number."""
        return _header_bytes(numbers, self.extra_bytes) + self.body_bytes + _CRC_BYTES


def join(parts: Sequence[Frames]) -> Frames:
    """Return the frames of all parts, one after the other."""
    parts = parts or [take_apart([])[0]]
    names = Frames.__slots__
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    joined["starts"] = np.cumsum(joined["sizes"]) - joined["sizes"]
    return Frames(**joined)


def take_apart(frames: Sequence[bytes]) -> tuple[Frames, list[memoryview]]:
    """Return what is known of the frames, and their bodies.

    Raises Internal if they are no frames: the encoder has changed its ways.
    """
    rows = _rows([frame[:_HEADER_AT_MOST] for frame in frames])
    index = np.arange(len(frames))
    number_bytes = _number_bytes_of(rows[:, _FIXED])
    size_code, rate_code = rows[:, 2] >> 4, rows[:, 2] & 15
    extra_bytes = _BYTES_OF_SIZE[size_code] + _BYTES_OF_RATE[rate_code]
    extra_at = _FIXED + number_bytes
    extras = np.stack([rows[index, extra_at + n] for n in range(4)], axis=1)
    sizes = _BLOCK_SIZES[size_code]
    sizes = np.where(size_code == _EIGHT_BITS, extras[:, 0].astype(np.int64) + 1, sizes)
    two = extras[:, 0].astype(np.int64) * 256 + extras[:, 1] + 1
    sizes = np.where(size_code == _SIXTEEN_BITS, two, sizes)
    header_bytes = extra_at + extra_bytes + 1
    sync = (rows[:, 0] == 0xFF) & (rows[:, 1] & 0xFE == 0xF8)
    checked = crc8(rows, header_bytes - 1) == rows[index, header_bytes - 1]
    if not (sync & checked & (sizes > 0)).all():
        raise Internal("The FLAC encoder gave something that is no frame.")
    bodies = [
        memoryview(frame)[start:-_CRC_BYTES]
        for frame, start in zip(frames, header_bytes.tolist(), strict=True)
    ]
    body_bytes = np.array([len(body) for body in bodies], np.int64)
    shifts = shifts_16(body_bytes)
    whole = np.array([int.from_bytes(frame[-_CRC_BYTES:], "big") for frame in frames], np.uint16)
    heads = rows[:, :_FIXED].copy()
    heads[:, 1] &= 0xFF ^ _VARIABLE_BLOCKS
    known = Frames(
        starts=np.cumsum(sizes) - sizes,
        sizes=sizes,
        heads=heads,
        extras=extras,
        extra_bytes=extra_bytes,
        body_bytes=body_bytes,
        body_crcs=whole ^ shifted_16(shifts, crc16(rows, header_bytes)),
        shifts=shifts,
    )
    return known, bodies


def put_together(frames: Frames, bodies: Bytes, numbers: Ints, variable_blocks: bool) -> bytes:
    """Return the bytes of frames that carry such numbers: those of their first samples
    with `variable_blocks`, else their own. `bodies` are all bodies, joined."""
    index = np.arange(len(frames))
    rows = np.zeros((len(frames), _HEADER_AT_MOST), np.uint8)
    rows[:, :_FIXED] = frames.heads
    rows[:, 1] |= _VARIABLE_BLOCKS if variable_blocks else 0
    number_bytes = _number_bytes(numbers)
    for place in range(int(number_bytes.max(initial=0))):
        low = 6 * np.maximum(number_bytes - 1 - place, 0)
        marker = _LEADS[number_bytes] if place == 0 else 0x80
        payload = numbers >> low if place == 0 else numbers >> low & 0x3F
        # Beyond a shorter number's end this is overwritten.
        rows[:, _FIXED + place] = marker | payload
    for place in range(int(frames.extra_bytes.max(initial=0))):
        rows[index, _FIXED + number_bytes + place] = frames.extras[:, place]
    header_bytes = _header_bytes(numbers, frames.extra_bytes)
    rows[index, header_bytes - 1] = crc8(rows, header_bytes - 1)
    crcs = shifted_16(frames.shifts, crc16(rows, header_bytes)) ^ frames.body_crcs
    headers, checks, body = rows.tobytes(), crcs.astype(">u2").tobytes(), memoryview(bodies)
    pieces: list[Bytes] = []
    start = 0
    lengths = zip(header_bytes.tolist(), frames.body_bytes.tolist(), strict=True)
    for row, (header_length, body_length) in enumerate(lengths):
        first = row * _HEADER_AT_MOST
        pieces.append(headers[first : first + header_length])
        pieces.append(body[start : start + body_length])
        pieces.append(checks[2 * row : 2 * row + 2])
        start += body_length
    return b"".join(pieces)


def _rows(texts: Sequence[bytes]) -> U8:
    """Strings as rows of _HEADER_AT_MOST bytes, with zeros at their ends."""
    joined = b"".join(text.ljust(_HEADER_AT_MOST, b"\0") for text in texts)
    return np.frombuffer(joined, np.uint8).reshape(-1, _HEADER_AT_MOST)


def _number_bytes_of(first: U8) -> Ints:
    """Bytes of a number, by its first byte."""
    return np.maximum(1, np.searchsorted(_LEADS[2:], first, side="right") + 1)


def _number_bytes(numbers: Ints) -> Ints:
    return np.searchsorted(_NUMBER_LIMITS, numbers, side="right") + 1


def _header_bytes(numbers: Ints, extra_bytes: Ints) -> Ints:
    return _FIXED + _number_bytes(numbers) + extra_bytes + 1
