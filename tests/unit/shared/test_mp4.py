"""MP4 around AAC frames: the tables say where they are and what is heard."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from musicgen.audio import mp4, mp4_boxes
from musicgen.audio.mp4_boxes import Box
from musicgen.errors import InvalidAudio

pytestmark = pytest.mark.unit


def stream(sizes: list[int], delay: int = 1024, length: int | None = None) -> mp4.Stream:
    """Describe AAC frames of these sizes, all heard but for the delay."""
    whole = len(sizes) * mp4.FRAME - delay
    return mp4.Stream(
        44_100,
        2,
        b"\x12\x10",
        np.array(sizes, np.uint32),
        delay,
        whole if length is None else length,
    )


def boxes_at(moov: bytes, *path: bytes) -> list[Box]:
    """The boxes at a path below the first track's sample table."""
    table = (b"trak", b"mdia", b"minf", b"stbl")
    return list(mp4_boxes.within(moov, mp4_boxes.whole(moov), *table, *path))


def movie_of(data: bytes) -> bytes:
    """The tables of a file."""
    return mp4_boxes.read_movie(io.BytesIO(data), len(data))


def chunks_of(moov: bytes) -> list[int]:
    """Where the chunks are, whatever the width of their table."""
    for kind, code in ((b"stco", "I"), (b"co64", "Q")):
        for found in boxes_at(moov, kind):
            (count,) = struct.unpack_from(">I", moov, found.body + 4)
            return list(struct.unpack_from(f">{count}{code}", moov, found.body + 8))
    raise AssertionError("no chunks")


@pytest.mark.parametrize("count", [1, 31, 32, 33, 100])
@pytest.mark.parametrize("tables_first", [True, False])
def test_chunks_are_where_the_tables_say(count: int, tables_first: bool) -> None:
    """Every 32nd frame begins a chunk, and each is found by its offset."""
    frames = [bytes((index,)) * (5 + index) for index in range(count)]
    described = stream([len(frame) for frame in frames])
    body = b"".join(frames)
    if tables_first:
        data = mp4.head(described, [("TITLE", "Nächte")]) + body
    else:
        begin = mp4.begin()[:-8] + mp4.data_size(len(body))
        data = begin + body + mp4.end(described)
    kinds = [found.kind for found in mp4_boxes.top_boxes(io.BytesIO(data), len(data))]
    assert kinds == ([b"ftyp", b"moov", b"mdat"] if tables_first else [b"ftyp", b"mdat", b"moov"])
    for index, offset in enumerate(chunks_of(movie_of(data))):
        assert data[offset:].startswith(frames[32 * index])


@pytest.mark.parametrize(
    ("delay", "length"), [(1024, None), (1500, 99_000), (1024, 1 << 33), (1 << 33, 100)]
)
def test_what_is_heard_is_read_back(delay: int, length: int | None) -> None:
    """Delay and length come back from iTunes' tag, and as well from the edit list alone,
    also beyond 32 bits."""
    described = stream([10] * 100, delay if delay < 10_000 else 1024, length)
    described = mp4.Stream(
        44_100, 2, described.config, described.sizes, delay, described.length_frames
    )
    moov = movie_of(mp4.head(described) + bytes(1000))
    for movie in (moov, moov.replace(b"iTunSMPB", b"iTunXXXX")):
        track = mp4_boxes.sound_track(movie)
        assert track is not None
        found = mp4_boxes.timing(movie, track)
        assert (found.ticks_per_s, found.delay, found.length) == (
            44_100,
            delay,
            described.length_frames,
        )


def test_a_coarse_clock_is_not_believed_to_the_sample() -> None:
    """Where the movie counts milliseconds, the track's own length says which sample the
    edit list means; an edit that is plainly shorter counts."""
    described = stream([10] * 100, 1024, 90_003)
    moov = bytearray(movie_of(mp4.head(described) + bytes(1000)))
    moov[:] = moov.replace(b"iTunSMPB", b"iTunXXXX")
    header = next(mp4_boxes.within(bytes(moov), mp4_boxes.whole(bytes(moov)), b"mvhd"))
    struct.pack_into(">I", moov, header.body + 12, 1000)
    place = moov.index(b"elst") + 12
    for duration_ms, expected in ((2041, 90_003), (1000, 44_100)):
        struct.pack_into(">I", moov, place, duration_ms)
        track = mp4_boxes.sound_track(bytes(moov))
        assert track is not None
        assert mp4_boxes.timing(bytes(moov), track).length == expected


def test_ten_hours_and_more_have_wide_tables() -> None:
    """A body beyond 4 GiB is told in 64 bits; its tables take a few megabytes."""
    count = 10 * 3600 * 44_100 // 1024
    long = mp4.head(stream([560] * count))
    assert len(long) < 5.1 * count + 10_000
    huge = mp4.head(stream([100_000] * 50_000))
    size = 100_000 * 50_000
    assert huge.endswith(struct.pack(">I4sQ", 1, b"mdat", size + 16))
    moov = mp4_boxes.read_movie(io.BytesIO(huge), len(huge) + size)
    assert boxes_at(moov, b"co64")
    assert chunks_of(moov)[-1] == len(huge) + 100_000 * (50_000 // 32 * 32)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\x08ftyp",
        b"\0\0\0\x08ftyp\0\0\0\x10moov",
        b"\0\0\0\x04ftyp",
        b"\0\0\0\x01ftyp",
    ],
)
def test_what_breaks_off_is_invalid_audio(data: bytes) -> None:
    """Boxes that are longer than the file, or too short to be one, are refused."""
    with pytest.raises(InvalidAudio):
        movie_of(data)
