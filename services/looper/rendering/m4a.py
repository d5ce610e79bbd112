"""M4A: AAC-LC of 192 kbit/s in stereo, encoded by a process of its own, in our own MP4.

Every frame that is written is heard to its end: silence before the sound makes the length
one of whole frames, and the edit list leaves it out. So players agree on the length to the
sample, also those that don't know where the last frame ends.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from musicgen.audio import mp4
from musicgen.audio.aac import DELAY_FRAMES, MOST_CHANNELS, RATES_HZ, Encoder, require
from musicgen.audio.codecs import Samples
from musicgen.audio.m4a import bits_per_s, silence_before
from musicgen.errors import UnsupportedFormat
from services.looper.rendering.frames import FrameStore, Run
from services.looper.rendering.layout import Codec, samples_of
from services.looper.rendering.sink import Sink
from services.looper.rendering.splice import Encoding, Rendered, loop_of, splice
from services.looper.rendering.tagging import LoopRegion, Tags
from services.looper.rendering.timeline import Timeline

SETTLE_FRAMES = 3
"""A frame overlaps with the one before it, and the encoder looks at that, too."""

HEAD_BYTES = 64 << 10
TABLE_BYTES_PER_FRAME = 5
MARGIN = 1.1
"""The encoder takes up to a tenth more than it was told to."""

_MONO, _STEREO = 0, 1
_LONG = 0
_LOOKED_AT_BYTES = 8


def m4a_codec(timeline: Timeline) -> Codec:
    """Return the codec that fits a timeline. Raises UnsupportedFormat if none does, or if
    what encodes AAC is not installed."""
    if timeline.channels > MOST_CHANNELS:
        raise UnsupportedFormat(
            f"M4A can't hold {timeline.channels} channels.",
            remedy="Choose FLAC (up to 8 channels) or WAV.",
        )
    if timeline.sample_rate_hz not in RATES_HZ:
        raise UnsupportedFormat(
            f"M4A can't hold {timeline.sample_rate_hz} Hz.", remedy="Choose FLAC, WAV or Opus."
        )
    require()
    return Codec(timeline.sample_rate_hz, mp4.FRAME, SETTLE_FRAMES)


def m4a_bytes_at_most(timeline: Timeline) -> int:
    """Return what writing takes on the disk, temporary files included, tags excepted."""
    seconds = timeline.length_frames / timeline.sample_rate_hz
    rate = bits_per_s(timeline.sample_rate_hz, timeline.channels)
    tables = timeline.length_frames // mp4.FRAME * TABLE_BYTES_PER_FRAME
    return HEAD_BYTES + tables + 2 * int(seconds * rate / 8 * MARGIN)


def write_m4a(
    timeline: Timeline, sink: Sink, tags: Tags, loop: LoopRegion | None, encoding: Encoding
) -> Rendered:
    """Write a timeline as M4A and return how.

    `loop` is written into the tags; where cycles are stretched, the output's first unit is
    written instead. Raises UnsupportedFormat, InvalidAudio, OSError, and what `encoding`
    and the sink raise.
    """
    codec = m4a_codec(timeline)
    aac = _Aac(timeline, silence_before(samples_of(timeline, codec)))
    with FrameStore(sink.path.parent) as store:

        def opens(frame: int) -> bool:
            both = store.frames(Run(frame - 1, frame + 1)) if frame else ()
            return all(_is_long(data) for data in both)

        body = splice(timeline, codec, aac.encode, store, encoding, opens=opens)
        body = body.cut(-(-(aac.delay_frames + body.samples) // mp4.FRAME))
        stream = mp4.Stream(
            sample_rate_hz=codec.sample_rate_hz,
            channels=timeline.channels,
            config=aac.config,
            sizes=np.concatenate([store.sizes(run) for run in body.runs]).astype(np.uint32),
            delay_frames=aac.delay_frames,
            length_frames=body.samples,
        )
        region = loop_of(timeline, codec, body, loop)
        sink.write(mp4.head(stream, _pairs(tags, region)))
        for run in body.runs:
            for piece in store.pieces(run):
                sink.write(store.read(piece))
    return Rendered(body.method, region)


class _Aac:
    """Encodes streams, each after the same silence."""

    def __init__(self, timeline: Timeline, silence_frames: int) -> None:
        self._rate_hz, self._channels = timeline.sample_rate_hz, timeline.channels
        self._silence = np.zeros((silence_frames, timeline.channels), np.float32)
        self.delay_frames = DELAY_FRAMES + silence_frames
        self.config = b""

    def encode(self, blocks: Iterator[Samples]) -> Iterator[bytes]:
        """Yield the frames of a stream."""
        rate = bits_per_s(self._rate_hz, self._channels)
        with Encoder(self._rate_hz, self._channels, rate) as encoder:
            self.config = encoder.config
            yield from encoder.encode(self._silence)
            for block in blocks:
                yield from encoder.encode(block)
            yield from encoder.finish()


def _is_long(frame: bytes) -> bool:
    """Say whether all of a frame is in one long window, which fits to another such. Where
    the two channels have windows of their own it is taken for one that doesn't."""
    bits = int.from_bytes(frame[:_LOOKED_AT_BYTES].ljust(_LOOKED_AT_BYTES, b"\0"), "big")

    def field(start: int, count: int) -> int:
        return bits >> (8 * _LOOKED_AT_BYTES - start - count) & ((1 << count) - 1)

    element = field(0, 3)
    if element == _STEREO:
        # After the element and its tag: whether both share what follows, and a spare bit.
        return field(7, 1) == 1 and field(9, 2) == _LONG
    # After the element, its tag and the gain: a spare bit.
    return element == _MONO and field(16, 2) == _LONG


def _pairs(tags: Tags, loop: LoopRegion | None) -> list[tuple[str, str]]:
    if loop is None:
        return tags.pairs()
    start, length = loop.start_frame, loop.end_frame - loop.start_frame
    return [*tags.pairs(), ("LOOPSTART", str(start)), ("LOOPLENGTH", str(length))]
