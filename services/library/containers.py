"""Where tags lie in FLAC, WAV and MP3 files (of Ogg and MP4 their own modules know), and
copying a file with other tags.

The audio itself is copied byte by byte, never decoded: its samples can't change.
A copy is written in chunks, so that it needs little memory and can be stopped.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from musicgen.audio.codecs import Format
from musicgen.errors import InvalidAudio
from services.library import mp4_container, ogg_container, tags
from services.library.layouts import Layout
from services.library.track import Track

_CHUNK_BYTES = 1 << 20
_RIFF_LARGEST = (1 << 32) - 2
_METADATA_LIMIT_BYTES = 64 << 20

Tick = Callable[[int], None]
"""Told how many bytes were copied; what it raises ends the copying."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was written."""

    sha256: str
    size_bytes: int


def copy_tagged(
    source: Path, target: Path, format: Format, track: Track, tick: Tick | None = None
) -> Copied:
    """Write `target` with the audio of `source` and the tags of `track`.

    Raises InvalidAudio if the container is broken, OSError if writing fails. `target`
    is not yet durable.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    with source.open("rb") as reader, target.open("wb") as writer:

        def put(data: bytes) -> None:
            nonlocal size_bytes
            writer.write(data)
            digest.update(data)
            size_bytes += len(data)
            if tick:
                tick(len(data))

        layout = _LAYOUTS[format](reader, source.stat().st_size, track)
        put(layout.head)
        pieces = _pieces(reader, layout.body)
        for piece in layout.edit(pieces) if layout.edit else pieces:
            put(piece)
        put(layout.tail)
    return Copied(digest.hexdigest(), size_bytes)


def _pieces(file: BinaryIO, ranges: tuple[tuple[int, int], ...]) -> Iterator[bytes]:
    for start, end in ranges:
        file.seek(start)
        left = end - start
        while left and (chunk := file.read(min(_CHUNK_BYTES, left))):
            yield chunk
            left -= len(chunk)


def _flac(file: BinaryIO, size_bytes: int, track: Track) -> Layout:
    if file.read(4) != b"fLaC":
        raise InvalidAudio("The FLAC file does not begin as one.")
    position, last = 4, False
    while not last:
        header = file.read(4)
        if len(header) < 4 or position > _METADATA_LIMIT_BYTES:
            raise InvalidAudio("The FLAC file's metadata has no end.")
        last = bool(header[0] & 0x80)
        position += 4 + int.from_bytes(header[1:], "big")
        file.seek(position)
    file.seek(0)
    head = tags.flac_head(file.read(position), track)
    return Layout(head, ((position, size_bytes),), b"")


def _mp3(file: BinaryIO, size_bytes: int, track: Track) -> Layout:
    start, end, old = 0, size_bytes, b""
    header = file.read(10)
    if len(header) == 10 and header.startswith(b"ID3"):
        # Four bytes of seven bits each, and a footer of ten bytes if the flag says so.
        length = sum((byte & 0x7F) << shift for byte, shift in zip(header[6:], (21, 14, 7, 0)))  # noqa: B905 - both have four
        start = 10 + length + (10 if header[5] & 0x10 else 0)
        file.seek(0)
        old = file.read(10 + length) if length < _METADATA_LIMIT_BYTES else b""
    if size_bytes - start >= 128:
        file.seek(size_bytes - 128)
        # An ID3v1 tag would contradict the new one.
        end -= 128 if file.read(3) == b"TAG" else 0
    return Layout(tags.id3_tag(old, track), ((start, end),), b"")


def _wav(file: BinaryIO, size_bytes: int, track: Track) -> Layout:
    kind, _, form = struct.unpack("<4sI4s", _exactly(file, 12))
    if kind not in (b"RIFF", b"RF64") or form != b"WAVE":
        raise InvalidAudio("The WAV file does not begin as one.")
    position, data_bytes, old = 12, 0, b""
    body: list[tuple[int, int]] = []
    while position + 8 <= size_bytes:
        file.seek(position)
        chunk, length = struct.unpack("<4sI", _exactly(file, 8))
        if chunk == b"ds64":
            _, data_bytes = struct.unpack("<QQ", _exactly(file, 16))
        if chunk == b"data" and length == 0xFFFFFFFF and kind == b"RF64":
            length = data_bytes
        end = min(position + 8 + length + length % 2, size_bytes)
        if chunk.lower() == b"id3 ":
            old = file.read(min(length, _METADATA_LIMIT_BYTES))
        else:
            body.append((position, end))
        position = end
    tag = tags.id3_tag(old, track)
    pad = sum(end - start for start, end in body) % 2
    tail = b"\0" * pad + struct.pack("<4sI", b"id3 ", len(tag)) + tag + b"\0" * (len(tag) % 2)
    riff_bytes = 4 + sum(end - start for start, end in body) + len(tail)
    if kind == b"RIFF":
        if riff_bytes > _RIFF_LARGEST:
            # Full to the brim: such a file keeps its tags in the sidecar only.
            return Layout(b"", ((0, size_bytes),), b"")
        return Layout(struct.pack("<4sI4s", kind, riff_bytes, form), tuple(body), tail)
    # RF64: the size lies in the first eight bytes of the ds64 chunk, which comes first.
    start, end = body[0] if body else (0, 0)
    file.seek(start)
    ds64 = file.read(8)
    if ds64[:4] != b"ds64" or end - start < 16:
        raise InvalidAudio("The RF64 file lacks its sizes.")
    head = struct.pack("<4sI4s", kind, 0xFFFFFFFF, form) + ds64 + struct.pack("<Q", riff_bytes)
    return Layout(head, ((start + 16, end), *body[1:]), tail)


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise InvalidAudio("The WAV file breaks off.")
    return data


_LAYOUTS: dict[Format, Callable[[BinaryIO, int, Track], Layout]] = {
    Format.FLAC: _flac,
    Format.WAV: _wav,
    Format.MP3: _mp3,
    Format.OPUS: ogg_container.layout,
    Format.OGG: ogg_container.layout,
    Format.M4A: mp4_container.layout,
}
