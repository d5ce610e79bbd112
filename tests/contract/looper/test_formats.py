"""RenderLoop in each format: exact length, and loop points that hold in the file."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.looper.v1 import looper_service_pb2
from musicgen.audio.codecs import probe
from services.looper.rendering import layout
from tests.contract.looper.calls import PERIOD, RATE_HZ, Looper, points, render
from tests.unit.looper.rendering.music import snr_db
from tests.unit.looper.signals import Signal

pytestmark = pytest.mark.contract

Render = looper_service_pb2.LoopRender
LENGTH_S = 61.23456
START = 100_000
FORMATS = {
    audio_pb2.AUDIO_FORMAT_FLAC: ("flac", "audio/flac", RATE_HZ),
    audio_pb2.AUDIO_FORMAT_WAV: ("wav", "audio/wav", RATE_HZ),
    audio_pb2.AUDIO_FORMAT_MP3: ("mp3", "audio/mpeg", RATE_HZ),
    audio_pb2.AUDIO_FORMAT_OPUS: ("opus", "audio/ogg", 48_000),
    audio_pb2.AUDIO_FORMAT_OGG: ("ogg", "audio/ogg", RATE_HZ),
    audio_pb2.AUDIO_FORMAT_M4A: ("m4a", "audio/mp4", RATE_HZ),
}
LOSSLESS = {audio_pb2.AUDIO_FORMAT_FLAC, audio_pb2.AUDIO_FORMAT_WAV}
LEAST_SNR_DB = 15.0
"""Of the music at a joint against that at another: codecs are not the same each time."""

LONGEST_FRAME = 1152
"""Samples: one pass may be so much longer than the next in formats made of frames."""


@pytest.mark.parametrize("format", FORMATS, ids=[name for name, *_ in FORMATS.values()])
async def test_a_format_holds_the_loop(
    looper: Looper, monkeypatch: pytest.MonkeyPatch, format: audio_pb2.AudioFormat.ValueType
) -> None:
    """Exact length; what lies between the loop points is what follows them."""
    # Less to encode; the same joints.
    monkeypatch.setattr(layout, "UNIT_S", 10)
    monkeypatch.setattr(layout, "LEAST_REST_S", 1)
    extension, media_type, rate_hz = FORMATS[format]
    cycle = points(START, START + PERIOD)
    result = await render(looper, length_seconds=LENGTH_S, points=cycle, format=format)
    track = result.track
    path = looper.store.existing(track.artifact.key)
    assert path.name == f"loop.{extension}"
    assert track.artifact.media_type == media_type
    facts = track.artifact.audio
    source_frames = round(LENGTH_S * RATE_HZ)
    assert facts.format == format
    assert facts.sample_rate_hz == rate_hz
    assert facts.duration_frames == round(source_frames * rate_hz / RATE_HZ)
    told = probe(path)
    assert (told.sample_rate_hz, told.duration_frames) == (rate_hz, facts.duration_frames)
    encoded = format == audio_pb2.AUDIO_FORMAT_OGG
    assert result.method == (Render.METHOD_ENCODED if encoded else Render.METHOD_SPLICED)

    heard = looper.heard(track.artifact)
    assert len(heard) == facts.duration_frames
    start, end = track.loop_points.start_frame, track.loop_points.end_frame
    assert 0 < start < end < len(heard)
    if format in LOSSLESS:
        assert (start, end) == (cycle.start_frame, cycle.end_frame)
        np.testing.assert_array_equal(heard[start:end], heard[end : 2 * end - start])
        return
    # In formats made of frames the region may be several cycles.
    period = PERIOD * rate_hz / RATE_HZ
    cycles = round((end - start) / period)
    assert abs(end - start - cycles * period) <= LONGEST_FRAME
    near = rate_hz // 4  # nothing is stretched there
    assert snr_db(heard[end:][:near], heard[start:][:near]) > LEAST_SNR_DB
    assert snr_db(heard[:end][-near:], heard[:start][-near:]) > LEAST_SNR_DB
    one, other = (levels(heard[place : place + end - start], rate_hz) for place in (start, end))
    assert np.corrcoef(one, other)[0, 1] > 0.95


def levels(heard: Signal, rate_hz: int) -> npt.NDArray[np.float64]:
    """Return how loud it is, five times a second."""
    step = rate_hz // 5
    whole = heard[: len(heard) // step * step].astype(np.float64)
    return np.asarray(np.sqrt(np.square(whole).reshape(-1, 2 * step).mean(axis=1)))
