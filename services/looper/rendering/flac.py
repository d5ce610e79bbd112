"""FLAC: the cycle is encoded once, and its frames repeat with new numbers in their headers."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np
import soundfile

from musicgen.errors import UnsupportedFormat
from services.looper.rendering.flac_encoder import BLOCK_SAMPLES, Form, encode
from services.looper.rendering.flac_file import FlacFile
from services.looper.rendering.flac_frames import Frames, join
from services.looper.rendering.flac_plan import Plan, plan_of
from services.looper.rendering.pcm import pcm_pieces
from services.looper.rendering.sink import Sink
from services.looper.rendering.spool import HELD_BYTES, PIECE_BYTES, Bytes, Ring, Spool
from services.looper.rendering.tagging import LoopRegion, Tags, vorbis_comment
from services.looper.rendering.timeline import Timeline

_CHANNELS_AT_MOST = 8
_RATE_AT_MOST_HZ = 655_350
_COARSE_RATES_FROM_HZ = 65_536
"""From here on a frame's header can only tell multiples of ten."""

_METADATA_BYTES_AT_MOST = 1 << 19
_FRAME_OVERHEAD_BYTES = 64
"""More than a block that doesn't compress needs beside its samples."""

_WAIT_S = 0.1


def write_flac(timeline: Timeline, sink: Sink, tags: Tags, loop: LoopRegion | None) -> None:
    """Write the whole timeline; what is decoded is the PCM of the WAV file, to the bit.

    Raises UnsupportedFormat for a rate or channels that FLAC has no place for, OSError,
    InvalidAudio, Internal.
    """
    form = Form(timeline.sample_rate_hz, timeline.channels, timeline.bits)
    _check(form)
    vendor = f"MusicGen Local (libsndfile {soundfile.__libsndfile_version__})"
    comment = vorbis_comment(tags, loop, vendor)
    plan = plan_of(timeline)
    variable_blocks = plan is not None and not plan.has_fixed_blocks
    file = FlacFile(form, timeline.length_frames, sink, comment, variable_blocks)
    if plan is not None:
        _Splice(timeline, form, file, sink, plan).write()
        return
    md5 = hashlib.md5(usedforsecurity=False)
    pieces = pcm_pieces(timeline.blocks(), form.bits)
    _encode_and_write(_told(pieces, md5.update), form, file, sink)
    file.write_head(md5.digest())


def flac_bytes_at_most(timeline: Timeline, bytes_per_frame: float | None = None) -> int:
    """Return how many bytes the file needs, and while it is made.

    `bytes_per_frame` are those of a FLAC file of the same music, which tell how well it
    compresses; without them the answer is for music that doesn't.
    """
    frame_bytes = timeline.channels * timeline.bits // 8
    blocks = 1 + timeline.length_frames // BLOCK_SAMPLES
    audio = timeline.length_frames * frame_bytes + blocks * _FRAME_OVERHEAD_BYTES
    if bytes_per_frame is not None:
        audio = min(audio, math.ceil(1.1 * timeline.length_frames * bytes_per_frame))
    kept_frames = []
    if (plan := plan_of(timeline)) is not None:
        ending_frames = timeline.length_frames - plan.end_frame + BLOCK_SAMPLES
        kept_frames = [timeline.cycle.frames, plan.unit_frames, ending_frames, ending_frames]
    kept = [frames * frame_bytes for frames in kept_frames]
    return _METADATA_BYTES_AT_MOST + audio + sum(size for size in kept if size > HELD_BYTES)


def _check(form: Form) -> None:
    if form.channels > _CHANNELS_AT_MOST:
        raise UnsupportedFormat(
            f"FLAC holds {_CHANNELS_AT_MOST} channels at most, and the audio has {form.channels}.",
            remedy="Choose WAV.",
        )
    rate_hz = form.sample_rate_hz
    if rate_hz > _RATE_AT_MOST_HZ or (rate_hz >= _COARSE_RATES_FROM_HZ and rate_hz % 10):
        raise UnsupportedFormat(f"FLAC can't hold audio at {rate_hz} Hz.", remedy="Choose WAV.")


def _told(pieces: Iterable[Bytes], tell: Callable[[Bytes], None]) -> Iterator[Bytes]:
    for piece in pieces:
        tell(piece)
        yield piece


def _encode_and_write(pieces: Iterable[Bytes], form: Form, file: FlacFile, sink: Sink) -> None:
    """Begin the file with these pieces of PCM."""
    place = 0
    for frames, bodies in encode(pieces, form, sink.poll):
        file.announce(frames, place)
        file.write(frames, b"".join(bodies), place)
        place += frames.samples


