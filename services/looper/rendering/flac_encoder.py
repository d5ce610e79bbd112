"""PCM encoded by libsndfile into FLAC frames, which are caught one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import soundfile

from musicgen.audio.codecs import BLOCK_FRAMES
from musicgen.errors import Internal
from services.looper.rendering.flac_frames import Frames, take_apart
from services.looper.rendering.spool import Bytes

BLOCK_SAMPLES = 4096
"""Samples of each channel in every frame but the last of a stretch."""

_METADATA_PIECES = 3
"""The signature, STREAMINFO and the comment are written before the first frame."""

_BATCH_FRAMES = 128


@dataclass(frozen=True, slots=True)
class Form:
    """The form of PCM: little-endian of 16 or 24 bits, channels interleaved."""

    sample_rate_hz: int
    channels: int
    bits: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.bits // 8


def encode(
    pieces: Iterable[Bytes], form: Form, poll: Callable[[], None]
) -> Iterator[tuple[Frames, list[memoryview]]]:
    """Yield batches of FLAC frames and their bodies for PCM in pieces of whole frames.

    `poll` is called many times a second; what it raises ends the encoding. Raises Internal
    if the encoder does not give what was seen of it.
    """
    catcher = _Catcher()
    given_samples = caught_samples = 0

    def batch() -> tuple[Frames, list[memoryview]]:
        nonlocal caught_samples
        if caught_samples % BLOCK_SAMPLES:
            raise Internal("The FLAC encoder gave a short block before the end.")
        frames, bodies = take_apart(catcher.take())
        if (frames.sizes[:-1] != BLOCK_SAMPLES).any():
            raise Internal("The FLAC encoder gave blocks of another size.")
        caught_samples += frames.samples
        return frames, bodies

    with soundfile.SoundFile(
        catcher,
        mode="w",
        samplerate=form.sample_rate_hz,
        channels=form.channels,
        format="FLAC",
        subtype=f"PCM_{form.bits}",
    ) as encoder:
        for piece in pieces:
            poll()
            for start in range(0, len(piece), BLOCK_FRAMES * form.frame_bytes):
                poll()
                _write(encoder, piece[start : start + BLOCK_FRAMES * form.frame_bytes], form)
            given_samples += len(piece) // form.frame_bytes
            if len(catcher.frames) >= _BATCH_FRAMES:
                yield batch()
    if catcher.frames:
        yield batch()
    if caught_samples != given_samples:
        raise Internal("The FLAC encoder lost some of the audio.")


def _write(encoder: soundfile.SoundFile, pcm: Bytes, form: Form) -> None:
    if form.bits == 16:
        encoder.buffer_write(pcm, dtype="int16")
        return
    wide = np.zeros((len(pcm) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(pcm, np.uint8).reshape(-1, 3)
    encoder.buffer_write(wide, dtype="int32")


class _Catcher:
    """A file that libsndfile writes to, a frame with each call. What it writes when it
    goes back into the metadata at its end is of no use here."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self._pieces = self._place = self._end = 0

    def take(self) -> list[bytes]:
        """Return the frames that came since the last call."""
        taken, self.frames = self.frames, []
        return taken

    def write(self, data: bytes) -> int:
        if self._place == self._end:
            self._end += len(data)
            self._pieces += 1
            if self._pieces > _METADATA_PIECES:
                self.frames.append(data)
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end}
        self._place = bases[whence] + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, _: int = -1) -> bytes:
        return b""
