"""What can be asked of loops: ranges, defaults, and faults by field."""

from __future__ import annotations

import math
from typing import Any

import pytest

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.looper.v1 import loop_pb2
from musicgen.errors import InvalidField
from services.jobs.loop_admission import check_loop_of, fill_find, fill_loop

pytestmark = pytest.mark.unit

LoopSpec, FindLoopsSpec = loop_pb2.LoopSpec, loop_pb2.FindLoopsSpec
FADE, OUTRO = LoopSpec.ENDING_FADE, LoopSpec.ENDING_OUTRO
RATE_HZ = 44_100


def points(start: int, end: int) -> audio_pb2.LoopPoints:
    """Return loop points."""
    return audio_pb2.LoopPoints(start_frame=start, end_frame=end)


def source(own: audio_pb2.LoopPoints | None = None) -> audio_pb2.ProducedTrack:
    """Return a minute of audio, with loop points of its own or without."""
    track = audio_pb2.ProducedTrack(loop_points=own)
    track.artifact.audio.sample_rate_hz = RATE_HZ
    track.artifact.audio.duration_frames = 60 * RATE_HZ
    return track


def test_defaults_of_a_loop_are_filled_in() -> None:
    """The ending and the length of a fade; an absent crossfade means "as measured"."""
    spec = LoopSpec(length_seconds=60)
    fill_loop(spec)
    assert spec.ending == LoopSpec.ENDING_CUT
    assert not spec.HasField("fade_seconds")
    assert not spec.HasField("crossfade_ms")
    spec = LoopSpec(cycles=1, ending=FADE)
    fill_loop(spec)
    assert spec.fade_seconds == 5.0


@pytest.mark.parametrize(
    "asked",
    [
        {"length_seconds": 60},
        {"length_seconds": 36_000},
        {"cycles": 1},
        {"cycles": 100_000},
        {"cycles": 1, "crossfade_ms": 0},
        {"cycles": 1, "crossfade_ms": 500},
        {"cycles": 1, "points": points(0, 1), "snap_points": True, "fold_tail": True},
        {"cycles": 1, "ending": OUTRO, "skip_intro": True},
        {"cycles": 1, "ending": FADE, "fade_seconds": 0.01},
        {"cycles": 1, "ending": FADE, "fade_seconds": 60},
    ],
)
def test_what_lies_within_the_limits_is_accepted(asked: dict[str, Any]) -> None:
    """The limits themselves too."""
    fill_loop(LoopSpec(**asked))


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({}, ["length_seconds"]),
        ({"length_seconds": 59.9}, ["length_seconds"]),
        ({"length_seconds": math.nan}, ["length_seconds"]),
        ({"cycles": 0}, ["cycles"]),
        ({"cycles": -1}, ["cycles"]),
        ({"cycles": 100_001}, ["cycles"]),
        ({"cycles": 1, "snap_points": True}, ["snap_points"]),
        ({"cycles": 1, "fold_tail": True}, ["fold_tail"]),
        (
            {"cycles": 1, "points": points(0, 1), "fold_tail": True, "crossfade_ms": 5},
            ["fold_tail"],
        ),
        ({"cycles": 1, "ending": 9}, ["ending"]),
        ({"cycles": 1, "fade_seconds": 5}, ["fade_seconds"]),
        ({"cycles": 1, "ending": OUTRO, "fade_seconds": 5}, ["fade_seconds"]),
        ({"cycles": 1, "ending": FADE, "fade_seconds": 0}, ["fade_seconds"]),
        ({"cycles": 1, "ending": FADE, "fade_seconds": 61}, ["fade_seconds"]),
        ({"cycles": 1, "ending": FADE, "fade_seconds": math.inf}, ["fade_seconds"]),
        (
            {"cycles": 0, "crossfade_ms": math.nan, "snap_points": True},
            ["cycles", "crossfade_ms", "snap_points"],
        ),
    ],
)
def test_every_fault_of_a_loop_is_named(asked: dict[str, Any], fields: list[str]) -> None:
    """All at once, by the field's path, with what would be right."""
    with pytest.raises(InvalidField) as caught:
        fill_loop(LoopSpec(**asked))
    assert list(caught.value.fields) == [f"spec.loop.{field}" for field in fields]
    assert all(caught.value.fields.values())


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"length_seconds": 60, "points": points(-1, 44_100)}, "points"),
        ({"length_seconds": 60, "points": points(44_100, 44_100)}, "points"),
        ({"length_seconds": 60, "points": points(0, 60 * RATE_HZ + 1)}, "points"),
        ({"length_seconds": 60, "points": points(0, RATE_HZ // 2 - 1)}, "points"),
        ({"cycles": 601, "points": points(0, 60 * RATE_HZ)}, "cycles"),
    ],
)
def test_what_the_source_can_not_give_is_refused(asked: dict[str, Any], field: str) -> None:
    """Points outside of it or too close together, and more than ten hours of a cycle."""
    with pytest.raises(InvalidField) as caught:
        check_loop_of(LoopSpec(**asked), source())
    assert list(caught.value.fields) == [f"spec.loop.{field}"]


def test_ten_hours_of_a_known_cycle_are_the_most() -> None:
    """Of given points, of the source's own, and of those that may come out shorter."""
    check_loop_of(LoopSpec(cycles=600, points=points(0, 60 * RATE_HZ)), source())
    check_loop_of(LoopSpec(cycles=100_000), source())
    with pytest.raises(InvalidField):
        check_loop_of(LoopSpec(cycles=36_001), source(points(0, RATE_HZ)))
    snapped = LoopSpec(cycles=37_800, points=points(0, RATE_HZ), snap_points=True)
    check_loop_of(snapped, source())


def test_defaults_of_a_search_are_filled_in() -> None:
    """Five candidates of two seconds or more; shorter ones where only such are wanted."""
    spec = FindLoopsSpec()
    fill_find(spec)
    assert (spec.max_candidates, spec.min_seconds) == (5, 2.0)
    assert not spec.HasField("max_seconds")
    spec = FindLoopsSpec(max_seconds=1.5, max_candidates=8)
    fill_find(spec)
    assert (spec.max_candidates, spec.min_seconds) == (8, 0.5)


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({"max_candidates": -1}, ["max_candidates"]),
        ({"max_candidates": 9}, ["max_candidates"]),
        ({"min_seconds": 0.4}, ["min_seconds"]),
        ({"min_seconds": math.nan}, ["min_seconds"]),
        ({"min_seconds": 36_001}, ["min_seconds"]),
        ({"max_seconds": 0}, ["max_seconds"]),
        ({"max_seconds": math.inf}, ["max_seconds"]),
        ({"min_seconds": 8, "max_seconds": 4}, ["max_seconds"]),
        ({"max_candidates": 9, "min_seconds": -1}, ["max_candidates", "min_seconds"]),
    ],
)
def test_every_fault_of_a_search_is_named(asked: dict[str, Any], fields: list[str]) -> None:
    """All at once, by the field's path."""
    with pytest.raises(InvalidField) as caught:
        fill_find(FindLoopsSpec(**asked))
    assert list(caught.value.fields) == [f"spec.find_loops.{field}" for field in fields]