class _Splice:
    """A file whose cycles are made of the frames of one unit."""

    def __init__(
        self, timeline: Timeline, form: Form, file: FlacFile, sink: Sink, plan: Plan
    ) -> None:
        self._timeline, self._form, self._file = timeline, form, file
        self._sink, self._plan = sink, plan
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._stack = contextlib.ExitStack()

    def write(self) -> None:
        """Encode what differs, then write it all; meanwhile the PCM's MD5 is computed."""
        plan, timeline = self._plan, self._timeline
        with self._stack:
            # What sounds before the cycles: its end is filled up to a whole block.
            ring = self._ring()
            head = pcm_pieces(timeline.head.blocks(), self._form.bits)
            filler = self._cycles(ring, timeline.head.frames, plan.start_frame)
            pieces = _told(itertools.chain(head, filler), self._md5.update)
            _encode_and_write(pieces, self._form, self._file, self._sink)

            # All PCM is known, so that its hash can begin.
            tail_pcm = self._tail()
            cycles = self._cycles(ring, plan.start_frame, plan.end_frame)
            hashing = self._hashing(itertools.chain(cycles, tail_pcm.pieces()))

            # The unit, and what comes after its last frame that is used.
            unit_bodies = self._spool(plan.unit_frames)
            stretches = [self._cycles(ring, start, end) for start, end in plan.stretches()]
            unit = self._encode(stretches, unit_bodies)
            turns, rest = divmod(plan.end_frame - plan.start_frame, plan.unit_frames)
            part = unit.part(0, int(np.searchsorted(unit.starts + unit.sizes, rest, "right")))
            tail_frame = plan.start_frame + turns * plan.unit_frames + part.samples
            filler = self._cycles(ring, tail_frame, plan.end_frame)
            tail_bodies = self._spool(timeline.length_frames - tail_frame)
            tail = self._encode([itertools.chain(filler, tail_pcm.pieces())], tail_bodies)

            # The last turn breaks off within the unit.
            rows = [*[unit] * turns, part]
            starts = range(plan.start_frame, plan.end_frame + 1, plan.unit_frames)
            for row, from_frame in [*zip(rows, starts, strict=True), (tail, tail_frame)]:
                self._file.announce(row, from_frame)
            for row, from_frame in zip(rows, starts, strict=True):
                self._write(row, unit_bodies, from_frame, hashing)
            self._write(tail, tail_bodies, tail_frame, hashing)
            while not wait([hashing], _WAIT_S).done:
                self._sink.poll()
            self._write_head_once(hashing)

    def _spool(self, frames: int) -> Spool:
        size_at_most = frames * self._form.frame_bytes
        return self._stack.enter_context(Spool(self._sink.path.parent, size_at_most))

    def _ring(self) -> Ring:
        """Return the PCM of the cycle."""
        cycle = self._timeline.cycle
        spool = self._spool(cycle.frames)
        for piece in pcm_pieces(cycle.blocks(), self._form.bits):
            self._sink.poll()
            spool.append(piece)
        return Ring(spool.read, spool.size_bytes)

    def _cycles(self, ring: Ring, start_frame: int, end_frame: int) -> Iterator[Bytes]:
        """Yield the endless cycle as PCM, by frames of the output."""
        size = self._form.frame_bytes
        offset = (start_frame - self._timeline.head.frames) * size
        return ring.pieces(offset, (end_frame - start_frame) * size)

    def _tail(self) -> Spool:
        """Return the PCM after the part that repeats."""
        timeline, start_frame = self._timeline, self._plan.end_frame
        spool = self._spool(timeline.length_frames - start_frame)
        before = start_frame - (timeline.length_frames - timeline.ending_frames)
        ending = timeline.ending(timeline.ending_frames)
        for piece in pcm_pieces(ending, self._form.bits, skip_frames=before):
            self._sink.poll()
            spool.append(piece)
        return spool

    def _encode(self, stretches: Iterable[Iterable[Bytes]], bodies: Spool) -> Frames:
        """Encode each stretch of PCM by itself; bodies go to the spool."""
        parts = []
        for pieces in stretches:
            for frames, some in encode(pieces, self._form, self._sink.poll):
                parts.append(frames)
                for body in some:
                    bodies.append(body)
        return join(parts)

    def _hashing(self, pieces: Iterable[Bytes]) -> Future[None]:
        """Let a thread compute the MD5; it ends when the stack is closed."""
        pool = self._stack.enter_context(ThreadPoolExecutor(1, "md5"))
        stop = threading.Event()
        self._stack.callback(stop.set)

        def hash_all() -> None:
            for piece in pieces:
                if stop.is_set():
                    return
                self._md5.update(piece)

        return pool.submit(hash_all)

    def _write(self, frames: Frames, bodies: Spool, from_frame: int, hashing: Future[None]) -> None:
        """Write frames, the first ones of those in the spool, in large pieces."""
        at_once = max(1, len(frames) * PIECE_BYTES // max(1, int(frames.body_bytes.sum())))
        offset = 0
        for first in range(0, len(frames), at_once):
            part = frames.part(first, first + at_once)
            size = int(part.body_bytes.sum())
            self._file.write(part, bodies.read(offset, size), from_frame)
            offset += size
            if hashing.done():
                self._write_head_once(hashing)

    def _write_head_once(self, hashing: Future[None]) -> None:
        """The sooner it is there, the sooner the file can be hashed."""
        if not self._file.head_is_written:
            hashing.result()
            self._file.write_head(self._md5.digest())
