"""The program that encodes and decodes AAC, run by aac.py as a process of its own.

The one module that imports PyAV, whose wheels carry GPL code (decision 14). Each command
on stdin gets one answer on stdout, so neither side ever waits for the other's pipe to be
emptied; when stdin ends, so does the program.

    python -m musicgen.audio.aac_process encode RATE CHANNELS BITS_PER_S
    python -m musicgen.audio.aac_process decode FILE CONTAINER
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import av
import av.audio
from av.codec.context import Flags2

from musicgen.audio import mp4_boxes
from musicgen.audio.aac_pipe import DATA, END, ERROR, HEADER, READ, SEEK, receive, send
from musicgen.errors import InvalidAudio

_SAMPLE_BYTES = 4
_PREROLL_FRAMES = 16 * 1024
"""Decoded and dropped before what was asked for: a frame leans on those before it, and
where treble is made from bass (SBR) on several."""

_MISSING_FRAMES = 4096
"""A file may end this much earlier than it says; more means that it was cut off."""

_CODECS = ("aac", "alac")


class _Encoder:
    """Float32 samples to AAC frames."""

    def __init__(self, rate_hz: int, channels: int, bits_per_s: int) -> None:
        self._rate_hz, self._channels = rate_hz, channels
        self._layout = "mono" if channels == 1 else "stereo"
        self._position = 0
        codec: Any = av.CodecContext.create("aac", "w")
        codec.sample_rate, codec.layout, codec.format = rate_hz, self._layout, "fltp"
        codec.bit_rate = bits_per_s
        # Noise in place of noise, another each time, is no saving at this bit rate.
        codec.options = {"aac_pns": "0"}
        codec.open()
        self._codec = codec

    def header(self) -> bytes:
        """Say what the decoder needs to know."""
        return json.dumps({"config": self._codec.extradata.hex()}).encode()

    def encode(self, pcm: bytes) -> bytes:
        """Encode interleaved samples; returns the frames that are ready."""
        samples = len(pcm) // (_SAMPLE_BYTES * self._channels)
        frame = av.AudioFrame(format="flt", layout=self._layout, samples=samples)
        frame.sample_rate, frame.pts = self._rate_hz, self._position
        room = frame.planes[0].buffer_size  # rounded up
        frame.planes[0].update(pcm + bytes(room - len(pcm)))
        self._position += samples
        return _framed(self._codec.encode(frame))

    def finish(self) -> bytes:
        """Return the last frames."""
        return _framed(self._codec.encode(None))


def _framed(packets: list[Any]) -> bytes:
    """Return how many frames there are, their sizes, and then the frames."""
    frames = [bytes(packet) for packet in packets]
    sizes = struct.pack(f"<{len(frames) + 1}I", len(frames), *map(len, frames))
    return b"".join((sizes, *frames))


class _Decoder:
    """An AAC or ALAC file. Positions are frames of what is heard, from 0."""

    def __init__(self, path: Path, container: str) -> None:
        self._mp4 = container == "mov"
        timing = _timing(path) if self._mp4 else None
        # The demuxer shows every sample; what is heard of them is for _timing to say.
        options = {"codec_whitelist": ",".join(_CODECS), "protocol_whitelist": "file"}
        if self._mp4:
            options["ignore_editlist"] = "1"
        self._file = av.open(
            f"file:{path}", format=container, options=options, metadata_errors="ignore"
        )
        streams = self._file.streams.audio
        codec = streams[0].codec_context if streams else None
        # None where FFmpeg doesn't know it.
        if codec is None or codec.name not in _CODECS or not (codec.sample_rate and codec.channels):
            raise InvalidAudio("The file holds neither AAC nor ALAC.")
        self._stream = streams[0]
        codec.flags2 |= Flags2.skip_manual
        self.rate_hz, self.channels = codec.sample_rate, codec.channels
        scale = self.rate_hz / timing.ticks_per_s if timing else 1.0
        self._delay = round(timing.delay * scale) if timing else 0
        length = timing.length if timing else None
        self.length = self._counted() if length is None else round(length * scale)
        self._position = 0
        self._waiting = b""
        self._resampler = av.AudioResampler(format="flt")
        self._blocks = self._decoded(0)

    def header(self) -> bytes:
        """Say what the file holds."""
        codec = self._stream.codec_context
        plain = self._mp4 and codec.name == "aac" and not self._file.streams.video
        facts = {
            "rate_hz": self.rate_hz,
            "channels": self.channels,
            "frames": self.length,
            "m4a": plain,
            "bits": 24 if codec.name == "alac" and "32" in codec.format.name else 16,
        }
        return json.dumps(facts).encode()

    def seek(self, frame: int) -> bytes:
        """Go to a frame."""
        self._position = frame
        self._waiting = b""
        self._blocks = self._decoded(frame)
        return b""

    def read(self, frames: int) -> bytes:
        """Return up to `frames` frames, interleaved; fewer at the end only."""
        size = self.channels * _SAMPLE_BYTES
        frames = max(0, min(frames, self.length - self._position))
        pieces, missing = [self._waiting], frames * size - len(self._waiting)
        while missing > 0:
            block = next(self._blocks, b"")
            if not block:
                if missing > _MISSING_FRAMES * size:
                    raise InvalidAudio("The audio breaks off.")
                block = bytes(missing)
            pieces.append(block)
            missing -= len(block)
        whole = b"".join(pieces)
        self._waiting = whole[frames * size :]
        self._position += frames
        return whole[: frames * size]

    def _decoded(self, start: int) -> Iterator[bytes]:
        """Yield the samples from frame `start` on, interleaved, in pieces."""
        wanted = start + self._delay
        tick_s = self._stream.time_base or 1
        # ADTS has no table of frames: it is decoded from its start.
        target = max(0, wanted - _PREROLL_FRAMES) if self._mp4 else 0
        self._file.seek(int(target / self.rate_hz / tick_s), stream=self._stream, backward=True)
        size = self.channels * _SAMPLE_BYTES
        position: int | None = None
        for frame in self._file.decode(self._stream):
            if frame.sample_rate != self.rate_hz or frame.layout.nb_channels != self.channels:
                raise InvalidAudio("The audio changes its rate or channels.")
            if position is None:
                position = round((frame.pts or 0) * tick_s * self.rate_hz) if self._mp4 else 0
            end = position + frame.samples
            if end > wanted:
                for packed in self._resampler.resample(frame):
                    pcm = bytes(packed.planes[0])[: packed.samples * size]
                    yield pcm[max(0, wanted - position) * size :]
            position = end

    def _counted(self) -> int:
        """Return how many frames the packets last."""
        tick_s = self._stream.time_base or 1
        ticks = sum(packet.duration or 0 for packet in self._file.demux(self._stream))
        return max(0, round(ticks * tick_s * self.rate_hz) - self._delay)


def _timing(path: Path) -> mp4_boxes.Timing | None:
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        moov = mp4_boxes.read_movie(file, size_bytes)
    track = mp4_boxes.sound_track(moov)
    if track is None:
        raise InvalidAudio("The MP4 file holds no sound.")
    return mp4_boxes.timing(moov, track)


def _serve(make: Any, stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Answer commands until stdin ends."""
    worker: Any = None
    try:
        worker = make()
        send(stdout, HEADER, worker.header())
        while (command := receive(stdin)) is not None:
            kind, content = command
            if kind == DATA:
                answer = worker.encode(content)
            elif kind == END:
                answer = worker.finish()
            elif kind == SEEK:
                answer = worker.seek(*struct.unpack("<Q", content))
            elif kind == READ:
                answer = worker.read(*struct.unpack("<I", content))
            send(stdout, DATA, answer)
    except InvalidAudio as error:
        send(stdout, ERROR, error.message.encode())
    except av.FFmpegError as error:
        # Without the path, which its str() would show.
        send(stdout, ERROR, f"The audio is broken ({error.strerror}).".encode())
    except BrokenPipeError:
        raise
    except Exception as error:  # whatever a file brings about, its reader must be told
        send(stdout, ERROR, f"The audio is broken ({type(error).__name__}).".encode())


def main(arguments: list[str]) -> NoReturn:
    """Run the program."""
    match arguments:
        case ["encode", rate, channels, bits]:

            def make() -> _Encoder | _Decoder:
                return _Encoder(int(rate), int(channels), int(bits))

        case ["decode", path, container] if container in ("mov", "aac"):

            def make() -> _Encoder | _Decoder:
                return _Decoder(Path(path), container)

        case _:
            sys.exit(__doc__)
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        _serve(make, sys.stdin.buffer, sys.stdout.buffer)
    os._exit(0)  # at once: the interpreter would flush the broken pipe again


if __name__ == "__main__":
    main(sys.argv[1:])
