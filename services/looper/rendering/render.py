"""Writes a timeline in any format: what it needs, how far it is, and what came out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from musicgen.audio.codecs import Format, check_writable
from musicgen.errors import DiskFull
from musicgen.progress import ProgressMeter, Stage
from services.looper.loops import Report
from services.looper.rendering.flac import flac_bytes_at_most, write_flac
from services.looper.rendering.layout import samples_of
from services.looper.rendering.m4a import m4a_bytes_at_most, m4a_codec, write_m4a
from services.looper.rendering.mp3 import mp3_bytes_at_most, mp3_codec, write_mp3
from services.looper.rendering.opus import opus_bytes_at_most, opus_codec, write_opus
from services.looper.rendering.planning import region_of
from services.looper.rendering.sink import Sink
from services.looper.rendering.splice import Rendered, encoded_seconds
from services.looper.rendering.tagging import Tags
from services.looper.rendering.timeline import Timeline
from services.looper.rendering.vorbis import vorbis_bytes_at_most, write_vorbis
from services.looper.rendering.wav import wav_bytes_at_most, write_wav

DISK_MARGIN_BYTES = 64 << 20
MEGABYTE = 1_000_000

# CPU milliseconds, measured on one core: they weigh the stages against each other.
ENCODING_MS_PER_S = {Format.MP3: 32.0, Format.OPUS: 18.0, Format.M4A: 30.0, Format.OGG: 25.0}
WRITING_MS_PER_MB = {Format.WAV: 2.5, Format.FLAC: 3.0}
REPEATING_MS_PER_MB = 3.0

_WRITTEN_AT_ONCE = frozenset({Format.OGG})
"""Formats whose file grows while they encode: nothing is left to write then."""

_CODECS = {Format.MP3: mp3_codec, Format.OPUS: opus_codec, Format.M4A: m4a_codec}
_WRITERS = {
    Format.MP3: write_mp3,
    Format.OPUS: write_opus,
    Format.M4A: write_m4a,
    Format.OGG: write_vorbis,
}
_BYTES_AT_MOST = {
    Format.WAV: wav_bytes_at_most,
    Format.MP3: mp3_bytes_at_most,
    Format.OPUS: opus_bytes_at_most,
    Format.M4A: m4a_bytes_at_most,
    Format.OGG: vorbis_bytes_at_most,
}

FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Return how many bytes this process may still write under `folder`."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Written:
    """A finished file, durable: its hash, size and facts, `loop` in its own frames."""

    sha256: str
    size_bytes: int
    rendered: Rendered
    sample_rate_hz: int
    length_frames: int


def stages(timeline: Timeline, format: Format) -> list[Stage]:
    """Return what `render` goes through: "encoding" (steps: seconds of audio) where there is
    something to encode, and "writing" (steps: megabytes) where that is done afterwards."""
    megabytes = max(1, _bytes_expected(timeline, format) // MEGABYTE)
    writing_ms = megabytes * WRITING_MS_PER_MB.get(format, REPEATING_MS_PER_MB)
    seconds = _encoded_seconds(timeline, format)
    encoding = Stage("encoding", max(1, int(seconds)), seconds * ENCODING_MS_PER_S.get(format, 0))
    if format in _WRITTEN_AT_ONCE:
        return [encoding]
    return ([encoding] if seconds else []) + [Stage("writing", megabytes, writing_ms)]


def check(timeline: Timeline, format: Format) -> None:
    """Raise UnsupportedFormat if the format can't hold the audio."""
    check_writable(format, timeline.sample_rate_hz, timeline.channels)


