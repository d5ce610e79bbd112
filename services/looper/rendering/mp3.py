"""MP3 of constant bit rate, 192 kbit/s for stereo at 44.1 kHz, by LAME inside libsndfile.

At 192 kbit/s few listeners tell LAME's output from its input, and there is room in a frame
(320 kbit/s at most) for one that follows a joint; at 256 kbit/s and 48 kHz there often is
none, and 10 hours are 1.15 GB instead of 0.86 GB.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from musicgen.audio.codecs import Samples
from musicgen.errors import UnsupportedFormat
from services.looper.rendering.frames import FrameStore, Run
from services.looper.rendering.mp3_frames import (
    HEADER_BYTES,
    LOOKAHEAD_FRAMES,
    Packer,
    Unpacker,
    kind_of,
    padding,
    rate_index,
)
from services.looper.rendering.mp3_info import Checksums, Music, checksum, delays, filled
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
from services.looper.rendering.tagging import LoopRegion, Tags, id3v2
from services.looper.rendering.timeline import Timeline

RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
LEVELS = {1: 0.7, 2: 0.4}
"""libsndfile's compression levels by channels: 112 and 192 kbit/s, less below 32 kHz."""

SETTLE_FRAMES = 3
"""A frame overlaps with the one before it, and so do a decoder's filters."""

MOST_BYTES_PER_S = 24_500
HEAD_BYTES = 64 << 10


def mp3_codec(timeline: Timeline) -> Codec:
    """Return the codec that fits a timeline. Raises UnsupportedFormat if none does."""
    rate_hz = timeline.sample_rate_hz
    if timeline.channels > max(LEVELS):
        raise UnsupportedFormat(
            f"MP3 can't hold {timeline.channels} channels.",
            remedy="Choose FLAC (up to 8 channels) or WAV.",
        )
    if rate_hz not in RATES_HZ:
        raise UnsupportedFormat(f"MP3 can't hold {rate_hz} Hz.", remedy="Choose FLAC, WAV or Opus.")
    return Codec(rate_hz, 1152 if rate_hz >= 32_000 else 576, SETTLE_FRAMES)


def mp3_bytes_at_most(timeline: Timeline) -> int:
    """Return what writing takes on the disk, temporary files included, tags excepted."""
    seconds = timeline.length_frames / timeline.sample_rate_hz
    seconds += 2 * encoded_seconds(timeline, mp3_codec(timeline))
    return HEAD_BYTES + int(seconds * MOST_BYTES_PER_S)


def write_mp3(
    timeline: Timeline, sink: Sink, tags: Tags, loop: LoopRegion | None, encoding: Encoding
) -> Rendered:
    """Write a timeline as MP3 and return how.

    `loop` is written into the tags; where cycles are stretched, the output's first unit is
    written instead. Raises UnsupportedFormat, InvalidAudio, OSError, and what `encoding`
    and the sink raise.
    """
    codec = mp3_codec(timeline)
    lame = _Lame(codec, timeline.channels)
    folder = sink.path.parent
    with FrameStore(folder) as apart, FrameStore(folder) as packed:

        def opens(frame: int) -> bool:
            run = Run(frame, min(frame + LOOKAHEAD_FRAMES, len(apart)))
            return lame.packer.fits(lame.main_sizes(apart, run))

        body = splice(timeline, codec, lame.encode, apart, encoding, opens=opens)
        places = {}
        for run in dict.fromkeys(body.runs):
            places[run] = _pack(run, apart, packed, lame, sink)
        runs = [places[run] for run in body.runs]
        region = loop_of(timeline, codec, body, loop)
        sink.write(id3v2(tags, region) + _info(runs, packed, body, lame, sink))
        for run in runs:
            for piece in packed.pieces(run):
                sink.write(packed.read(piece))
    return Rendered(body.method, region)


class _Lame:
    """Encodes streams, takes their frames apart, and keeps what the frames don't tell."""

    def __init__(self, codec: Codec, channels: int) -> None:
        self.codec, self._channels = codec, channels
        self.info = b""
        self.paddings = bytearray()
        """Of each frame in the store."""

    def encode(self, blocks: Iterator[Samples]) -> Iterator[bytes]:
        """Yield the frames of a stream, taken apart."""
        tape, unpacker = Tape(), Unpacker()
        is_info = True  # the first frame holds the length, once that is known
        for data in encoded(
            blocks,
            tape,
            sample_rate_hz=self.codec.sample_rate_hz,
            channels=self._channels,
            container="MP3",
            subtype="MPEG_LAYER_III",
            level=LEVELS[self._channels],
            bitrate_mode="CONSTANT",
        ):
            for frame in unpacker.feed(data):
                if not is_info:
                    if not self.paddings:
                        header = frame[:HEADER_BYTES]
                        self.kind = kind_of(header)
                        self.packer = Packer(self.kind, rate_index(header))
                    self.paddings.append(padding(frame[:HEADER_BYTES]))
                    yield frame
                is_info = False
        self.info = tape.start

    def main_sizes(self, apart: FrameStore, run: Run) -> list[int]:
        """Return the bytes of main data of frames that were taken apart."""
        return [int(size) - self.kind.prefix_bytes for size in apart.sizes(run)]


def _pack(run: Run, apart: FrameStore, packed: FrameStore, lame: _Lame, sink: Sink) -> Run:
    """Lay a run of frames out so that it can follow any other."""
    first = len(packed)
    paddings = lame.paddings[run.first : run.end]
    for frame in lame.packer.pack(apart.frames(run), lame.main_sizes(apart, run), paddings):
        packed.append(frame)
        if len(packed) % 4096 == 0:
            sink.poll()
    return Run(first, len(packed))


def _info(runs: list[Run], packed: FrameStore, body: Body, lame: _Lame, sink: Sink) -> bytes:
    """Return the frame that tells of all the others."""
    pieces: dict[Run, list[tuple[int, int]]] = {}
    total = Checksums()
    for run in runs:
        if run not in pieces:
            pieces[run] = []
            for piece in packed.pieces(run):
                pieces[run].append((checksum(packed.read(piece)), packed.size_bytes(piece)))
                sink.poll()
        for part in pieces[run]:
            total.add(*part)
    frames = list(accumulate((run.end - run.first for run in runs), initial=0))
    sizes = list(accumulate((packed.size_bytes(run) for run in runs), initial=0))
    places = []
    for percent in range(100):
        frame = body.frames * percent // 100
        index = bisect_right(frames, frame) - 1
        before = Run(runs[index].first, runs[index].first + frame - frames[index])
        places.append(sizes[index] + packed.size_bytes(before))
    delay, _ = delays(lame.info)
    left = body.frames * lame.codec.frame_samples - delay - body.samples
    music = Music(sizes[-1], total.total, lame.packer.varied)
    return filled(lame.info, body.frames, left, places, music)
