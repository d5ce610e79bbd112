"""An MP4 file around AAC frames: the tables that say where they are and what is heard.

    ftyp  moov(mvhd trak udta)  mdat     the order that plays while it still loads

Of the decoded frames of 1,024 samples, what is heard begins after `delay_frames` and is
`length_frames` long, said to the sample by the edit list and by iTunes' own tag.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from musicgen.audio.mp4_boxes import LARGEST_UINT32, box, full_box
from musicgen.audio.mp4_tags import gapless_tag, user_data

FRAME = 1024
"""Samples that an AAC frame decodes to."""

_CHUNK_FRAMES = 32
"""AAC frames a chunk; players read a chunk at a time."""

_UNITY = struct.pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
_FILE_TYPE = box(b"ftyp", b"M4A ", struct.pack(">I", 0), b"M4A mp42isom")
_MDAT_HEAD_BYTES = 16

Sizes = npt.NDArray[np.uint32]
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Stream:
    """AAC frames one after the other. `config` is their AudioSpecificConfig; `sizes` the
    bytes of each, shape [frames]; what is heard is `length_frames` from `delay_frames` on."""

    sample_rate_hz: int
    channels: int
    config: bytes
    sizes: Sizes
    delay_frames: int
    length_frames: int

    @property
    def total_frames(self) -> int:
        """Samples of all that is decoded."""
        return len(self.sizes) * FRAME

    @property
    def data_bytes(self) -> int:
        """Bytes of all AAC frames."""
        return int(self.sizes.sum(dtype=np.int64))


def begin() -> bytes:
    """Return the start of a file whose frames follow and whose tables come last. Its last
    8 bytes are of `data_size`, written when it is known."""
    return _FILE_TYPE + struct.pack(">I4sQ", 1, b"mdat", 0)


def data_size(data_bytes: int) -> bytes:
    """Return what overwrites the last 8 bytes of `begin`."""
    return struct.pack(">Q", _MDAT_HEAD_BYTES + data_bytes)


def end(stream: Stream, tags: Pairs = ()) -> bytes:
    """Return the tables for a file that was started with `begin`."""
    return _movie(stream, tags, len(begin()))


def head(stream: Stream, tags: Pairs = ()) -> bytes:
    """Return all that comes before the AAC frames; they end the file."""
    # How long the tables are doesn't depend on the numbers in them.
    start = len(_FILE_TYPE) + len(_movie(stream, tags, 0)) + _MDAT_HEAD_BYTES
    movie = _movie(stream, tags, start)
    return b"".join(
        (_FILE_TYPE, movie, struct.pack(">I4s", 1, b"mdat"), data_size(stream.data_bytes))
    )


def _movie(stream: Stream, tags: Pairs, data_offset: int) -> bytes:
    gapless = gapless_tag(stream.delay_frames, stream.length_frames, stream.total_frames)
    return box(
        b"moov", _movie_header(stream), _track(stream, data_offset), user_data(tags, gapless)
    )


def _movie_header(stream: Stream) -> bytes:
    # The movie's clock is the sample rate: a coarser one could not say the length.
    return _timed_box(
        b"mvhd",
        0,
        (stream.sample_rate_hz,),
        stream.length_frames,
        # Speed 1, volume 1.
        struct.pack(">IH10x", 1 << 16, 1 << 8) + _UNITY + bytes(24) + struct.pack(">I", 2),
    )


def _track(stream: Stream, data_offset: int) -> bytes:
    enabled_in_movie = 7
    track_header = _timed_box(
        b"tkhd",
        enabled_in_movie,
        (1, 0),
        stream.length_frames,
        # Layer 0, alternate group 1, volume 1; no width and height.
        struct.pack(">8xhhH2x", 0, 1, 1 << 8) + _UNITY + bytes(8),
    )
    return box(b"trak", track_header, _edit(stream), _media(stream, data_offset))


def _edit(stream: Stream) -> bytes:
    large = max(stream.length_frames, stream.delay_frames) > LARGEST_UINT32 >> 1
    entry = struct.pack(
        ">IQqI" if large else ">IIiI", 1, stream.length_frames, stream.delay_frames, 1 << 16
    )
    return box(b"edts", full_box(b"elst", int(large), 0, entry))


def _media(stream: Stream, data_offset: int) -> bytes:
    undetermined = 0x55C4
    media_header = _timed_box(
        b"mdhd",
        0,
        (stream.sample_rate_hz,),
        stream.delay_frames + stream.length_frames,
        struct.pack(">H2x", undetermined),
    )
    handler = full_box(b"hdlr", 0, 0, struct.pack(">4x4s12x", b"soun"), b"Sound\0")
    reference = full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1))
    information = box(
        b"minf",
        full_box(b"smhd", 0, 0, bytes(4)),
        box(b"dinf", reference),
        _table(stream, data_offset),
    )
    return box(b"mdia", media_header, handler, information)


def _table(stream: Stream, data_offset: int) -> bytes:
    count = len(stream.sizes)
    # The last frame lasts only as long as it is heard: there are players that know the
    # end from nothing else.
    unheard = stream.total_frames - stream.delay_frames - stream.length_frames
    last = FRAME - min(FRAME, max(0, unheard))
    runs = [(count, FRAME)] if last == FRAME else [(count - 1, FRAME), (1, last)]
    durations = b"".join(struct.pack(">II", *run) for run in runs if run[0])
    one_before = struct.pack(">4sIIh", b"roll", 2, 1, -1)
    return box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), _sample_entry(stream)),
        full_box(b"stts", 0, 0, struct.pack(">I", len(durations) // 8), durations),
        _chunk_lengths(count),
        full_box(b"stsz", 0, 0, struct.pack(">II", 0, count), stream.sizes.astype(">u4").tobytes()),
        _chunk_offsets(stream, data_offset),
        # Decoding must begin a frame before what is wanted.
        full_box(b"sgpd", 1, 0, one_before),
        full_box(b"sbgp", 0, 0, struct.pack(">4sIII", b"roll", 1, count, 1)),
    )


def _chunk_lengths(count: int) -> bytes:
    full, rest = divmod(count, _CHUNK_FRAMES)
    runs = [(1, _CHUNK_FRAMES)] if full else []
    if rest:
        runs.append((full + 1, rest))
    entries = b"".join(struct.pack(">III", first, length, 1) for first, length in runs)
    return full_box(b"stsc", 0, 0, struct.pack(">I", len(runs)), entries)


def _chunk_offsets(stream: Stream, data_offset: int) -> bytes:
    ends = np.cumsum(stream.sizes, dtype=np.int64)
    offsets = np.concatenate((np.zeros(1, np.int64), ends))[: len(stream.sizes) : _CHUNK_FRAMES]
    # 64 bits where the file may be too long for 32, whatever the tables need.
    large = stream.data_bytes > LARGEST_UINT32 - (512 << 20)
    table = (offsets + data_offset).astype(">u8" if large else ">u4").tobytes()
    return full_box(b"co64" if large else b"stco", 0, 0, struct.pack(">I", len(offsets)), table)


def _sample_entry(stream: Stream) -> bytes:
    # Rates above 65,535 Hz don't fit; what counts is the config.
    rate = stream.sample_rate_hz if stream.sample_rate_hz < 1 << 16 else 0
    fields = struct.pack(">6xH8xHHHHI", 1, stream.channels, 16, 0, 0, rate << 16)
    seconds = max(1.0, stream.total_frames / stream.sample_rate_hz)
    largest = int(stream.sizes.max()) if len(stream.sizes) else 0
    most_per_s = largest * 8 * stream.sample_rate_hz // FRAME
    aac, audio_stream = 0x40, 0x15
    decoder = _descriptor(
        4,
        struct.pack(">BB", aac, audio_stream),
        largest.to_bytes(3, "big"),
        struct.pack(">II", most_per_s, int(stream.data_bytes * 8 / seconds)),
        _descriptor(5, stream.config),
    )
    whole = _descriptor(3, struct.pack(">HB", 1, 0), decoder, _descriptor(6, b"\x02"))
    return box(b"mp4a", fields, full_box(b"esds", 0, 0, whole))


def _descriptor(tag: int, *parts: bytes) -> bytes:
    length = sum(map(len, parts))
    # Always four bytes: some readers expect no less.
    coded = bytes(length >> shift & 0x7F | (0x80 if shift else 0) for shift in (21, 14, 7, 0))
    return b"".join((bytes((tag,)), coded, *parts))


def _timed_box(
    kind: bytes, flags: int, before: tuple[int, ...], duration: int, after: bytes
) -> bytes:
    """Return a header with its times (none is told), some numbers and a duration."""
    large = duration > LARGEST_UINT32
    times = bytes(16 if large else 8)
    numbers = struct.pack(f">{len(before)}I", *before)
    length = struct.pack(">Q" if large else ">I", duration)
    return full_box(kind, int(large), flags, times, numbers, length, after)
