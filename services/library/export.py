"""Making the file that a person downloads: encode, embed the tags, hash, publish."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakValueDictionary

from musicgen.artifacts import ArtifactStore, StoredFile
from musicgen.audio.codecs import (
    BLOCK_FRAMES,
    AudioReader,
    AudioWriter,
    Format,
    Properties,
    check_writable,
    probe,
    written_rate_hz,
)
from musicgen.progress import Progress, ProgressMeter, Stage
from services.library import containers, files
from services.library.file_names import export_name
from services.library.library import Library
from services.library.track import LoopPoints, Track

_COPY_STEP_BYTES = 4 << 20
_COPY_WEIGHT = {
    Format.FLAC: 0.2,
    Format.WAV: 0.5,
    Format.MP3: 0.02,
    Format.OPUS: 0.02,
    Format.OGG: 0.02,
    Format.M4A: 0.02,
}
"""Measured share of the copying that embeds the tags, relative to the encoding."""

_LOSSY_LARGEST_BYTES_PER_S = 40_000
"""320 kbit/s, the most that MP3 can be; Opus and AAC are set to less."""

_VORBIS_LARGEST_BYTES_PER_SAMPLE = 0.6
"""White noise comes to 0.52."""

_TABLES_BYTES = 64 << 10
_REPORT_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class Exported:
    """The finished file and the name to save it under."""

    file: StoredFile
    properties: Properties
    format: Format
    file_name: str


Report = Callable[[Progress], None]


class Exporter:
    """Exports tracks. Events of one export: Progress, …, then one Exported."""

    def __init__(self, store: ArtifactStore, library: Library) -> None:
        self._store = store
        self._library = library
        # Their own threads: exports take minutes, and all else must go on meanwhile.
        self._threads = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "export")
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def export(
        self, prefix: str, track_id: str, format: Format
    ) -> AsyncGenerator[Progress | Exported]:
        """Export under the key prefix of a claim. Ending the iteration stops the work
        within a block, and nothing half-written stays.

        Raises TrackNotFound, UnsupportedFormat, DiskFull, InvalidAudio.
        """
        stop = files.Stop()
        # A former export under the same claim may be ending; both would write one file.
        lock = self._locks.setdefault(prefix, asyncio.Lock())
        async with lock:
            loop = asyncio.get_running_loop()
            events: asyncio.Queue[Progress | None] = asyncio.Queue()
            due_s = 0.0

            def report(progress: Progress) -> None:
                nonlocal due_s
                if time.monotonic() >= due_s:
                    due_s = time.monotonic() + _REPORT_INTERVAL_S
                    loop.call_soon_threadsafe(events.put_nowait, progress)

            key = f"{prefix}/export.{format.extension}"
            work = loop.run_in_executor(
                self._threads, self._work, key, track_id, format, report, stop
            )
            work.add_done_callback(lambda _: events.put_nowait(None))
            try:
                while (event := await events.get()) is not None:
                    yield event
                yield await work
            finally:
                stop.set()
                await _ended(work)

    def close(self) -> None:
        """Wait for the threads; call it when no export runs any more."""
        self._threads.shutdown()

    def _work(
        self, key: str, track_id: str, format: Format, report: Report, stop: files.Stop
    ) -> Exported:
        track, source = self._library.audio(track_id)
        if format is not track.format:
            check_writable(format, track.audio.sample_rate_hz, track.audio.channels)
        target = self._store.path(key)
        with files.full_disk_is_disk_full():
            target.parent.mkdir(parents=True, exist_ok=True)
            # Encoded first, then copied with its tags: room for both.
            size_bytes = _size_at_most(track, format)
            files.require_space(target.parent, size_bytes * (1 if format is track.format else 2))
            with self._store.writing(key) as temporary:
                encoding = _Encoding(track, source, format, report=report, stop=stop)
                copied = encoding.write(temporary)
                properties = probe(temporary)
        file = StoredFile(key, copied.sha256, copied.size_bytes)
        return Exported(
            file, properties, format, export_name(track.artist, track.title, format.extension)
        )


class _Encoding:
    """One export in its thread."""

    def __init__(
        self, track: Track, source: Path, format: Format, *, report: Report, stop: files.Stop
    ) -> None:
        self._track = track
        self._source = source
        self._format = format
        self._report = report
        self._stop = stop
        blocks = max(1, -(-track.audio.duration_frames // BLOCK_FRAMES))
        copies = max(1, -(-_size_at_most(track, format) // _COPY_STEP_BYTES))
        self._encoding = Stage(f"encoding {format.name}", blocks, 1 / _COPY_WEIGHT[format])
        self._copying = Stage("writing tags", copies, 1.0)
        stages = [self._copying] if format is track.format else [self._encoding, self._copying]
        self._meter = ProgressMeter(stages)

    def write(self, target: Path) -> containers.Copied:
        """Write the whole file, with tags."""
        if self._format is self._track.format:
            return self._copy_tagged(self._source, target)
        plain = target.with_name(f"{target.name}.plain")
        try:
            self._encode(plain)
            return self._copy_tagged(plain, target)
        finally:
            plain.unlink(missing_ok=True)

    def _encode(self, target: Path) -> None:
        self._report(self._meter.enter(self._encoding.name))
        audio = self._track.audio
        with (
            AudioReader(self._source) as reader,
            AudioWriter(
                target,
                self._format,
                audio.sample_rate_hz,
                audio.channels,
                bits=reader.bits,
                expected_frames=audio.duration_frames,
            ) as writer,
        ):
            for block in reader.blocks():
                self._stop.check()
                writer.write(block)
                self._report(self._meter.advance())

    def _copy_tagged(self, source: Path, target: Path) -> containers.Copied:
        self._report(self._meter.enter(self._copying.name))
        waiting_bytes = 0

        def tick(count: int) -> None:
            nonlocal waiting_bytes
            self._stop.check()
            waiting_bytes += count
            if waiting_bytes >= _COPY_STEP_BYTES:
                self._report(self._meter.advance(waiting_bytes // _COPY_STEP_BYTES))
                waiting_bytes %= _COPY_STEP_BYTES

        rate_hz = self._track.audio.sample_rate_hz
        if self._format is not self._track.format:
            rate_hz = written_rate_hz(rate_hz, self._format)
        tagged = _at_rate(self._track, rate_hz)
        return containers.copy_tagged(source, target, self._format, tagged, tick)


def _size_at_most(track: Track, format: Format) -> int:
    """Return how many bytes the file may need."""
    if format is track.format:
        return track.size_bytes
    if format is Format.OGG:
        samples = track.audio.duration_frames * track.audio.channels
        return int(samples * _VORBIS_LARGEST_BYTES_PER_SAMPLE) + _TABLES_BYTES
    if not format.lossless:
        return int(track.audio.duration_s * _LOSSY_LARGEST_BYTES_PER_S) + _TABLES_BYTES
    # Three bytes a sample at most; FLAC only grows noise, and then by less than this.
    return track.audio.duration_frames * track.audio.channels * 3


def _at_rate(track: Track, rate_hz: int) -> Track:
    """Return a track as it is at another rate: its loop points are in frames of the file."""
    loop, old_hz = track.loop_points, track.audio.sample_rate_hz
    if loop is None or rate_hz == old_hz:
        return track
    scaled = (round(frame * rate_hz / old_hz) for frame in (loop.start_frame, loop.end_frame))
    return replace(track, loop_points=LoopPoints(*scaled))


async def _ended(work: asyncio.Future[Exported]) -> None:
    """Wait for the thread, though this task may be cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    if not work.cancelled():
        work.exception()  # taken note of: the caller has it already, or nobody wants it
    if cancelled:
        raise cancelled
