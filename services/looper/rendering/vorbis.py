"""Vorbis in Ogg, about 192 kbit/s for stereo, encoded from beginning to end: its blocks have
two lengths, chosen by what is heard, so that cycles don't fall on its frames."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from musicgen.audio.codecs import Samples
from musicgen.errors import UnsupportedFormat
from services.looper.rendering import ogg
from services.looper.rendering.sink import Sink
from services.looper.rendering.sndfile import Tape, encoded
from services.looper.rendering.splice import Encoding, Rendered
from services.looper.rendering.tagging import LoopRegion, Tags, vorbis_comment
from services.looper.rendering.timeline import Timeline

LEVEL = 0.4
"""libsndfile's compression level: quality 6 of 10."""

MOST_CHANNELS = 2
MOST_BYTES_PER_S = 40_000
HEAD_BYTES = 64 << 10
_HEADER_PACKETS = 3


def vorbis_bytes_at_most(timeline: Timeline) -> int:
    """Return what writing takes on the disk, tags excepted."""
    return HEAD_BYTES + timeline.length_frames * MOST_BYTES_PER_S // timeline.sample_rate_hz


def write_vorbis(
    timeline: Timeline, sink: Sink, tags: Tags, loop: LoopRegion | None, encoding: Encoding
) -> Rendered:
    """Write a timeline as Vorbis. Raises UnsupportedFormat, InvalidAudio, OSError, and what
    `encoding` and the sink raise."""
    if timeline.channels > MOST_CHANNELS:
        raise UnsupportedFormat(
            f"OGG files here can't hold {timeline.channels} channels.",
            remedy="Choose FLAC (up to 8 channels) or WAV.",
        )
    stream = encoded(
        _told(timeline, encoding),
        Tape(),
        sample_rate_hz=timeline.sample_rate_hz,
        channels=timeline.channels,
        container="OGG",
        subtype="VORBIS",
        level=LEVEL,
    )
    comment = vorbis_comment(tags, loop, "libsndfile")
    serial = zlib.crc32(comment)
    packets, sequence = 0, 0
    for page in ogg.pages(stream):
        if packets < _HEADER_PACKETS:
            for packet in page.packets:
                packets += 1
                data = b"\x03vorbis" + comment + b"\x01" if packets == 2 else packet
                flags = ogg.FIRST if packets == 1 else 0
                made = ogg.header_pages(data, serial, sequence, flags)
                sequence += len(made)
                sink.write(b"".join(made))
            continue
        placed = bytearray(page.data)
        ogg.place(placed, 0, len(placed), granule=page.granule, sequence=sequence, serial=serial)
        sequence += 1
        sink.write(placed)
    return Rendered("encoded", loop)


def _told(timeline: Timeline, encoding: Encoding) -> Iterator[Samples]:
    frames = 0
    for block in timeline.blocks():
        yield block
        frames += len(block)
        encoding(frames / timeline.sample_rate_hz)
