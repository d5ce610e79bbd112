"""RenderLoop: what sounds when, and what is told of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format

from musicgen.api.looper.v1 import loop_pb2, looper_service_pb2
from musicgen.artifacts import sha256_of
from musicgen.audio.codecs import probe
from tests.contract.looper.calls import (
    PERIOD,
    RATE_HZ,
    Looper,
    events,
    points,
    render,
    render_request,
    stages_of,
)
from tests.unit.looper import signals

pytestmark = pytest.mark.contract

Spec, Seam, Render = loop_pb2.LoopSpec, loop_pb2.SeamReport, looper_service_pb2.LoopRender
CUT_FADE = 221
"""Frames of the fade of 5 ms."""

START = 100_000
CYCLE = points(START, START + PERIOD)


async def test_a_loop_is_found_and_rendered(looper: Looper) -> None:
    """The result is durable, exact, and carries its lineage."""
    request = render_request(length_seconds=60.25)
    progress, result = await events(looper.stub.RenderLoop(request))
    track = result.track
    path = looper.store.existing(track.artifact.key)
    assert track.artifact.key == "artifacts/j1/1/loop.flac"
    assert track.artifact.sha256 == sha256_of(path)
    assert track.artifact.size_bytes == path.stat().st_size
    assert track.artifact.media_type == "audio/flac"
    frames = round(60.25 * RATE_HZ)
    assert track.artifact.audio.duration_frames == probe(path).duration_frames == frames
    assert track.title == "Rain (loop 1 min 0.25 s)"
    assert (track.genre, track.tempo_bpm, track.musical_key) == ("lofi", 82.0, "A minor")
    assert track.parent_track_id == "t1"
    assert result.candidate.kind == loop_pb2.LoopCandidate.KIND_REPEAT
    # It begins as the source does: the region lies where the cycle lies there.
    assert track.loop_points == result.candidate.points
    assert track.loop_points.end_frame - track.loop_points.start_frame == PERIOD
    recipe = json_format.MessageToDict(track.recipe)
    assert recipe["source"]["recipe"] == {"prompt": "rain", "seed": 7}
    assert recipe["source"]["reference"] == {"track_id": "t1"}
    assert recipe["points"]["from"] == "found"
    assert recipe["points"]["start_frame"] == result.candidate.points.start_frame
    assert recipe["asked"] == {"length_seconds": 60.25}
    assert (recipe["length_frames"], recipe["method"]) == (frames, "spliced")
    expected = ["analysing", "comparing", "aligning", "writing"]
    assert stages_of(progress) == expected
    assert [one.fraction for one in progress] == sorted(one.fraction for one in progress)
    assert looper.files() == [track.artifact.key]


async def test_what_repeats_is_the_source_bit_by_bit(looper: Looper) -> None:
    """The source from its start, then its cycle again and again; the last 5 ms are faded."""
    result = await render(looper, length_seconds=60.0, points=CYCLE)
    heard, music = looper.heard(result.track.artifact), looper.music()
    assert len(heard) == 60 * RATE_HZ
    np.testing.assert_array_equal(heard[:START], music[:START])
    rest = heard[START:-CUT_FADE]
    cycle = music[START : START + PERIOD]
    np.testing.assert_array_equal(rest, np.resize(cycle, rest.shape))
    assert np.abs(heard[-1]).max() < 1e-3


@pytest.mark.parametrize(("skip_intro", "before"), [(False, START), (True, 0)])
async def test_a_cycle_is_heard_so_often(looper: Looper, *, skip_intro: bool, before: int) -> None:
    """What leads to it comes before, unless it is left out."""
    result = await render(looper, cycles=4, points=CYCLE, skip_intro=skip_intro)
    assert result.track.artifact.audio.duration_frames == before + 4 * PERIOD
    assert result.track.loop_points == points(before, before + PERIOD)
    heard, music = looper.heard(result.track.artifact), looper.music()
    np.testing.assert_array_equal(heard[: before + PERIOD], music[START - before : START + PERIOD])
    recipe = json_format.MessageToDict(result.track.recipe)
    assert recipe["intro_frames"] == before
    assert recipe["asked"]["cycles"] == 4


async def test_a_fade_lasts_as_long_as_is_said(looper: Looper) -> None:
    """From full to nothing over the seconds asked for, 5 without a word."""
    for fence, asked, frames in ((1, {}, 5 * RATE_HZ), (2, {"fade_seconds": 2.0}, 2 * RATE_HZ)):
        result = await render(
            looper, fence=fence, points=CYCLE, ending=Spec.ENDING_FADE, skip_intro=True, **asked
        )
        heard = looper.heard(result.track.artifact)
        whole = np.tile(looper.music()[START : START + PERIOD], (3, 1))
        np.testing.assert_array_equal(heard[:-frames], whole[:-frames])
        quarter = frames // 4
        faded, full = (np.abs(one[-4 * quarter :]).reshape(4, -1) for one in (heard, whole))
        gains = (faded.mean(axis=1) / full.mean(axis=1)).tolist()
        assert gains == sorted(gains, reverse=True)
        assert gains[0] > 0.75
        assert gains[-1] < 0.25
        assert np.abs(heard[-1]).max() < 1e-3
        assert json_format.MessageToDict(result.track.recipe)["fade_frames"] == frames


async def test_an_outro_is_what_follows_in_the_source(looper: Looper) -> None:
    """Whole after so many cycles; to a length, it ends with the length."""
    music = looper.music()
    outro = music[CYCLE.end_frame :]
    result = await render(looper, points=CYCLE, ending=Spec.ENDING_OUTRO)
    heard = looper.heard(result.track.artifact)
    assert len(heard) == START + 3 * PERIOD + len(outro)
    np.testing.assert_array_equal(heard[-len(outro) : -CUT_FADE], outro[:-CUT_FADE])
    recipe = json_format.MessageToDict(result.track.recipe)
    assert recipe["outro_frames"] == len(outro)
    result = await render(
        looper, fence=2, length_seconds=61.5, points=CYCLE, ending=Spec.ENDING_OUTRO
    )
    assert result.track.artifact.audio.duration_frames == round(61.5 * RATE_HZ)
    assert json_format.MessageToDict(result.track.recipe)["outro_frames"] > 0


async def test_points_given_go_before_the_sources_own(looper: Looper) -> None:
    """The request's points win; without them the source's own are used as they are."""
    own, given = points(10, PERIOD + 10), points(5000, PERIOD + 5000)
    request = render_request(crossfade_ms=0)
    request.source.loop_points.CopyFrom(own)
    _, result = await events(looper.stub.RenderLoop(request))
    assert result.candidate.points == own
    assert result.candidate.kind == loop_pb2.LoopCandidate.KIND_OWN
    assert result.track.recipe["points"]["from"] == "source"
    assert result.seam.crossfade_ms == 0
    request.fence = 2
    request.spec.points.CopyFrom(given)
    _, result = await events(looper.stub.RenderLoop(request))
    assert result.candidate.points == given
    assert result.track.recipe["points"]["from"] == "request"


async def test_points_snap_to_where_the_music_meets(looper: Looper) -> None:
    """The end is moved to the period if that is asked for; otherwise it stays."""
    off = points(START, START + PERIOD + 900)
    kept = await render(looper, points=off)
    assert kept.candidate.points == off
    assert kept.candidate.waveform_correlation < 0.9
    snapped = await render(looper, fence=2, points=off, snap_points=True)
    assert snapped.candidate.points == CYCLE
    assert snapped.candidate.waveform_correlation > 0.99
    assert snapped.seam.transition == Seam.TRANSITION_CUT
    assert snapped.seam.clean


async def test_what_rings_on_is_folded_into_the_start(looper: Looper) -> None:
    """From the second pass on; the points given stay the period."""
    once = np.pad(signals.played([signals.composed(4, 1)], ring_s=1.5), ((441, 0), (0, 0)))
    key, end = looper.add("ringing", once), 8 * RATE_HZ
    result = await render(looper, key=key, points=points(0, end), fold_tail=True)
    assert result.candidate.kind == loop_pb2.LoopCandidate.KIND_TAIL
    assert result.candidate.points == points(0, end)
    assert result.seam.transition == Seam.TRANSITION_TAIL
    assert result.seam.clean
    rings = len(once) - end
    assert result.seam.crossfade_ms == pytest.approx(1000 * rings / RATE_HZ)
    assert result.track.loop_points == points(end, 2 * end)
    heard, source = looper.heard(result.track.artifact), looper.music(key)
    np.testing.assert_array_equal(heard[:end], source[:end])
    full = rings // 2  # it fades towards its end
    folded = source[:full] + source[end : end + full]
    np.testing.assert_allclose(heard[end : end + full], folded, atol=2.0**-14)


SEAMS: list[tuple[dict[str, Any], loop_pb2.SeamReport.Transition.ValueType, float]] = [
    ({}, Seam.TRANSITION_CUT, 0),
    ({"crossfade_ms": 0}, Seam.TRANSITION_CUT, 0),
    ({"crossfade_ms": 30}, Seam.TRANSITION_CROSSFADE, 30),
    ({"crossfade_ms": 500}, Seam.TRANSITION_CROSSFADE, 500),
]


@pytest.mark.parametrize(("asked", "transition", "crossfade_ms"), SEAMS)
async def test_the_seam_is_reported(
    looper: Looper,
    asked: dict[str, Any],
    transition: loop_pb2.SeamReport.Transition.ValueType,
    crossfade_ms: float,
) -> None:
    """How the end is led into the start and what was measured there, in the recipe too."""
    result = await render(looper, points=CYCLE, **asked)
    seam = result.seam
    assert seam.transition == transition
    assert seam.crossfade_ms == pytest.approx(crossfade_ms, abs=0.02)
    assert seam.clean
    assert not seam.faults
    assert 0 <= seam.discontinuity_ratio <= 1.5
    assert 0 <= seam.flux_percentile <= 100
    assert seam.beat_error_ms == pytest.approx(0, abs=0.05)
    assert abs(seam.loudness_step_db) < 0.1
    told = json_format.MessageToDict(result.track.recipe)["seam"]
    assert told["clean"] is True
    assert told["crossfade_ms"] == pytest.approx(seam.crossfade_ms)
    assert told["transition"] == ("cut" if transition == Seam.TRANSITION_CUT else "crossfade")


async def test_a_bad_seam_is_told(looper: Looper) -> None:
    """Points in the wrong places make a loop, but not a clean one, and it says why."""
    wrong = points(START, START + PERIOD - 20_000)
    seam = (await render(looper, points=wrong)).seam
    assert not seam.clean
    assert seam.faults


async def test_the_same_request_gives_the_same_bytes(looper: Looper) -> None:
    """Under another fence too."""
    one, other = [await render(looper, fence=fence, points=CYCLE) for fence in (1, 2)]
    assert one.track.artifact.sha256 == other.track.artifact.sha256
    assert one.track.artifact.key != other.track.artifact.key
