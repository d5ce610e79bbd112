from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import struct_pb2

from musicgen.audio.codecs import Format
from services.looper.loops import Cycle
from services.looper.recipe import GENERATIONS, UNTITLED, human_length, recipe, title
from services.looper.rendering.planning import Ending
from services.looper.work import Order, Rendered, render_loop
from tests.unit.looper import signals
from tests.unit.looper.files import empty_store, ignore, order, write

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
    assert title("  ", 60) == f"{UNTITLED} (loop 1 min)"
    assert len(title("x" * 500, 60)) <= 200


ASKED = {"length_seconds": 12.0, "skip_intro": True}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Order, Rendered]:
    """A loop with a tail, and what was ordered."""
    folder = tmp_path_factory.mktemp("recipe")
    source = write(folder / "a.wav", signals.played([signals.composed(2, 1)], ring_s=1.5))
    cycle = Cycle(0, 4 * 44_100)
    what = order(source, cycle, length_s=12.0, format=Format.FLAC, fold_tail=True,
                 ending=Ending.FADE, fade_s=2.0)  # fmt: skip
    return what, render_loop(what, empty_store(folder), "loop.flac", ignore)


def written(made: tuple[Order, Rendered], source: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe of a loop."""
    return recipe(source=source, order=made[0], rendered=made[1], shape=ASKED)


def test_a_recipe_is_plain_json_with_its_source_inside(made: tuple[Order, Rendered]) -> None:
    """It can be stored and read back, and leads to the source's own recipe."""
    told = written(made, {"title": "Rain", "recipe": {"prompt": "rain"}})
    assert json.loads(json.dumps(told)) == told
    assert told["kind"] == "loop"
    assert told["source"] == {"title": "Rain", "recipe": {"prompt": "rain"}}
    assert told["points"] == {"start_frame": 0, "end_frame": 176_400, "from": "request"}
    assert told["asked"] == ASKED
    assert set(told["versions"]) == {"musicgen", "numpy", "scipy", "libsndfile"}


def test_a_recipe_tells_what_was_done(made: tuple[Order, Rendered]) -> None:
    """The seam, the lengths in frames, the method, and what was measured."""
    told = written(made, {})
    assert told["seam"]["transition"] == "tail"
    assert told["seam"]["crossfade_frames"] == 66_150
    assert told["seam"]["crossfade_at"] == "start"
    assert told["seam"]["crossfade_ms"] == 1500
    assert (told["length_seconds"], told["length_frames"]) == (12.0, 12 * 44_100)
    assert (told["intro_frames"], told["whole_cycles"]) == (176_400, 1)
    assert (told["fade_frames"], told["outro_frames"]) == (88_200, 0)
    assert (told["method"], told["format"]) == ("spliced", "flac")
    assert told["measured"]["period_frames"] == 176_400
    assert 0 <= told["measured"]["score"] <= 1


def test_loops_of_loops_without_end(made: tuple[Order, Rendered]) -> None:
    """The recipe of the hundredth is no deeper than that of the tenth, and still fits
    into a message."""
    depths = []
    told: dict[str, Any] = {"prompt": "rain"}
    for _ in range(100):
        told = written(made, {"title": "Rain", "recipe": told})
        depths.append(json.dumps(told).count('"kind"'))
    assert depths[:3] == [1, 2, 3]
    assert depths[-1] == depths[GENERATIONS + 1] == GENERATIONS + 1
    message = struct_pb2.Struct()
    message.update(told)
    assert struct_pb2.Struct.FromString(message.SerializeToString()) == message
