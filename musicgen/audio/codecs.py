"""Reading and writing audio files in blocks, through libsndfile.

Samples are float32 arrays of shape [frames, channels], nominally -1 to 1.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import soundfile

from musicgen.errors import InvalidAudio

BLOCK_FRAMES = 65_536
"""Frames per read and write. libsndfile crashes on minutes of audio in one call."""

RIFF_LIMIT_BYTES = (1 << 32) - 4096
"""A WAV file that would grow past this is written as RF64."""

Samples = npt.NDArray[np.float32]


class Format(enum.Enum):
    """A container and codec: its file extension, media type and libsndfile names."""

    FLAC = ("flac", "audio/flac", "FLAC")
    WAV = ("wav", "audio/wav", "WAV")
    MP3 = ("mp3", "audio/mpeg", "MP3")

    def __init__(self, extension: str, media_type: str, container: str) -> None:
        self.extension = extension
        self.media_type = media_type
        self.container = container


@dataclass(frozen=True, slots=True)
class Properties:
    """Facts of an audio file. A frame is one sample of every channel."""

    format: Format | None
    sample_rate_hz: int
    channels: int
    duration_frames: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.duration_frames / self.sample_rate_hz


_FORMATS = {
    "FLAC": Format.FLAC,
    "WAV": Format.WAV,
    "WAVEX": Format.WAV,
    "RF64": Format.WAV,
    "MP3": Format.MP3,
    "MPEG": Format.MP3,
}


_FINER_THAN_16_BITS = frozenset({"PCM_24", "PCM_32", "FLOAT", "DOUBLE"})


@contextlib.contextmanager
def _broken_is_invalid() -> Iterator[None]:
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise InvalidAudio(f"The audio is broken ({_cause(error)}).") from error


def _cause(error: soundfile.LibsndfileError | OSError) -> str:
    """Return what is wrong, without the file's path: clients are told of it."""
    if isinstance(error, soundfile.LibsndfileError):
        return str(error.error_string).removeprefix("Error : ").rstrip(".")
    return error.strerror or type(error).__name__


class AudioReader:
    """An open audio file. `format` in `properties` is None for one we don't write."""

    def __init__(self, path: Path) -> None:
        """Open `path`. Raises InvalidAudio if it is no audio that can be read."""
        try:
            self._file = soundfile.SoundFile(path)
        except (soundfile.LibsndfileError, OSError) as error:
            raise InvalidAudio(f"The audio can't be read ({_cause(error)}).") from error
        self.properties = Properties(
            _FORMATS.get(self._file.format),
            self._file.samplerate,
            self._file.channels,
            self._file.frames,
        )

    @property
    def bits(self) -> int:
        """PCM bits that keep what the file holds: 16, or 24 if it is finer than that.
        A decoder's output of a lossy file counts as 16."""
        return 24 if self._file.subtype in _FINER_THAN_16_BITS else 16

    def seek(self, frame: int) -> None:
        """Go to a frame, counted from the start. Raises InvalidAudio."""
        with _broken_is_invalid():
            self._file.seek(frame)

    def read(self, frames: int) -> Samples:
        """Read up to `frames` frames; fewer at the end. Shape [frames, channels].

        Raises InvalidAudio where the file is broken.
        """
        with _broken_is_invalid():
            return self._file.read(frames, dtype="float32", always_2d=True)  # type: ignore[no-any-return]  # soundfile is untyped

    def blocks(self, frames: int = BLOCK_FRAMES) -> Iterator[Samples]:
        """Yield the rest of the file in blocks of shape [frames, channels]."""
        while len(block := self.read(frames)):
            yield block

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


class AudioWriter:
    """An audio file being written. PCM is 16 bits unless `bits` says 24."""

    def __init__(
        self,
        path: Path,
        format: Format,
        sample_rate_hz: int,
        channels: int,
        *,
        bits: int = 16,
        expected_frames: int = 0,
    ) -> None:
        """Create `path`. `expected_frames` decides whether a WAV must be RF64."""
        self._folder = path.parent
        container, subtype = format.container, f"PCM_{bits}"
        if format is Format.MP3:
            subtype = "MPEG_LAYER_III"
        elif format is Format.WAV and expected_frames * channels * bits // 8 > RIFF_LIMIT_BYTES:
            container = "RF64"
        self._file = soundfile.SoundFile(
            path,
            mode="w",
            samplerate=sample_rate_hz,
            channels=channels,
            format=container,
            subtype=subtype,
            # 0 is the best and biggest: about 256 kbit/s for a stereo MP3.
            compression_level=0.0 if format is Format.MP3 else None,
        )

    def write(self, samples: Samples) -> None:
        """Append samples of shape [frames, channels], clipping beyond full scale.

        Raises OSError (ENOSPC when the disk is full).
        """
        with self._failure_is_os_error():
            for start in range(0, len(samples), BLOCK_FRAMES):
                self._file.write(np.clip(samples[start : start + BLOCK_FRAMES], -1.0, 1.0))

    @contextlib.contextmanager
    def _failure_is_os_error(self) -> Iterator[None]:
        # libsndfile says "System error" and keeps errno to itself.
        try:
            yield
        except soundfile.LibsndfileError as error:
            full = shutil.disk_usage(self._folder).free < BLOCK_FRAMES
            raise OSError(
                errno.ENOSPC if full else errno.EIO, f"Writing failed: {error}"
            ) from error

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._failure_is_os_error():
            self._file.close()


def probe(path: Path) -> Properties:
    """Read the facts of an audio file. Raises InvalidAudio."""
    with AudioReader(path) as reader:
        return reader.properties
