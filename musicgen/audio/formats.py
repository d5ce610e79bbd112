"""The audio formats of the studio, and what each can hold."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from musicgen.audio import aac
from musicgen.errors import UnsupportedFormat

OPUS_RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
"""Audio of another rate becomes 48 kHz when it is written as Opus."""


class Format(enum.Enum):
    """A container and codec: its file extension, media type and libsndfile names, and
    whether all of the samples are kept.

    Opus is "audio/ogg" (RFC 7845): browsers take "audio/opus" for the stream of a call.
    """

    FLAC = ("flac", "audio/flac", "FLAC", True)
    WAV = ("wav", "audio/wav", "WAV", True)
    MP3 = ("mp3", "audio/mpeg", "MP3", False)
    OPUS = ("opus", "audio/ogg", "OGG", False)
    OGG = ("ogg", "audio/ogg", "OGG", False)
    M4A = ("m4a", "audio/mp4", "", False)

    def __init__(self, extension: str, media_type: str, container: str, lossless: bool) -> None:
        self.extension = extension
        self.media_type = media_type
        self.container = container
        self.lossless = lossless


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


@dataclass(frozen=True, slots=True)
class _Limits:
    """What a format can hold; no rates means any up to the highest."""

    channels: int
    rates_hz: tuple[int, ...] = ()
    highest_hz: int = 1_000_000


_LIMITS = {
    Format.FLAC: _Limits(8),
    Format.WAV: _Limits(1024),
    Format.MP3: _Limits(2, (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)),
    Format.OPUS: _Limits(2),
    Format.OGG: _Limits(2, highest_hz=200_000),  # libvorbis crashes beyond
    Format.M4A: _Limits(aac.MOST_CHANNELS, aac.RATES_HZ),
}


def written_rate_hz(sample_rate_hz: int, format: Format) -> int:
    """Return the rate of a file that AudioWriter makes of audio of this rate."""
    return (
        48_000 if format is Format.OPUS and sample_rate_hz not in OPUS_RATES_HZ else sample_rate_hz
    )


def check_writable(format: Format, sample_rate_hz: int, channels: int) -> None:
    """Raise UnsupportedFormat if AudioWriter can't write such audio here."""
    limits = _LIMITS[format]
    if channels > limits.channels:
        raise UnsupportedFormat(
            f"{format.name} can't hold {channels} channels.",
            remedy="Choose FLAC (up to 8 channels) or WAV.",
        )
    fits = sample_rate_hz in limits.rates_hz if limits.rates_hz else True
    if not fits or sample_rate_hz > limits.highest_hz:
        raise UnsupportedFormat(
            f"{format.name} can't hold {sample_rate_hz:,} Hz.", remedy="Choose FLAC or WAV."
        )
    if format is Format.M4A:
        aac.require()
