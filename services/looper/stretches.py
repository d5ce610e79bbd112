"""Audio that can be read again and again, block by block: from memory, from a file, joined."""

from __future__ import annotations

import abc
from collections.abc import Iterator

import numpy as np

from musicgen.audio.codecs import BLOCK_FRAMES, AudioReader, Samples
from musicgen.errors import InvalidAudio


class Stretch(abc.ABC):
    """Audio of a known length that can be read again and again, block by block."""

    frames: int

    @abc.abstractmethod
    def blocks(self, start_frame: int = 0) -> Iterator[Samples]:
        """Yield the audio from `start_frame` on, shape [1 to BLOCK_FRAMES, channels] each."""


class Held(Stretch):
    """Audio in memory, shape [frames, channels]."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self.frames = len(samples)

    def blocks(self, start_frame: int = 0) -> Iterator[Samples]:
        """Yield the audio from `start_frame` on."""
        for start in range(start_frame, self.frames, BLOCK_FRAMES):
            yield self.samples[start : start + BLOCK_FRAMES]


class Span(Stretch):
    """[start_frame, end_frame) of a file. Raises InvalidAudio where the file ends early."""

    def __init__(self, reader: AudioReader, start_frame: int, end_frame: int) -> None:
        self._reader, self._start = reader, start_frame
        self.frames = max(0, end_frame - start_frame)

    def blocks(self, start_frame: int = 0) -> Iterator[Samples]:
        """Yield the audio from `start_frame` on."""
        place, end = self._start + start_frame, self._start + self.frames
        while place < end:
            # Each time anew: others may have read from the same file in between.
            self._reader.seek(place)
            block = self._reader.read(min(BLOCK_FRAMES, end - place))
            if not len(block):
                raise InvalidAudio("The audio ends before the loop's end; it is cut off.")
            place += len(block)
            yield block


class Joined(Stretch):
    """Several stretches, one after the other."""

    def __init__(self, *parts: Stretch) -> None:
        self._parts = [part for part in parts if part.frames]
        self.frames = sum(part.frames for part in self._parts)

    def blocks(self, start_frame: int = 0) -> Iterator[Samples]:
        """Yield the audio from `start_frame` on."""
        for part in self._parts:
            if start_frame < part.frames:
                yield from part.blocks(start_frame)
            start_frame = max(0, start_frame - part.frames)


def cut(blocks: Iterator[Samples], frames: int) -> Iterator[Samples]:
    """Yield the first `frames` of blocks that hold at least so many."""
    left = frames
    while left > 0:
        block = next(blocks)[:left]
        left -= len(block)
        yield block


def taken(blocks: Iterator[Samples], frames: int) -> Samples:
    """Return the first `frames`, 1 or more, in one piece [frames, channels]."""
    return np.concatenate(list(cut(blocks, frames)))
