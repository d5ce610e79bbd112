"""Tags and loop points as the bytes that FLAC, Opus, MP3 and WAV files carry.

Nothing here reads tags; that is the library's business.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ID3_PADDING_BYTES = 1024
"""Room for a tag editor to work in without moving the audio."""

_ID3_FRAMES = {
    "TITLE": b"TIT2",
    "ARTIST": b"TPE1",
    "ALBUM": b"TALB",
    "DATE": b"TDRC",
    "GENRE": b"TCON",
    "COPYRIGHT": b"TCOP",
    "TRACKNUMBER": b"TRCK",
}
_INFO_CHUNKS = {
    "TITLE": b"INAM",
    "ARTIST": b"IART",
    "ALBUM": b"IPRD",
    "DATE": b"ICRD",
    "GENRE": b"IGNR",
    "COMMENT": b"ICMT",
    "COPYRIGHT": b"ICOP",
    "TRACKNUMBER": b"ITRK",
}
_UTF8 = b"\x03"
_LARGEST_UINT32 = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Tags:
    """Pairs of a name as in Vorbis comments (TITLE, ARTIST, ALBUM, DATE, GENRE, COMMENT,
    COPYRIGHT, TRACKNUMBER, ...) and its text. A name may come twice; empty texts are left
    out of files. Raises ValueError for a name that Vorbis comments can't hold."""

    values: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for name, _ in self.values:
            if not name or any(not " " <= letter <= "}" or letter == "=" for letter in name):
                raise ValueError(f"{name!r} can't be the name of a tag")

    def pairs(self) -> list[tuple[str, str]]:
        """Return upper-case names and texts as files can hold them."""
        pairs = [(name.upper(), text.replace("\0", "")) for name, text in self.values]
        return [(name, text) for name, text in pairs if text]


@dataclass(frozen=True, slots=True)
class LoopRegion:
    """[start_frame, end_frame) of the output, which a player may repeat for ever."""

    start_frame: int
    end_frame: int


def vorbis_comment(tags: Tags, loop: LoopRegion | None, vendor: str) -> bytes:
    """Return the body of a Vorbis comment, LOOPSTART and LOOPLENGTH included, without a
    framing bit: what FLAC and Opus want."""
    pairs = tags.pairs() + _loop_pairs(loop)
    fields = [_bytes(vendor), *(_bytes(f"{name}={text}") for name, text in pairs)]
    head, *comments = (struct.pack("<I", len(field)) + field for field in fields)
    return head + struct.pack("<I", len(comments)) + b"".join(comments)


def id3v2(tags: Tags, loop: LoopRegion | None) -> bytes:
    """Return an ID3v2.4 tag with padding at its end, in UTF-8."""
    texts: dict[str, list[str]] = {}
    for name, text in tags.pairs() + _loop_pairs(loop):
        texts.setdefault(name, []).append(text)
    body = b"".join(_id3_frame(name, _bytes("\0".join(text))) for name, text in texts.items())
    body += bytes(_ID3_PADDING_BYTES)
    return b"ID3\x04\x00\x00" + _synchsafe(len(body)) + body


def wav_smpl(loop: LoopRegion | None, sample_rate_hz: int) -> bytes:
    """Return a `smpl` chunk with one forward loop that repeats for ever; nothing where
    there is no loop, or one beyond what 32 bits can count."""
    if loop is None or loop.end_frame > _LARGEST_UINT32:
        return b""
    period_ns, middle_c = round(1e9 / sample_rate_hz), 60
    # Maker, product; pitch fraction, two of SMPTE; how many loops, bytes of the sampler's own.
    head = struct.pack("<9I", 0, 0, period_ns, middle_c, 0, 0, 0, 1, 0)
    # Name, forward; the last frame, not the one after it; fraction, count (0 is for ever).
    body = struct.pack("<6I", 0, 0, loop.start_frame, loop.end_frame - 1, 0, 0)
    return riff_chunk(b"smpl", head + body)


def wav_info(tags: Tags) -> bytes:
    """Return a LIST chunk of the kind INFO in UTF-8; nothing where no tag has a place in it."""
    chunks = [
        riff_chunk(_INFO_CHUNKS[name], _bytes(text) + b"\0")
        for name, text in tags.pairs()
        if name in _INFO_CHUNKS
    ]
    return riff_chunk(b"LIST", b"INFO" + b"".join(chunks)) if chunks else b""


def riff_chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a WAV file, padded to an even length."""
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2)


def _loop_pairs(loop: LoopRegion | None) -> list[tuple[str, str]]:
    if loop is None:
        return []
    length_frames = loop.end_frame - loop.start_frame
    return [("LOOPSTART", str(loop.start_frame)), ("LOOPLENGTH", str(length_frames))]


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def _id3_frame(name: str, text: bytes) -> bytes:
    if name == "COMMENT":
        # The language is unknown, the description empty.
        kind, body = b"COMM", _UTF8 + b"XXX\0" + text
    elif name in _ID3_FRAMES:
        kind, body = _ID3_FRAMES[name], _UTF8 + text
    else:
        kind, body = b"TXXX", _UTF8 + _bytes(name) + b"\0" + text
    return kind + _synchsafe(len(body)) + b"\0\0" + body


def _synchsafe(number: int) -> bytes:
    """Four bytes of seven bits each."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
