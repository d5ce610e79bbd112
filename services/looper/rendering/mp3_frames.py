"""MP3 frames taken apart and put together again, without touching what they sound like.

In a file, a frame's main data may begin in the slots of frames before it (the bit
reservoir), so frames can't be moved. Taken apart, a frame is its header, its side
information, and all of its main data. Laid out again, the first of a run begins in its
own slot, and a few frames get a higher bit rate to make up for that.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

HEADER_BYTES = 4
RATES_HZ = (44_100, 48_000, 32_000)
KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
LOOKAHEAD_FRAMES = 16
"""So many frames after a joint decide whether there is room for all of them."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the frames of a stream have in common: MPEG 1, 2 or 2.5, rate and channels."""

    version: int
    """As in the header: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5."""
    sample_rate_hz: int
    mono: bool

    @property
    def side_bytes(self) -> int:
        """Bytes of side information after the header."""
        if self.version == 3:
            return 17 if self.mono else 32
        return 9 if self.mono else 17

    @property
    def prefix_bytes(self) -> int:
        """Bytes before a frame's slot of main data."""
        return HEADER_BYTES + self.side_bytes

    @property
    def most_reserved_bytes(self) -> int:
        """How far before its slot a frame's main data can begin."""
        return 511 if self.version == 3 else 255

    def frame_bytes(self, rate_index: int, padding: int) -> int:
        """Return a frame's size."""
        kbits = (KBITS_1 if self.version == 3 else KBITS_2)[rate_index]
        return (144 if self.version == 3 else 72) * kbits * 1000 // self.sample_rate_hz + padding

    def main_bytes(self, side: bytes) -> int:
        """Return how much main data a frame's side information tells of."""
        bits = int.from_bytes(side, "big")
        channels = 1 if self.mono else 2
        if self.version == 3:
            start, step, parts = (9 + 5 + 4 if self.mono else 9 + 3 + 8), 59, 2 * channels
        else:
            start, step, parts = (8 + 1 if self.mono else 8 + 2), 63, channels
        end = 8 * len(side) - 12
        total = sum(bits >> (end - start - step * part) & 0xFFF for part in range(parts))
        return -(-total // 8)

    def begin(self, side: bytes) -> int:
        """Return how many bytes before its slot a frame's main data begins."""
        return (side[0] << 1) | (side[1] >> 7) if self.version == 3 else side[0]

    def with_begin(self, side: bytes, begin: int) -> bytes:
        """Return side information that says so."""
        if self.version == 3:
            return bytes([begin >> 1, (begin & 1) << 7 | side[1] & 0x7F]) + side[2:]
        return bytes([begin]) + side[1:]


@functools.cache
def kind_of(header: bytes) -> Kind:
    """Return what a header of 4 bytes says. Raises ValueError if it is none of layer III,
    or if the frame has a checksum, which our encoder never writes."""
    version, rate = header[1] >> 3 & 3, header[2] >> 2 & 3
    if header[0] != 0xFF or header[1] & 0xE7 != 0xE3 or version == 1 or rate == 3:
        raise ValueError(f"{header.hex()} is no header of an MP3 frame without checksum.")
    halved = {3: 0, 2: 1, 0: 2}[version]
    return Kind(version, RATES_HZ[rate] >> halved, mono=header[3] >> 6 == 3)


def rate_index(header: bytes) -> int:
    """Return the index of a frame's bit rate, 1 to 14."""
    return header[2] >> 4


def padding(header: bytes) -> int:
    """Return whether a frame is a byte longer than its bit rate says: 0 or 1."""
    return header[2] >> 1 & 1


class Unpacker:
    """Takes a stream of frames apart as it comes. Raises ValueError if it is none."""

    def __init__(self) -> None:
        self._ahead = bytearray()
        self._reserve = b""

    def feed(self, data: bytes | bytearray) -> Iterator[bytes]:
        """Yield header, side information and main data of each frame that is complete."""
        ahead = self._ahead
        ahead += data
        start = 0
        while start + HEADER_BYTES <= len(ahead):
            header = bytes(ahead[start : start + HEADER_BYTES])
            kind = kind_of(header)
            end = start + kind.frame_bytes(rate_index(header), padding(header))
            if end > len(ahead):
                break
            prefix = bytes(ahead[start : start + kind.prefix_bytes])
            side = prefix[HEADER_BYTES:]
            reachable = self._reserve + ahead[start + kind.prefix_bytes : end]
            first = len(self._reserve) - kind.begin(side)
            main = reachable[first : first + kind.main_bytes(side)]
            if first < 0 or len(main) < kind.main_bytes(side):
                raise ValueError("An MP3 frame's main data is not all there.")
            self._reserve = reachable[-kind.most_reserved_bytes :]
            yield prefix + main
            start = end
        del ahead[:start]


class Packer:
    """Lays frames of one kind out again. `rate` is the index of the bit rate that they
    have unless they need more; `varied` tells whether one did."""

    def __init__(self, kind: Kind, rate: int) -> None:
        self._kind = kind
        self._rates = range(rate, len(KBITS_1))
        self.varied = False

    def slot_bytes(self, rate: int, padding: int) -> int:
        """Return how much main data fits into a frame's own slot."""
        return self._kind.frame_bytes(rate, padding) - self._kind.prefix_bytes

    def fits(self, sizes: Sequence[int]) -> bool:
        """Return whether the first of these frames, given with the sizes of their main
        data, can be laid out without anything before it."""
        most = self.slot_bytes(self._rates[-1], 0)
        return _reserves(sizes, [most] * len(sizes))[0] == 0

    def pack(
        self, frames: Iterable[bytes], sizes: Sequence[int], paddings: Sequence[int]
    ) -> Iterator[bytes]:
        """Yield frames, the first of which needs none before it; `sizes` are those of their
        main data. Raises ValueError where they don't fit."""
        kind = self._kind
        if not self.fits(sizes):
            raise ValueError("The main data of MP3 frames doesn't fit behind a joint.")
        usual = [self.slot_bytes(self._rates[0], padding) for padding in paddings]
        wanted = _reserves(sizes, usual)
        waiting: deque[tuple[bytes, int]] = deque()
        main = bytearray()  # from where the slot of the first one that waits begins
        slots = reserve = 0
        for index, frame in enumerate(frames):
            reserve = min(reserve, kind.most_reserved_bytes)
            header, side = frame[:HEADER_BYTES], frame[HEADER_BYTES : kind.prefix_bytes]
            for rate in self._rates:
                slot = self.slot_bytes(rate, padding(header))
                left = reserve + slot - sizes[index]
                if left >= wanted[index + 1]:
                    break
            self.varied |= rate > self._rates[0]
            header = header[:2] + bytes([rate << 4 | header[2] & 0x0F]) + header[3:]
            main += bytes(slots - reserve - len(main)) + frame[kind.prefix_bytes :]
            waiting.append((header + kind.with_begin(side, reserve), slot))
            slots += slot
            reserve = left
            while waiting and waiting[0][1] <= len(main):
                prefix, slot = waiting.popleft()
                yield prefix + main[:slot]
                del main[:slot]
                slots -= slot
        main += bytes(slots - len(main))
        for prefix, slot in waiting:
            yield prefix + main[:slot]
            del main[:slot]


def _reserves(sizes: Sequence[int], slots: Sequence[int]) -> list[int]:
    """Return what must be left before each frame's slot, and after the last one, for all
    main data from there on to fit: shape [frames + 1]."""
    reserves = [0]
    for size, slot in zip(reversed(sizes), reversed(slots), strict=True):
        reserves.append(max(0, size + reserves[-1] - slot))
    return reserves[::-1]
