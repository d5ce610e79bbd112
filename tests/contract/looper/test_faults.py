"""What can't be done is told by reason and field, and leaves nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.looper.v1 import loop_pb2, looper_service_pb2
from musicgen.audio.codecs import Format
from tests.contract.looper.calls import (
    SOURCE_KEY,
    Looper,
    failure,
    find_request,
    points,
    render_request,
)
from tests.unit.looper import signals

pytestmark = pytest.mark.contract

FADE = loop_pb2.LoopSpec.ENDING_FADE
NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"length_seconds": 59.9}, "spec.length_seconds"),
        ({"length_seconds": 36_000.1}, "spec.length_seconds"),
        ({"length_seconds": NAN}, "spec.length_seconds"),
        ({"length_seconds": INFINITE}, "spec.length_seconds"),
        ({"length_seconds": -1.0}, "spec.length_seconds"),
        ({"cycles": 0}, "spec.cycles"),
        ({"cycles": -1}, "spec.cycles"),
        ({"cycles": 100_001}, "spec.cycles"),
        ({"cycles": 4501, "points": points(0, 352_811), "skip_intro": True}, "spec.cycles"),
        ({"crossfade_ms": -0.1}, "spec.crossfade_ms"),
        ({"crossfade_ms": 500.1}, "spec.crossfade_ms"),
        ({"crossfade_ms": NAN}, "spec.crossfade_ms"),
        ({"ending": 9}, "spec.ending"),
        ({"ending": FADE, "fade_seconds": 0.0}, "spec.fade_seconds"),
        ({"ending": FADE, "fade_seconds": 60.1}, "spec.fade_seconds"),
        ({"ending": FADE, "fade_seconds": NAN}, "spec.fade_seconds"),
        ({"points": points(-1, 100_000)}, "spec.points.start_frame"),
        ({"points": points(100_000, 100_000)}, "spec.points.end_frame"),
        ({"points": points(100_000, 100_500)}, "spec.points"),
        ({"points": points(0, 10**12)}, "spec.points"),
    ],
)
async def test_a_bad_spec_names_its_field(looper: Looper, spec: dict[str, Any], field: str) -> None:
    """Each fault of a render is INVALID_FIELD with the field, and nothing is written."""
    error = await failure(looper.stub.RenderLoop(render_request(**spec)))
    assert error.reason == "INVALID_FIELD"
    assert list(error.fields) == [field]
    assert error.fields[field]
    assert error.remedy
    assert looper.files() == []


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"max_candidates": -1}, "spec.max_candidates"),
        ({"max_candidates": 9}, "spec.max_candidates"),
        ({"min_seconds": 0.4}, "spec.min_seconds"),
        ({"min_seconds": NAN}, "spec.min_seconds"),
        ({"max_seconds": 36_001.0}, "spec.max_seconds"),
        ({"min_seconds": 9.0, "max_seconds": 8.0}, "spec.max_seconds"),
    ],
)
async def test_a_bad_search_names_its_field(
    looper: Looper, spec: dict[str, Any], field: str
) -> None:
    """Each fault of an analysis too."""
    error = await failure(looper.stub.FindLoops(find_request(fence=1, **spec)))
    assert error.reason == "INVALID_FIELD"
    assert list(error.fields) == [field]
    assert looper.files() == []


async def test_all_faults_are_told_at_once(looper: Looper) -> None:
    """An empty request lists everything that is missing, a wrong one everything wrong."""
    error = await failure(looper.stub.RenderLoop(looper_service_pb2.RenderLoopRequest()))
    assert set(error.fields) == {"job_id", "fence", "source.artifact.key", "spec.length_seconds"}
    request = render_request(crossfade_ms=NAN, ending=9, fade_seconds=0.0, cycles=0)
    error = await failure(looper.stub.RenderLoop(request))
    assert set(error.fields) == {
        "spec.crossfade_ms",
        "spec.ending",
        "spec.fade_seconds",
        "spec.cycles",
    }
    wrong = find_request(key="", max_candidates=-1)
    error = await failure(looper.stub.FindLoops(wrong))
    assert set(error.fields) == {"source.artifact.key", "spec.max_candidates"}
    wrong.job_id = "../x"
    error = await failure(looper.stub.FindLoops(wrong))
    assert set(error.fields) == {
        "source.artifact.key",
        "spec.max_candidates",
        "job_id",
        "fence",
    }


async def test_the_sources_own_points_are_checked_too(looper: Looper) -> None:
    """The field says whose they are."""
    request = render_request()
    request.source.loop_points.CopyFrom(points(0, 10**12))
    error = await failure(looper.stub.RenderLoop(request))
    assert list(error.fields) == ["source.loop_points"]


async def test_what_can_not_be_used_has_its_own_reason(looper: Looper) -> None:
    """Missing, broken, short, silent and unloopable files are told apart, in both calls."""
    uploads = looper.store.path(SOURCE_KEY).parent
    (uploads / "garbage").write_bytes(b"RIFF" + bytes(5000))
    (uploads / "text").write_text("no audio at all\n" * 100)
    (uploads / "broken").write_bytes(looper.store.path(SOURCE_KEY).read_bytes()[:200_000])
    for name, signal in (
        ("noise", signals.noise(20)),
        ("short", signals.noise(0.4)),
        ("silence", np.zeros((400_000, 2), np.float32)),
    ):
        looper.add(name, signal, format=Format.WAV)
    for key, reason in (
        ("uploads/gone", "ARTIFACT_NOT_FOUND"),
        ("../etc/passwd", "INVALID_FIELD"),
        ("uploads/garbage", "INVALID_AUDIO"),
        ("uploads/text", "INVALID_AUDIO"),
        ("uploads/broken", "INVALID_AUDIO"),
        ("uploads/short", "INVALID_AUDIO"),
        ("uploads/silence", "NO_LOOP_FOUND"),
        ("uploads/noise", "NO_LOOP_FOUND"),
    ):
        rendered = await failure(looper.stub.RenderLoop(render_request(key=key)))
        found = await failure(looper.stub.FindLoops(find_request(key=key, fence=1)))
        assert (rendered.reason, found.reason) == (reason, reason), key
        assert rendered.remedy
        assert found.remedy
    assert looper.files() == []


async def test_a_format_that_can_not_hold_the_audio_is_refused(looper: Looper) -> None:
    """Unknown ones, and six channels in MP3."""
    error = await failure(looper.stub.RenderLoop(render_request(format=99)))
    assert error.reason == "UNSUPPORTED_FORMAT"
    key = looper.add("six", np.tile(signals.noise(4), (1, 3)))
    request = render_request(key=key, points=points(0, 100_000), format=audio_pb2.AUDIO_FORMAT_MP3)
    error = await failure(looper.stub.RenderLoop(request))
    assert error.reason == "UNSUPPORTED_FORMAT"
    assert "6 channels" in error.message
    assert looper.files() == []
