"""A time of day as the length of a loop, and cycles in words."""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path
from typing import Any

import pytest

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.looper.v1 import loop_pb2
from musicgen.cli.loop_values import PointsFile, TimeOfDay, length_until
from musicgen.cli.loops_found import (
    bars_of,
    exact_clock,
    loops_to_json,
    note_of,
    points_options,
)
from musicgen.client import specs
from musicgen.errors import InvalidField, UnsupportedFormat

pytestmark = pytest.mark.unit

TRACK = audio_pb2.AudioRef(track_id="t")


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock changes in spring and autumn."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    clock.tzset()
    yield
    monkeypatch.undo()
    clock.tzset()


@pytest.mark.parametrize(
    ("now", "end", "hours"),
    [
        ("2026-01-10 23:00", time(7, 0), 8.0),
        ("2026-01-10 06:00", time(7, 0), 1.0),
        ("2026-03-28 23:00", time(7, 0), 7.0),  # the clocks go forward in this night
        ("2026-10-24 23:00", time(7, 0), 9.0),  # and back in this one
        ("2026-10-24 23:00", time(23, 1), 1 / 60),
    ],
)
@pytest.mark.usefixtures("berlin")
def test_the_length_is_what_the_clock_takes(now: str, end: time, hours: float) -> None:
    """Until the clock next shows that time, also where an hour is missing or comes twice."""
    assert length_until(end, datetime.fromisoformat(now)) == pytest.approx(hours * 3600)


@pytest.mark.parametrize("end", [time(12, 0), time(12, 0, 59), time(22, 0, 1), time(11, 59)])
def test_what_no_loop_can_last_is_refused(end: time) -> None:
    """Less than a minute ahead, and more than ten hours; nothing is rounded to fit."""
    with pytest.raises(InvalidField) as caught:
        length_until(end, datetime.fromisoformat("2026-01-10 12:00"))
    assert list(caught.value.fields) == ["until"]


def test_a_time_of_day_is_hours_and_minutes() -> None:
    """Seconds may follow; everything else is refused with an example."""
    assert TimeOfDay().convert("7:05", None, None) == time(7, 5)
    assert TimeOfDay().convert("23:15:30", None, None) == time(23, 15, 30)
    for text in ("24:00", "7", "7:5", "07:60", "٠٧:٠٠", ""):
        with pytest.raises(InvalidField, match="no time of day"):
            TimeOfDay().convert(text, None, None)


def test_a_points_file_says_its_form() -> None:
    """By its extension, in any case."""
    assert PointsFile().convert("a/b.CUE", None, None) == Path("a/b.CUE")
    with pytest.raises(InvalidField):
        PointsFile().convert("points", None, None)


def test_cycles_in_words() -> None:
    """Bars where a metre is known, else beats; what one should know is noted."""
    kind = loop_pb2.LoopCandidate
    analysis = loop_pb2.LoopAnalysis(
        sample_rate_hz=48_000,
        candidates=[
            kind(kind=kind.KIND_OWN),
            kind(kind=kind.KIND_WHOLE_FILE, beats=1),
            kind(
                kind=kind.KIND_TAIL,
                points=audio_pb2.LoopPoints(end_frame=9),
                bars=1,
                beats=4,
                partial=True,
            ),
        ],
    )
    own, whole, tail = loops_to_json(analysis)
    assert (bars_of(own), note_of(own)) == ("", "the track's own")
    assert (bars_of(whole), note_of(whole)) == ("1 beat", "the whole file")
    assert (bars_of(tail), note_of(tail)) == (
        "1 bar",
        "rings into its start (--fold-tail), skips music",
    )
    assert points_options(whole) == "--points 0:0"
    assert points_options(tail) == "--points 0:9 --fold-tail"
    assert (whole["tempo_bpm"], whole["seam_path"]) == (None, None)
    assert [exact_clock(at) for at in (0, 59.9996)] == ["0:00.000", "1:00.000"]
    assert exact_clock(3725.0625) == "62:05.062"


def test_a_loop_is_asked_for_by_length_or_by_cycles() -> None:
    """One of the two, and only what can be sent."""
    assert specs.loop(TRACK, cycles=3).loop.WhichOneof("extent") == "cycles"
    faults: tuple[dict[str, Any], ...] = (
        {},
        {"length_s": 60.0, "cycles": 3},
        {"cycles": 0},
        {"cycles": 1 << 40},
        {"length_s": 60.0, "ending": "bang"},
        {"length_s": 60.0, "fade_s": float("nan")},
        {"length_s": 60.0, "points": (5, 5)},
    )
    for wrong in faults:
        with pytest.raises(InvalidField):
            specs.loop(TRACK, **wrong)
    with pytest.raises(UnsupportedFormat):
        specs.loop(TRACK, 60.0, format="aiff")
    with pytest.raises(InvalidField):
        specs.find_loops(TRACK, max_candidates=-1)
    with pytest.raises(InvalidField):
        specs.find_loops(TRACK, min_s=0)
