"""Encoding with libsndfile, with what it writes at hand while it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator

import soundfile

from musicgen.audio.codecs import Samples


class Tape:
    """The file that libsndfile believes it writes: bytes are taken off as they come, and
    what is written over the start of it afterwards is kept apart."""

    def __init__(self) -> None:
        self.start = b""
        self._waiting = bytearray()
        self._size = self._place = 0

    def take(self) -> bytes:
        """Return what was written since this was asked for last."""
        data = bytes(self._waiting)
        self._waiting.clear()
        return data

    def write(self, data: bytes) -> int:
        """Take bytes from libsndfile."""
        if self._place == self._size:
            self._waiting += data
            self._size += len(data)
        else:
            self.start = bytes(data)
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, if only to see where that is."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = origin + offset
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place


def encoded(
    blocks: Iterator[Samples],
    tape: Tape,
    *,
    sample_rate_hz: int,
    channels: int,
    container: str,
    subtype: str,
    level: float,
    bitrate_mode: str | None = None,
) -> Iterator[bytes]:
    """Yield the encoded bytes, about a block's at a time; a block is no more than
    BLOCK_FRAMES. `level` is libsndfile's compression level, 0 (biggest) to 1."""
    with soundfile.SoundFile(
        tape,
        mode="w",
        samplerate=sample_rate_hz,
        channels=channels,
        format=container,
        subtype=subtype,
        compression_level=level,
        bitrate_mode=bitrate_mode,
    ) as file:
        for block in blocks:
            file.write(block)
            yield tape.take()
    yield tape.take()
