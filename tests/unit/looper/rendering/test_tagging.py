from __future__ import annotations

import struct

import pytest

from services.looper.rendering.tagging import (
    LoopRegion,
    Tags,
    id3v2,
    vorbis_comment,
    wav_info,
    wav_smpl,
)

pytestmark = pytest.mark.unit

TAGS = Tags(
    (
        ("title", "Räin\0"),
        ("ARTIST", "A"),
        ("ARTIST", "B"),
        ("COMMENT", "c"),
        ("MOOD", "calm"),
        ("GENRE", ""),
        ("DATE", "2026"),
    )
)
LOOP = LoopRegion(100, 350)


def comments(data: bytes) -> tuple[str, list[str]]:
    """Read a Vorbis comment by its description: vendor and fields."""

    def field(place: int) -> tuple[str, int]:
        (length,) = struct.unpack_from("<I", data, place)
        return data[place + 4 : place + 4 + length].decode(), place + 4 + length

    vendor, place = field(0)
    (count,) = struct.unpack_from("<I", data, place)
    place += 4
    fields = []
    for _ in range(count):
        text, place = field(place)
        fields.append(text)
    assert place == len(data)
    return vendor, fields


def id3_frames(data: bytes) -> list[tuple[str, bytes]]:
    """Read an ID3v2.4 tag by its description: names and bodies of frames."""

    def size(place: int) -> int:
        assert all(byte < 0x80 for byte in data[place : place + 4])
        return sum(byte << shift for byte, shift in zip(data[place:], (21, 14, 7, 0), strict=False))

    assert data[:6] == b"ID3\x04\x00\x00"
    assert len(data) == 10 + size(6)
    frames, place = [], 10
    while data[place]:
        length = size(place + 4)
        frames.append((data[place : place + 4].decode(), data[place + 10 : place + 10 + length]))
        place += 10 + length
    assert len(data) - place == 1024
    assert not any(data[place:])
    return frames


def test_vorbis_comments() -> None:
    """Names are upper-case, a name may repeat, empty texts are left out."""
    expected = ["TITLE=Räin", "ARTIST=A", "ARTIST=B", "COMMENT=c", "MOOD=calm", "DATE=2026"]
    assert comments(vorbis_comment(TAGS, None, "me")) == ("me", expected)
    with_loop = [*expected, "LOOPSTART=100", "LOOPLENGTH=250"]
    assert comments(vorbis_comment(TAGS, LOOP, "")) == ("", with_loop)


def test_id3_frames() -> None:
    """Known names have frames of their own, the others and the loop are user texts."""
    assert id3_frames(id3v2(TAGS, LOOP)) == [
        ("TIT2", "\x03Räin".encode()),
        ("TPE1", b"\x03A\0B"),
        ("COMM", b"\x03XXX\0c"),
        ("TXXX", b"\x03MOOD\0calm"),
        ("TDRC", b"\x032026"),
        ("TXXX", b"\x03LOOPSTART\x00100"),
        ("TXXX", b"\x03LOOPLENGTH\x00250"),
    ]
    long = "x" * 1_000_000
    assert id3_frames(id3v2(Tags((("TITLE", long),)), None)) == [("TIT2", b"\x03" + long.encode())]


def test_wav_chunks() -> None:
    """Nothing to say makes no chunk; texts end with a zero and are padded to even lengths."""
    assert wav_info(Tags((("MOOD", "calm"),))) == wav_smpl(None, 44_100) == b""
    info = wav_info(Tags((("TITLE", "ab"), ("ALBUM", "abc"))))
    assert info == b"LIST\x1c\0\0\0INFOINAM\x03\0\0\0ab\0\0IPRD\x04\0\0\0abc\0"
    assert wav_smpl(LoopRegion(0, 1 << 32), 44_100) == b""
    smpl = wav_smpl(LOOP, 48_000)
    assert smpl[:8] == b"smpl" + (60).to_bytes(4, "little")
    assert struct.unpack("<II", smpl[-16:-8]) == (100, 349)


@pytest.mark.parametrize("name", ["", "A=B", "Ä", "A\n"])
def test_names_that_no_file_can_hold_are_refused(name: str) -> None:
    """A wrong name is the caller's mistake, told at once."""
    with pytest.raises(ValueError, match="can't be the name"):
        Tags(((name, "x"),))


def test_half_a_character_does_no_harm() -> None:
    """Text that isn't valid Unicode is written with a mark in its place."""
    assert comments(vorbis_comment(Tags((("TITLE", "a\ud800b"),)), None, ""))[1] == ["TITLE=a?b"]
