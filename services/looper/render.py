"""Renders a loop to an exact length, streamed in constant memory.

The source is played from its start, so that its intro sounds once; then the cycle
repeats until the length is reached. The last END_FADE_S fade out, because the cycle may
be cut anywhere there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from musicgen.artifacts import ArtifactStore, StoredFile, sha256_of
from musicgen.audio.codecs import BLOCK_FRAMES, AudioReader, AudioWriter, Format, Samples
from musicgen.errors import DiskFull, InvalidAudio
from musicgen.progress import ProgressMeter
from services.looper.loops import Cycle, Report
from services.looper.seam import Overlap, blended_zone

END_FADE_S = 0.005
CACHED_CYCLE_BYTES = 96 << 20
"""A cycle up to this size (4.5 minutes of stereo) is decoded once; a longer one is
decoded anew for each pass, so that memory stays bounded."""

DISK_MARGIN_BYTES = 64 << 20
MP3_BYTES_PER_S = 40_000
"""320 kbit/s, the most an MP3 frame can hold."""

SYNC_BYTES = 64 << 20
"""Written this much, data is forced to disk: the final sync is short, and a cancel never
waits for gigabytes."""

CHECKING_STEPS = 100

FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Return how many bytes this process may still write under `folder`."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Plan:
    """A render: `cycle` of the source, blended in `zone`, for `length_frames`."""

    cycle: Cycle
    zone: Overlap
    length_frames: int
    format: Format

    def output_cycle(self, sample_rate_hz: int) -> Cycle | None:
        """Return a region of the output that repeats exactly; None if it holds none."""
        end_fade = round(END_FADE_S * sample_rate_hz)
        first = self.cycle.end_frame
        region = Cycle(first, first + self.cycle.period_frames)
        return region if region.end_frame <= self.length_frames - end_fade else None


def render(
    reader: AudioReader,
    source_bytes: int,
    plan: Plan,
    store: ArtifactStore,
    key: str,
    *,
    meter: ProgressMeter,
    report: Report,
    free: FreeBytes = free_bytes,
) -> StoredFile:
    """Write the loop to `key` of `store` in the stages "rendering" (steps: seconds of
    audio) and "checking" (CHECKING_STEPS steps).

    Raises DiskFull before the first byte if it can't fit; nothing is left behind by
    that, by what `report` raises, or by any other failure.
    """
    facts = reader.properties
    _check_space(reader, source_bytes, plan, store.root, free)
    report(meter.enter("rendering"))
    with store.writing(key) as path:
        with AudioWriter(
            path,
            plan.format,
            facts.sample_rate_hz,
            facts.channels,
            expected_frames=plan.length_frames,
        ) as writer:
            written, seconds, synced = 0, 0, 0
            for block in _faded(_sequence(reader, plan), plan.length_frames, facts.sample_rate_hz):
                writer.write(block)
                written += len(block)
                done = written // facts.sample_rate_hz
                report(meter.advance(done - seconds))
                seconds = done
                if (size := path.stat().st_size) - synced >= SYNC_BYTES:
                    _sync(path)
                    synced = size
        report(meter.enter("checking"))
        size_bytes = path.stat().st_size
        sha256 = sha256_of(path, _hash_ticks(size_bytes, meter, report))
    return StoredFile(key, sha256, size_bytes)


def _sequence(reader: AudioReader, plan: Plan) -> Iterator[Samples]:
    """Yield the endless loop from the source's start, in blocks [frames, channels]."""
    cycle, zone = plan.cycle, plan.zone
    mixed = blended_zone(reader, zone)
    after_zone = zone.zone_frame + zone.frames
    if zone.at_start:
        # Nothing leads to the first pass but the intro itself: it is not blended.
        yield from _span(reader, 0, cycle.end_frame)
    else:
        yield from _span(reader, 0, zone.zone_frame)
        yield mixed
        yield from _span(reader, after_zone, cycle.end_frame)

    def one_pass() -> Iterator[Samples]:
        yield from _span(reader, cycle.start_frame, zone.zone_frame)
        yield mixed
        yield from _span(reader, after_zone, cycle.end_frame)

    if cycle.period_frames * reader.properties.channels * 4 > CACHED_CYCLE_BYTES:
        while True:
            yield from one_pass()
    whole = np.concatenate(list(one_pass()))
    while True:
        for start in range(0, len(whole), BLOCK_FRAMES):
            yield whole[start : start + BLOCK_FRAMES]


def _span(reader: AudioReader, start_frame: int, end_frame: int) -> Iterator[Samples]:
    reader.seek(start_frame)
    left = end_frame - start_frame
    while left > 0:
        block = reader.read(min(BLOCK_FRAMES, left))
        if not len(block):
            raise InvalidAudio("The audio ends before the loop's end; it is cut off.")
        left -= len(block)
        yield block


def _faded(blocks: Iterator[Samples], length_frames: int, sample_rate_hz: int) -> Iterator[Samples]:
    """Cut the sequence at exactly `length_frames`, fading out at the end."""
    fade_frames = round(END_FADE_S * sample_rate_hz)
    fade_start = length_frames - fade_frames
    position = 0
    for whole in blocks:
        block = whole[: length_frames - position]
        end = position + len(block)
        if end > fade_start:
            frame = np.arange(position, end)
            gain = np.clip((length_frames - frame - 0.5) / fade_frames, 0, 1)
            block = (block * gain[:, None]).astype(np.float32)
        if len(block):
            yield block
        position = end
        if position == length_frames:
            return


def _check_space(
    reader: AudioReader, source_bytes: int, plan: Plan, folder: Path, free: FreeBytes
) -> None:
    facts = reader.properties
    seconds = plan.length_frames / facts.sample_rate_hz
    expected = plan.length_frames * facts.channels * 2
    if plan.format is Format.MP3:
        expected = int(seconds * MP3_BYTES_PER_S)
    elif plan.format is Format.FLAC and facts.format is Format.FLAC:
        # The source tells how well this music compresses.
        per_frame = source_bytes / facts.duration_frames
        expected = min(expected, int(plan.length_frames * per_frame * 1.1))
    needed = expected + DISK_MARGIN_BYTES
    if (available := free(folder)) < needed:
        raise DiskFull(
            f"The loop needs {needed / 1e9:.2f} GB, and {available / 1e9:.2f} GB are free.",
            remedy="Free some disk space, ask for a shorter loop, or choose MP3.",
            metadata={"needed_bytes": str(needed), "free_bytes": str(available)},
        )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hash_ticks(size_bytes: int, meter: ProgressMeter, report: Report) -> Callable[[int], None]:
    hashed, steps = 0, 0

    def tick(chunk_bytes: int) -> None:
        nonlocal hashed, steps
        hashed += chunk_bytes
        done = CHECKING_STEPS * hashed // max(1, size_bytes)
        report(meter.advance(done - steps))
        steps = done

    return tick
