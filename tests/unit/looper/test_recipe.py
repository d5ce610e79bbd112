from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import struct_pb2

from musicgen.audio.codecs import Format
from services.looper.loops import Candidate, Cycle, SeamReport
from services.looper.recipe import GENERATIONS, human_length, recipe, title
from services.looper.render import Plan
from services.looper.seam import Overlap

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("length_s", "text"),
    [
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (36_000, "10 h"),
        (60.5, "1 min 0.5 s"),
        (119.9996, "2 min"),
    ],
)
def test_lengths_read_as_people_say_them(length_s: float, text: str) -> None:
    """Hours, minutes and seconds, none of them zero."""
    assert human_length(length_s) == text


def test_titles() -> None:
    """A title gets one suffix, however often it is looped, and stays short."""
    assert title("Rain", 3600) == "Rain (loop 1 h)"
    assert title("Rain (loop 1 h)", 60) == "Rain (loop 1 min)"
    assert title("  ", 60) == "Untitled (loop 1 min)"
    assert len(title("x" * 500, 60)) <= 200


def test_a_recipe_is_plain_json_with_its_source_inside() -> None:
    """It can be stored and read back, and leads to the source's own recipe."""
    cycle = Cycle(0, 100_000)
    made = recipe(
        source={"recipe": {"prompt": "rain"}},
        points_from="found",
        candidate=Candidate(cycle, 0.9, 0.9, 1.0, 0.0),
        seam=SeamReport(30.0, 0.5, 0.0, True),
        plan=Plan(cycle, Overlap(0, 100_000, 0, 1323), 44_100 * 60, Format.FLAC),
        length_s=60.0,
        crossfade_asked_ms=30.0,
    )
    assert json.loads(json.dumps(made)) == made
    assert made["source"]["recipe"] == {"prompt": "rain"}
    assert made["points"] == {"start_frame": 0, "end_frame": 100_000, "from": "found"}
    assert made["seam"]["crossfade_at"] == "start"
    assert set(made["versions"]) == {"musicgen", "numpy", "scipy", "libsndfile"}


def test_loops_of_loops_without_end() -> None:
    """The recipe of the hundredth is no deeper than that of the tenth, and still fits
    into a message."""
    cycle = Cycle(0, 100_000)
    depths = []
    made: dict[str, Any] = {"prompt": "rain"}
    for _ in range(100):
        made = recipe(
            source={"title": "Rain", "recipe": made},
            points_from="found",
            candidate=Candidate(cycle, 0.9, 0.9, 1.0, 0.0),
            seam=SeamReport(30.0, 0.5, 0.0, True),
            plan=Plan(cycle, Overlap(0, 100_000, 0, 1323), 44_100 * 60, Format.FLAC),
            length_s=60.0,
            crossfade_asked_ms=30.0,
        )
        depths.append(json.dumps(made).count('"kind"'))
    assert depths[:3] == [1, 2, 3]
    assert depths[-1] == depths[GENERATIONS + 1] == GENERATIONS + 1
    message = struct_pb2.Struct()
    message.update(made)
    assert struct_pb2.Struct.FromString(message.SerializeToString()) == message
