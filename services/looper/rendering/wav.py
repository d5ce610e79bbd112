"""WAV, and RF64 where it grows past 4 GiB: the cycle becomes PCM once, then is copied."""

from __future__ import annotations

import struct

from musicgen.audio.codecs import RIFF_LIMIT_BYTES
from services.looper.rendering.pcm import pcm_pieces
from services.looper.rendering.sink import Sink
from services.looper.rendering.spool import HELD_BYTES, Read, Ring
from services.looper.rendering.tagging import LoopRegion, Tags, riff_chunk, wav_info, wav_smpl
from services.looper.rendering.timeline import Timeline

_HEADER_BYTES_AT_MOST = 1 << 18
_IN_DS64 = 0xFFFFFFFF
"""Says that the true size is in the ds64 chunk."""

_PCM, _EXTENSIBLE = 1, 0xFFFE
_PCM_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")

_SPEAKERS = {3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}
"""Which speakers the channels are for, in the order that FLAC gives as many channels."""


def wav_bytes_at_most(timeline: Timeline) -> int:
    """Return how many bytes the file needs, and while it is made."""
    return _HEADER_BYTES_AT_MOST + _data_bytes(timeline)


def write_wav(timeline: Timeline, sink: Sink, tags: Tags, loop: LoopRegion | None) -> None:
    """Write the whole timeline in one forward pass. Raises OSError, InvalidAudio."""
    sink.write(_header(timeline, tags, loop))
    for piece in pcm_pieces(timeline.head.blocks(), timeline.bits):
        sink.write(piece)
    if timeline.whole_cycles:
        start, cycle_bytes = sink.size_bytes, timeline.cycle.frames * _frame_bytes(timeline)
        for piece in pcm_pieces(timeline.cycle.blocks(), timeline.bits):
            sink.write(piece)
        ring = Ring(_first_cycle(sink, start, cycle_bytes), cycle_bytes)
        for again in ring.pieces(0, (timeline.whole_cycles - 1) * cycle_bytes):
            sink.write(again)
    for piece in pcm_pieces(timeline.ending(timeline.ending_frames), timeline.bits):
        sink.write(piece)
    sink.write(bytes(_data_bytes(timeline) % 2))


def _first_cycle(sink: Sink, start: int, cycle_bytes: int) -> Read:
    """Read in the cycle that was written at `start`: a long one again and again."""
    if cycle_bytes > HELD_BYTES:
        return lambda offset, count: sink.read(start + offset, count)
    held = memoryview(sink.read(start, cycle_bytes))
    return lambda offset, count: held[offset : offset + count]


def _frame_bytes(timeline: Timeline) -> int:
    return timeline.channels * timeline.bits // 8


def _data_bytes(timeline: Timeline) -> int:
    return timeline.length_frames * _frame_bytes(timeline)


def _header(timeline: Timeline, tags: Tags, loop: LoopRegion | None) -> bytes:
    """Return all up to the first sample."""
    chunks = _format_chunk(timeline)
    chunks += wav_smpl(loop, timeline.sample_rate_hz) + wav_info(tags)
    data_bytes = _data_bytes(timeline)
    riff_bytes = len(b"WAVE") + len(chunks) + 8 + data_bytes + data_bytes % 2
    if riff_bytes <= RIFF_LIMIT_BYTES:
        head = struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
        return head + chunks + struct.pack("<4sI", b"data", data_bytes)
    ds64_bytes = 8 + 28
    # The last number: no other chunk is that big.
    sizes = struct.pack("<QQQI", riff_bytes + ds64_bytes, data_bytes, timeline.length_frames, 0)
    head = struct.pack("<4sI4s", b"RF64", _IN_DS64, b"WAVE") + riff_chunk(b"ds64", sizes)
    return head + chunks + struct.pack("<4sI", b"data", _IN_DS64)


def _format_chunk(timeline: Timeline) -> bytes:
    frame_bytes, channels = _frame_bytes(timeline), timeline.channels
    kind = _PCM if channels <= 2 else _EXTENSIBLE
    rate_hz, bytes_per_s = timeline.sample_rate_hz, timeline.sample_rate_hz * frame_bytes
    body = struct.pack("<HHIIHH", kind, channels, rate_hz, bytes_per_s, frame_bytes, timeline.bits)
    if kind == _EXTENSIBLE:
        speakers = _SPEAKERS.get(channels, 0)
        body += struct.pack("<HHIH", 22, timeline.bits, speakers, _PCM) + _PCM_GUID_TAIL
    return riff_chunk(b"fmt ", body)
