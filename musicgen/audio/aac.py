"""AAC, encoded and decoded by a process of its own (aac_process.py).

The process ends with the object that runs it, or when this process dies.
"""

from __future__ import annotations

import contextlib
import errno
import json
import struct
import subprocess
import sys
from importlib import util
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from musicgen.audio.aac_pipe import DATA, END, ERROR, HEADER, READ, SEEK, receive, send
from musicgen.errors import InvalidAudio, UnsupportedFormat

DELAY_FRAMES = 1024
"""Decoded frames before the first one that went into the encoder."""

RATES_HZ = (
    *(7_350, 8_000, 11_025, 12_000, 16_000, 22_050, 24_000),
    *(32_000, 44_100, 48_000, 64_000, 88_200, 96_000),
)
MOST_CHANNELS = 2

Samples = npt.NDArray[np.float32]


def is_available() -> bool:
    """Say whether what encodes and decodes AAC is installed."""
    return util.find_spec("av") is not None


def require() -> None:
    """Raise UnsupportedFormat where AAC can't be encoded and decoded."""
    if not is_available():
        raise UnsupportedFormat(
            "M4A and AAC need an extra part, which is not installed here.",
            remedy="pip install 'musicgen-local[m4a]', or choose another format.",
        )


class _Ended(Exception):
    """The process is not there any more."""


class _Process:
    """A running process and its header. Ends with `close`."""

    def __init__(self, *arguments: str) -> None:
        require()
        self._process = subprocess.Popen(  # noqa: S603 - a module of ours
            [sys.executable, "-m", "musicgen.audio.aac_process", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for whoever runs it
        )
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101 - as above
        self._in: BinaryIO = self._process.stdin  # type: ignore[assignment]  # of bytes
        self._out: BinaryIO = self._process.stdout  # type: ignore[assignment]  # of bytes
        try:
            self.header: dict[str, Any] = json.loads(self._answer(HEADER))
        except BaseException:
            self.close()
            raise

    def ask(self, kind: bytes, content: bytes = b"") -> bytes:
        """Send a command and return its answer. Raises InvalidAudio, _Ended."""
        with contextlib.suppress(BrokenPipeError):  # why it ended, its last answer may tell
            send(self._in, kind, content)
        return self._answer(DATA)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        for pipe in (self._in, self._out):
            with contextlib.suppress(BrokenPipeError):  # what it had not read yet is of no use
                pipe.close()
        self._process.wait()

    def _answer(self, expected: bytes) -> bytes:
        message = receive(self._out)
        if message is None:
            raise _Ended
        kind, content = message
        if kind == ERROR:
            raise InvalidAudio(content.decode())
        assert kind == expected  # noqa: S101 - both sides are ours
        return content


class Encoder:
    """Encodes samples to AAC-LC frames of 1,024. Raises UnsupportedFormat where it can't."""

    def __init__(self, sample_rate_hz: int, channels: int, bits_per_s: int) -> None:
        if sample_rate_hz not in RATES_HZ:
            raise UnsupportedFormat(
                f"M4A can't hold {sample_rate_hz:,} Hz.", remedy="Choose FLAC or WAV."
            )
        if channels > MOST_CHANNELS:
            raise UnsupportedFormat("M4A holds one or two channels.", remedy="Choose FLAC or WAV.")
        try:
            self._process = _Process("encode", *map(str, (sample_rate_hz, channels, bits_per_s)))
        except _Ended as error:
            raise _broken() from error
        self.config: bytes = bytes.fromhex(self._process.header["config"])

    def encode(self, samples: Samples) -> list[bytes]:
        """Encode samples of shape [frames, channels]; returns the AAC frames that are
        ready, about as many as went in. Raises OSError."""
        return self._frames(DATA, samples.astype("<f4").tobytes()) if len(samples) else []

    def finish(self) -> list[bytes]:
        """Return the last AAC frames: all that went in can then be decoded."""
        return self._frames(END)

    def close(self) -> None:
        """End the process; fine to do twice."""
        self._process.close()

    def _frames(self, kind: bytes, content: bytes = b"") -> list[bytes]:
        try:
            answer = self._process.ask(kind, content)
        except (_Ended, InvalidAudio) as error:
            raise _broken() from error
        (count,) = struct.unpack_from("<I", answer)
        sizes = struct.unpack_from(f"<{count}I", answer, 4)
        frames, position = [], 4 + 4 * count
        for size in sizes:
            frames.append(answer[position : position + size])
            position += size
        return frames

    def __enter__(self) -> Encoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Decoder:
    """An open MP4 or ADTS file. `is_m4a` if it is as the studio writes it."""

    def __init__(self, path: Path, container: str) -> None:
        """Open `path`; `container` is "mov" or "aac". Raises InvalidAudio,
        UnsupportedFormat."""
        try:
            self._process = _Process("decode", str(path.absolute()), container)
        except _Ended as error:
            raise _unreadable() from error
        facts = self._process.header
        self.sample_rate_hz: int = facts["rate_hz"]
        self.channels: int = facts["channels"]
        self.duration_frames: int = facts["frames"]
        self.bits: int = facts["bits"]
        self.is_m4a: bool = facts["m4a"]

    def seek(self, frame: int) -> None:
        """Go to a frame, counted from the start. Raises InvalidAudio."""
        self._ask(SEEK, struct.pack("<Q", frame))

    def read(self, frames: int) -> Samples:
        """Read up to `frames` frames, shape [frames, channels]; fewer at the end."""
        pcm = self._ask(READ, struct.pack("<I", frames))
        samples = np.frombuffer(pcm, "<f4").astype(np.float32)
        return samples.reshape(-1, self.channels)  # [frames * channels] -> [frames, channels]

    def close(self) -> None:
        """End the process; fine to do twice."""
        self._process.close()

    def _ask(self, kind: bytes, content: bytes) -> bytes:
        try:
            return self._process.ask(kind, content)
        except _Ended as error:
            raise _unreadable() from error


def container_of(head: bytes) -> str | None:
    """Return "mov" or "aac" for the first bytes of a file that only this module reads."""
    if head[4:8] == b"ftyp":
        return "mov"
    # ADTS: twelve bits set, then any version and layer 0. An MP3 has another layer.
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "aac"
    return None


def _broken() -> OSError:
    return OSError(errno.EIO, "The AAC encoder ended unexpectedly")


def _unreadable() -> InvalidAudio:
    return InvalidAudio("The audio is broken (its decoder ended unexpectedly).")
