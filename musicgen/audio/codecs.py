"""Reading and writing audio files in blocks: through libsndfile, and M4A through aac.py.

Samples are float32 arrays of shape [frames, channels], nominally -1 to 1.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import soundfile

from musicgen.audio import aac
from musicgen.audio.formats import Format, Properties, check_writable, written_rate_hz
from musicgen.audio.m4a import M4aWriter
from musicgen.audio.resampling import Resampler
from musicgen.errors import InvalidAudio

__all__ = [
    "BLOCK_FRAMES",
    "AudioReader",
    "AudioWriter",
    "Format",
    "Properties",
    "Samples",
    "check_writable",
    "probe",
    "written_rate_hz",
]

BLOCK_FRAMES = 65_536
"""Frames per read and write. libsndfile crashes on minutes of audio in one call."""

RIFF_LIMIT_BYTES = (1 << 32) - 4096
"""A WAV file that would grow past this is written as RF64."""

Samples = npt.NDArray[np.float32]


_FORMATS = {
    "FLAC": Format.FLAC,
    "WAV": Format.WAV,
    "WAVEX": Format.WAV,
    "RF64": Format.WAV,
    "MP3": Format.MP3,
    "MPEG": Format.MP3,
}
_OGG_FORMATS = {"OPUS": Format.OPUS, "VORBIS": Format.OGG}

_FINER_THAN_16_BITS = frozenset({"PCM_24", "PCM_32", "FLOAT", "DOUBLE"})

_UNBOUNDED = frozenset({"FLOAT", "DOUBLE"})
_MOST = 1e3
"""60 dB over full scale: a float file may well hold more than 1, but such a value is no sound
any more, and encoders crash at worse."""

_PREROLL_FRAMES = 8_192
"""libsndfile gives other samples than it should for up to this long after a seek in these:
their frames lean on those before."""
_LEANING = frozenset({"VORBIS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"})

# libsndfile's compression levels, from 0 (best and biggest) to 1.
_LEVELS = {
    Format.MP3: 0.0,  # about 256 kbit/s in stereo
    Format.OPUS: 0.768,  # 64 kbit/s a channel
    Format.OGG: 0.4,  # quality 6, about 192 kbit/s in stereo
}
_SUBTYPES = {Format.MP3: "MPEG_LAYER_III", Format.OPUS: "OPUS", Format.OGG: "VORBIS"}


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
        """Open `path`. Raises InvalidAudio if it is no audio that can be read, and
        UnsupportedFormat for M4A where the part that reads it is missing."""
        self._file: _Sndfile | aac.Decoder
        try:
            with path.open("rb") as file:
                container = aac.container_of(file.read(12))
        except OSError as error:
            raise InvalidAudio(f"The audio can't be read ({_cause(error)}).") from error
        if container is None:
            self._file = _Sndfile(path)
            format = self._file.format
        else:
            self._file = aac.Decoder(path, container)
            format = Format.M4A if self._file.is_m4a else None
        self.properties = Properties(
            format, self._file.sample_rate_hz, self._file.channels, self._file.duration_frames
        )
        self._position = 0

    @property
    def bits(self) -> int:
        """PCM bits that keep what the file holds: 16, or 24 if it is finer than that.
        A decoder's output of a lossy file counts as 16."""
        return self._file.bits

    def seek(self, frame: int) -> None:
        """Go to a frame, counted from the start. Raises InvalidAudio."""
        if frame != self._position:  # readers of block after block say where they are
            self._file.seek(frame)
            self._position = frame

    def read(self, frames: int) -> Samples:
        """Read up to `frames` frames; fewer at the end. Shape [frames, channels].

        Raises InvalidAudio where the file is broken.
        """
        block = self._file.read(frames)
        self._position += len(block)
        return block

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


class _ReadOnwards(soundfile.SoundFile):  # type: ignore[misc]  # soundfile is untyped
    """soundfile seeks after each read in what it takes for seekable, be it to where it is
    already. In an MP3 the samples after that are others than they should be."""

    def seekable(self) -> bool:
        return False


class _Sndfile:
    """A file that libsndfile reads."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = _ReadOnwards(os.fsencode(path))  # a name need not be UTF-8
        except (soundfile.LibsndfileError, OSError) as error:
            raise InvalidAudio(f"The audio can't be read ({_cause(error)}).") from error
        subtype = self._file.subtype
        self.format = (
            _OGG_FORMATS.get(subtype)
            if self._file.format == "OGG"
            else _FORMATS.get(self._file.format)
        )
        self.sample_rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.duration_frames: int = self._file.frames
        self.bits = 24 if subtype in _FINER_THAN_16_BITS else 16
        self._preroll_frames = _PREROLL_FRAMES if subtype in _LEANING else 0
        self._unbounded = subtype in _UNBOUNDED

    def seek(self, frame: int) -> None:
        before = max(0, frame - self._preroll_frames)
        with _broken_is_invalid():
            self._file.seek(before)
            self._file.read(frame - before, dtype="float32")

    def read(self, frames: int) -> Samples:
        with _broken_is_invalid():
            block: Samples = self._file.read(frames, dtype="float32", always_2d=True)
        # The other way round it would let NaN pass.
        if self._unbounded and block.size and not np.abs(block).max() <= _MOST:
            raise InvalidAudio(
                "The audio holds samples that are no sound: infinite, no number, or 60 dB over"
                " full scale.",
                remedy="Export it again from the program that it comes from.",
            )
        return block

    def close(self) -> None:
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
        """Create `path`. `expected_frames` decides whether a WAV must be RF64, and where
        in an M4A's last AAC frame its end falls. Raises UnsupportedFormat."""
        check_writable(format, sample_rate_hz, channels)
        self._folder = path.parent
        rate_hz = written_rate_hz(sample_rate_hz, format)
        self._resampler = (
            Resampler(sample_rate_hz, rate_hz, channels) if rate_hz != sample_rate_hz else None
        )
        self._m4a: M4aWriter | None = None
        if format is Format.M4A:
            self._m4a = M4aWriter(path, rate_hz, channels, expected_frames=expected_frames)
            return
        container, subtype = format.container, _SUBTYPES.get(format, f"PCM_{bits}")
        if format is Format.WAV and expected_frames * channels * bits // 8 > RIFF_LIMIT_BYTES:
            container = "RF64"
        self._file = soundfile.SoundFile(
            path,
            mode="w",
            samplerate=rate_hz,
            channels=channels,
            format=container,
            subtype=subtype,
            compression_level=_LEVELS.get(format),
        )

    def write(self, samples: Samples) -> None:
        """Append samples of shape [frames, channels], clipping beyond full scale.

        Raises OSError (ENOSPC when the disk is full).
        """
        for start in range(0, len(samples), BLOCK_FRAMES):
            block = samples[start : start + BLOCK_FRAMES]
            self._put(self._resampler.convert(block) if self._resampler else block)

    def _put(self, samples: Samples) -> None:
        # Resampled blocks may be longer than those that went in.
        for start in range(0, len(samples), BLOCK_FRAMES):
            block = np.clip(samples[start : start + BLOCK_FRAMES], -1.0, 1.0)
            if self._m4a:
                self._m4a.write(block)
                continue
            with self._failure_is_os_error():
                self._file.write(block)

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
        try:
            if self._resampler and error is None:
                self._put(self._resampler.finish())
        finally:
            if self._m4a:
                self._m4a.__exit__(kind, error, trace)
            else:
                with self._failure_is_os_error():
                    self._file.close()


def probe(path: Path) -> Properties:
    """Read the facts of an audio file. Raises InvalidAudio."""
    with AudioReader(path) as reader:
        return reader.properties
