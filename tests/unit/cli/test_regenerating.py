"""What a track's recipe says, asked for again."""

from __future__ import annotations

import math
from typing import Any

import pytest

from musicgen.api.library.v1 import track_pb2
from musicgen.cli.engine_facts import engine_facts
from musicgen.cli.values import Part
from musicgen.client import recipes, specs
from musicgen.errors import InvalidField, InvalidPrompt

pytestmark = pytest.mark.unit

RECIPE: dict[str, Any] = {
    "engine": "singer",
    "engine_version": "0.2.0",
    "prompt": "soul",
    "lyrics": "la\nla",
    "seed": 7,
    "duration_seconds": 95,
    "options": {"steps": 16, "style": [0.5, 0.25], "model": ""},
    "rung": "offload",
    "style_audio": {"reference": {"upload_id": "u-1"}, "title": "", "sha256": "00"},
    "edit": {
        "source": {"reference": {"track_id": "old"}, "title": "Rain", "sha256": "11"},
        "regenerate": [[12.5, 20], [90, None]],
    },
    "decisions": {
        "model": "base",
        "device": "cuda",
        "precision": "float16",
        "lyrics": "[00:00.00]la\n[00:47.50]la",
    },
}


def track(recipe: dict[str, Any] | None = None) -> track_pb2.Track:
    """Return a track with a recipe, or with changes to it."""
    made = track_pb2.Track(track_id="t1", title="Night")
    made.recipe.update(RECIPE if recipe is None else recipe)
    return made


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("12.5-20", (12.5, 20.0)),
        ("0-8", (0.0, 8.0)),
        ("0:00-0:08", (0.0, 8.0)),
        ("1:05-1:20.5", (65.0, 80.5)),
        ("1m30s-2m", (90.0, 120.0)),
        ("40-", (40.0, None)),
        (" 40 - 41 ", (40.0, 41.0)),
        ("0-", (0.0, None)),
    ],
)
def test_parts_are_read_as_people_write_them(text: str, part: tuple[float, float | None]) -> None:
    """Seconds, units or a clock; 0 is a beginning, and nothing is the end."""
    assert Part().convert(text, None, None) == part
    assert Part().convert(part, None, None) == part


@pytest.mark.parametrize(
    "text", ["", "-", "12", "-5", "-5-10", "a-b", "1-b", "5-5", "9-3", "nan-5", "5-inf", "1-2-3"]
)
def test_what_is_no_part_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(InvalidField) as caught:
        Part().convert(text, None, None)
    assert list(caught.value.fields) == ["part"]
    assert caught.value.remedy


def test_all_is_as_the_recipe_says() -> None:
    """Prompt, lyrics with their times, engine and options; not the seed, which would make the
    same again."""
    spec = specs.regenerate(track(), [(12.5, 20), (90, None)]).generate
    assert (spec.engine, spec.parameters.prompt) == ("singer", "soul")
    assert spec.parameters.lyrics == "[00:00.00]la\n[00:47.50]la"
    assert not spec.parameters.HasField("seed")
    assert dict(spec.parameters.options)["steps"] == 16
    assert list(spec.parameters.options["style"]) == [0.5, 0.25]  # type: ignore[arg-type]  # a list
    assert spec.parent_track_id == spec.edit.source.track_id == "t1"
    first, last = spec.edit.regenerate
    assert (first.start_seconds, first.end_seconds) == (12.5, 20)
    assert last.start_seconds == 90
    assert not last.HasField("end_seconds")


def test_one_style_of_two() -> None:
    """The music of the style is taken again, unless numbers among the options won over it, or
    win now: the studio refuses both."""
    assert not specs.regenerate(track(), [(0, 1)]).generate.HasField("style_audio")
    by_music = track({**RECIPE, "options": {"steps": 16}})
    assert specs.regenerate(by_music, [(0, 1)]).generate.style_audio.upload_id == "u-1"
    given = specs.regenerate(by_music, [(0, 1)], options={"style": [1]}).generate
    assert not given.HasField("style_audio")
    assert list(given.parameters.options["style"]) == [1]  # type: ignore[arg-type]  # a list


def test_what_is_given_wins() -> None:
    """A prompt wins over any other style; options are added to those of the recipe."""
    spec = specs.regenerate(
        track(), [(0, 1)], prompt="jazz", lyrics="", seed=9, options={"steps": 8, "sway": -1}
    ).generate
    parameters = spec.parameters
    assert (parameters.prompt, parameters.lyrics, parameters.seed) == ("jazz", "", 9)
    assert dict(parameters.options) == {"steps": 8, "sway": -1, "model": ""}
    assert not spec.HasField("style_audio")
    given = specs.regenerate(track(), [(0, 1)], prompt="jazz", options={"style": [1]}).generate
    assert list(given.parameters.options["style"]) == [1]  # type: ignore[arg-type]  # a list


def test_another_engine_gets_no_options_of_the_first() -> None:
    """They mean nothing to it; words and music do."""
    spec = specs.regenerate(track(), [(0, 1)], engine="other").generate
    assert spec.engine == "other"
    assert not spec.parameters.options
    assert spec.parameters.lyrics
    assert spec.HasField("style_audio")


@pytest.mark.parametrize(
    "recipe", [{}, {"kind": "loop", "source": {}}, {"engine": 5, "decisions": "x", "lyrics": []}]
)
def test_a_recipe_without_an_engine(recipe: dict[str, Any]) -> None:
    """It says so; with an engine named, a title does as a prompt."""
    with pytest.raises(InvalidField) as caught:
        specs.regenerate(track(recipe), [(0, 1)])
    assert "names no engine" in caught.value.message
    assert caught.value.remedy
    spec = specs.regenerate(track(recipe), [(0, 1)], engine="singer").generate
    assert (spec.parameters.prompt, spec.parameters.lyrics) == ("Night", "")
    with pytest.raises(InvalidPrompt):
        specs.regenerate(track_pb2.Track(track_id="t"), [(0, 1)], engine="singer")


def test_references_of_another_kind_are_left_out() -> None:
    """A later version may know more of them."""
    for told in ({"upload_id": 5}, {"nosuch": "x"}, {}, "text", None):
        recipe = {**RECIPE, "style_audio": {"reference": told}}
        assert recipes.asked_of(track(recipe)).style_audio is None


def test_what_cannot_be_sent() -> None:
    """Only that is refused here; parts that the piece doesn't have are for the studio."""
    specs.regenerate(track(), [(5, 1), (math.inf, None)])
    with pytest.raises(InvalidField):
        specs.regenerate(track(), [(0, 1)], seed=-1)
    with pytest.raises(InvalidField):
        specs.regenerate(track(), [(0, 1)], options={"a": math.nan})
    with pytest.raises(InvalidField):
        specs.regenerate(track(), [(0, 1)], engine="\udcff")


def test_facts_of_the_engine() -> None:
    """What computed, how it made do with memory, and what the piece was made from."""
    assert [(name, text) for name, text in engine_facts(RECIPE) if text] == [
        ("engine", "singer 0.2.0"),
        ("model", "base"),
        ("device", "cuda"),
        ("precision", "float16"),
        ("memory", "offload"),
        ("style from", "u-1"),
        ("made anew", "12.5-20, 90-"),
        ("made anew of", "Rain (old)"),
    ]
    assert [text for _, text in engine_facts({}) if text] == []
    odd = {"engine": 5, "decisions": [], "edit": {"regenerate": [1, [2]]}, "style_audio": "x"}
    assert [text for _, text in engine_facts(odd) if text] == ["?, ?"]
