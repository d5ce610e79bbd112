"""Opus in Ogg, 128 kbit/s for stereo, by libopus inside libsndfile: always at 48 kHz."""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Iterator
from itertools import chain

import numpy as np

from musicgen.audio.codecs import Samples
from musicgen.errors import UnsupportedFormat
from services.looper.rendering import ogg
from services.looper.rendering.frames import FrameStore, Run
from services.looper.rendering.sink import Sink
from services.looper.rendering.sndfile import Tape, encoded
from services.looper.rendering.splice import (
    Body,
    Codec,
    Encoding,
    Rendered,
    encoded_seconds,
    loop_of,
    splice,
)
from services.looper.rendering.tagging import LoopRegion, Tags, vorbis_comment
from services.looper.rendering.timeline import Timeline

CODEC = Codec(sample_rate_hz=48_000, frame_samples=960, settle_frames=8)
"""The loudness of a frame's bands is told as a difference from the frame before: a wrong
start is forgotten by half with each frame."""

LEVELS = {1: 0.64, 2: 0.768}
"""libsndfile's compression levels by channels: 96 and 128 kbit/s."""

PAGE_FRAMES = 50
"""A second of audio, the most a page should hold."""

MOST_BYTES_PER_S = 32_000
HEAD_BYTES = 64 << 10


def opus_codec(timeline: Timeline) -> Codec:
    """Return the codec that fits a timeline. Raises UnsupportedFormat if none does."""
    if timeline.channels > max(LEVELS):
        raise UnsupportedFormat(
            f"Opus files here can't hold {timeline.channels} channels.",
            remedy="Choose FLAC (up to 8 channels) or WAV.",
        )
    return CODEC


def opus_bytes_at_most(timeline: Timeline) -> int:
    """Return what writing takes on the disk, temporary files included, tags excepted."""
    seconds = timeline.length_frames / timeline.sample_rate_hz
    seconds += 2 * encoded_seconds(timeline, CODEC)
    return HEAD_BYTES + int(seconds * MOST_BYTES_PER_S)


def write_opus(
    timeline: Timeline, sink: Sink, tags: Tags, loop: LoopRegion | None, encoding: Encoding
) -> Rendered:
    """Write a timeline as Opus and return how.

    `loop`, counted in the timeline's frames, is written into the tags at 48 kHz; where
    cycles are stretched, the output's first unit is written instead. Raises
    UnsupportedFormat, InvalidAudio, OSError, and what `encoding` and the sink raise.
    """
    codec, libopus = opus_codec(timeline), _Libopus(timeline.channels)
    folder = sink.path.parent
    with FrameStore(folder) as packets, FrameStore(folder) as pages:
        body = splice(timeline, codec, libopus.encode, packets, encoding)
        total = libopus.skipped + body.samples
        body = body.cut(-(-total // codec.frame_samples))
        region = loop_of(timeline, codec, body, loop)
        comment = vorbis_comment(tags, region, libopus.vendor)
        # Its head says 48 kHz and not the source's rate, at which some decoders would count
        # the samples of loop points.
        serial = zlib.crc32(libopus.head + comment + struct.pack("<Q", total))
        before = ogg.header_pages(libopus.head, serial, 0, ogg.FIRST)
        before += ogg.header_pages(b"OpusTags" + comment, serial, len(before))
        sink.write(b"".join(before))
        writer = _Pages(pages, serial)
        for run in dict.fromkeys(body.runs):
            writer.add(run, packets, sink)
        writer.write(body, total, len(before), sink)
    return Rendered(body.method, region)


class _Libopus:
    """Encodes streams, and keeps what their headers tell."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self.head = b""
        self.vendor = ""

    @property
    def skipped(self) -> int:
        """Samples that a decoder drops at the start."""
        return int.from_bytes(self.head[10:12], "little")

    def encode(self, blocks: Iterator[Samples]) -> Iterator[bytes]:
        """Yield the packets of a stream."""
        tape, unpacker = Tape(), ogg.Unpacker()
        # What comes after the end is cut off; without it the last packet would be shorter.
        after = np.zeros((2 * CODEC.frame_samples, self._channels), np.float32)
        count = 0
        for data in encoded(
            chain(blocks, [after]),
            tape,
            sample_rate_hz=CODEC.sample_rate_hz,
            channels=self._channels,
            container="OGG",
            subtype="OPUS",
            level=LEVELS[self._channels],
        ):
            for packet in unpacker.feed(data):
                if count == 0:
                    self.head = packet
                elif count == 1:
                    size = int.from_bytes(packet[8:12], "little")
                    self.vendor = packet[12 : 12 + size].decode(errors="replace")
                else:
                    yield packet
                count += 1


class _Pages:
    """Runs of packets as pages, made once, and placed again and again."""

    def __init__(self, pages: FrameStore, serial: int) -> None:
        self._pages, self._serial = pages, serial
        self._packets = array("B")  # of each page
        self._runs: dict[Run, Run] = {}

    def add(self, run: Run, packets: FrameStore, sink: Sink) -> None:
        """Make the pages of a run; no other run's packets are on them."""
        first = len(self._pages)
        segments: list[int] = []
        waiting: list[bytes] = []
        for packet in packets.frames(run):
            more = ogg.segments_of(packet)
            if len(waiting) == PAGE_FRAMES or len(segments) + len(more) > ogg.MOST_SEGMENTS:
                self._append(segments, waiting)
                segments, waiting = [], []
                sink.poll()
            segments += more
            waiting.append(packet)
        if waiting:
            self._append(segments, waiting)
        self._runs[run] = Run(first, len(self._pages))

    def _append(self, segments: list[int], packets: list[bytes]) -> None:
        self._pages.append(ogg.page(segments, b"".join(packets), self._serial))
        self._packets.append(len(packets))

    def write(self, body: Body, total: int, sequence: int, sink: Sink) -> None:
        """Write the pages of all runs, the last of which ends at sample `total`."""
        granule = 0
        frames_left = body.frames
        for run in body.runs:
            for piece in self._pages.pieces(self._runs[run]):
                data, start = bytearray(self._pages.read(piece)), 0
                sizes = self._pages.sizes(piece).tolist()
                counts = self._packets[piece.first : piece.end]
                for size, count in zip(sizes, counts, strict=True):
                    granule += count * CODEC.frame_samples
                    frames_left -= count
                    flags = 0
                    if not frames_left:
                        granule, flags = total, ogg.LAST
                    ogg.place(data, start, size, granule=granule, sequence=sequence, flags=flags)
                    start, sequence = start + size, sequence + 1
                sink.write(data)
