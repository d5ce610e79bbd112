"""Writing M4A block by block: AAC frames as they come, the tables at the end."""

from __future__ import annotations

from array import array
from pathlib import Path
from types import TracebackType

import numpy as np

from musicgen.audio import aac, mp4
from musicgen.audio.aac import DELAY_FRAMES, Samples


def bits_per_s(sample_rate_hz: int, channels: int) -> int:
    """Return the bit rate: 192 kbit/s in stereo, less where there is less to hold."""
    return round(96_000 * channels * min(1.0, sample_rate_hz / 44_100))


def silence_before(length_frames: int) -> int:
    """Return how many frames of silence, left out again by every player, make the end of
    `length_frames` that of an AAC frame: not every player leaves out what comes after."""
    return -length_frames % mp4.FRAME


class M4aWriter:
    """An M4A file being written. `expected_frames` is how long it will be, 0 if unknown;
    a wrong number costs no more than a few samples of silence in simple players.

    Raises UnsupportedFormat, OSError.
    """

    def __init__(
        self, path: Path, sample_rate_hz: int, channels: int, *, expected_frames: int = 0
    ) -> None:
        self._rate_hz, self._channels = sample_rate_hz, channels
        rate = bits_per_s(sample_rate_hz, channels)
        self._encoder = aac.Encoder(sample_rate_hz, channels, rate)
        self._sizes = array("I")
        self._length_frames = 0
        self._silence_frames = silence_before(expected_frames)
        try:
            self._file = path.open("wb")
            self._file.write(mp4.begin())
            self._put(np.zeros((self._silence_frames, channels), np.float32))
        except BaseException:
            self._encoder.close()
            raise

    def write(self, samples: Samples) -> None:
        """Append samples of shape [frames, channels]."""
        self._put(samples)
        self._length_frames += len(samples)

    def close(self) -> None:
        """Finish the file."""
        try:
            self._keep(self._encoder.finish())
            stream = mp4.Stream(
                self._rate_hz,
                self._channels,
                self._encoder.config,
                np.frombuffer(self._sizes, np.uintc).astype(np.uint32),
                DELAY_FRAMES + self._silence_frames,
                self._length_frames,
            )
            self._file.write(mp4.end(stream))
            self._file.seek(len(mp4.begin()) - 8)
            self._file.write(mp4.data_size(stream.data_bytes))
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._encoder.close()
        self._file.close()

    def _put(self, samples: Samples) -> None:
        self._keep(self._encoder.encode(samples))

    def _keep(self, frames: list[bytes]) -> None:
        self._sizes.extend(map(len, frames))
        self._file.write(b"".join(frames))

    def __enter__(self) -> M4aWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()