def check_space(
    timeline: Timeline,
    format: Format,
    folder: Path,
    *,
    flac_bytes_per_frame: float | None = None,
    free: FreeBytes = free_bytes,
) -> None:
    """Raise DiskFull if the file can't fit. `flac_bytes_per_frame` are those of a FLAC
    source, which tells how well this music compresses."""
    if format is Format.FLAC:
        expected = flac_bytes_at_most(timeline, flac_bytes_per_frame)
    else:
        expected = _BYTES_AT_MOST[format](timeline)
    needed = expected + DISK_MARGIN_BYTES
    if (available := free(folder)) < needed:
        raise DiskFull(
            f"The loop needs {needed / 1e9:.2f} GB, and {available / 1e9:.2f} GB are free.",
            remedy="Free some disk space, ask for a shorter loop, or choose MP3 or Opus.",
            metadata={"needed_bytes": str(needed), "free_bytes": str(available)},
        )


def render(
    timeline: Timeline,
    format: Format,
    path: Path,
    tags: Tags,
    *,
    meter: ProgressMeter,
    report: Report,
) -> Written:
    """Write `timeline` to `path` in the stages of `stages`, and force it to disk.

    Raises UnsupportedFormat, InvalidAudio, OSError, and what `report` raises; `path` may
    hold a part of it then.
    """
    told = _Told(meter, report, [stage.name for stage in stages(timeline, format)])
    loop = region_of(timeline)
    with Sink(path, told.wrote) as sink:
        if format is Format.WAV:
            write_wav(timeline, sink, tags, loop)
        elif format is Format.FLAC:
            write_flac(timeline, sink, tags, loop)
        rendered = Rendered("spliced", loop)
        if write := _WRITERS.get(format):
            rendered = write(timeline, sink, tags, loop, told.encoded)
        sha256 = sink.sha256(lambda _: told.wrote(0))
        size_bytes = sink.size_bytes
    return Written(sha256, size_bytes, rendered, *_extent(timeline, format))


class _Told:
    """Turns what writers tell into progress."""

    def __init__(self, meter: ProgressMeter, report: Report, stages: list[str]) -> None:
        self._meter, self._report = meter, report
        self._seconds, self._bytes = 0, 0
        self._writing = stages[0] == "writing"
        self._writes = "writing" in stages
        report(meter.enter(stages[0]))

    def encoded(self, seconds: float) -> None:
        """Take note of the seconds encoded so far."""
        more = int(seconds) - self._seconds
        self._seconds += more
        self._report(self._meter.advance(more, detail=f"{self._seconds:,} s encoded"))

    def wrote(self, count: int) -> None:
        """Take note of more bytes; 0 only lets a cancel through."""
        before = self._bytes // MEGABYTE
        self._bytes += count
        megabytes = self._bytes // MEGABYTE
        if not self._writing:
            # Headers and what is written while encoding count as that.
            if not self._writes or megabytes == before or self._seconds < 1:
                self._report(self._meter.advance(0))
                return
            self._writing = True
            self._report(self._meter.enter("writing"))
        detail = f"{megabytes:,} MB"
        self._report(self._meter.advance(megabytes - before, detail=detail))


def _encoded_seconds(timeline: Timeline, format: Format) -> float:
    if codec := _CODECS.get(format):
        return encoded_seconds(timeline, codec(timeline))
    if format is Format.OGG:
        return timeline.length_frames / timeline.sample_rate_hz
    return 0.0


def _extent(timeline: Timeline, format: Format) -> tuple[int, int]:
    """Return the sample rate in Hz of what is written, and its length at that rate."""
    if codec_of := _CODECS.get(format):
        codec = codec_of(timeline)
        return codec.sample_rate_hz, samples_of(timeline, codec)
    return timeline.sample_rate_hz, timeline.length_frames


def _bytes_expected(timeline: Timeline, format: Format) -> int:
    at_most = flac_bytes_at_most if format is Format.FLAC else _BYTES_AT_MOST[format]
    # FLAC of music takes about 0.65 of its samples, and lossy formats rarely what they may.
    share = {Format.WAV: 1.0, Format.MP3: 0.9}.get(format, 0.65)
    return int(share * at_most(timeline))
