from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.inference.v1 import inference_service_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.cli.plan_facts import plan_facts
from musicgen.client import plans, specs
from musicgen.errors import InvalidField, ModelNotFound

pytestmark = pytest.mark.unit

CASES: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "frontend/src/testing/variation-cases.json").read_text("utf-8")
)
"""What page and SDK must agree on."""

PLAN: dict[str, Any] = {
    "title": "Rainy Night",
    "tempo_bpm": 120,
    "metre": "4/4",
    "ring_frames": 22_050,
    "parts": {"drums": "lofi", "lead": "electric_guitar"},
    "sections": [{"kind": "intro", "bars": 4}, {"kind": "A", "bars": 8}],
    "progressions": {"A": {"chords": ["Am", "D"]}, "B": {"chords": ["C"]}},
}
RECIPE: dict[str, Any] = {
    "engine": "composer",
    "prompt": "rain",
    "seed": 7,
    "duration_seconds": 30,
    "options": {"stems": True},
    "decisions": {
        "plan": PLAN,
        "understood": {
            "tempo_bpm": 120,
            "genres": {"lofi": 3},
            "moods": ["warm"],
            "without": ["sub_bass"],
            "mode": "minor",
        },
        "ignored": ["purple"],
    },
}


def track_of(recipe: dict[str, Any]) -> track_pb2.Track:
    """Return a track that was made like this."""
    track = track_pb2.Track(track_id="t1", title="Wet Streets")
    track.audio.format = audio_pb2.AUDIO_FORMAT_MP3
    track.recipe.update(recipe)
    return track


def engine(**properties: Any) -> inference_service_pb2.Engine:
    """Return a composer with these options."""
    found = inference_service_pb2.Engine()
    found.manifest.name = "composer"
    found.manifest.options_schema.update({"properties": properties})
    return found


def test_a_variation_has_the_same_plan_prompt_and_seed() -> None:
    """Only the layers named get other seeds; it is told which track it varies."""
    spec = specs.vary(track_of(RECIPE), {"lead": 5}).generate
    assert spec.engine == "composer"
    assert spec.parent_track_id == "t1"
    assert spec.format == audio_pb2.AUDIO_FORMAT_MP3
    parameters = spec.parameters
    assert (parameters.prompt, parameters.seed, parameters.duration_seconds) == ("rain", 7, 30)
    assert MessageToDict(parameters.options) == {
        "plan": {**PLAN, "title": "Wet Streets (new melody)"},
        "seeds": {"lead": 5},
        "stems": True,
    }


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"kind": "loop"},
        {**RECIPE, "engine": "diffrhythm"},
        {**RECIPE, "decisions": {}},
        {**RECIPE, "decisions": {"plan": "none"}},
        {key: value for key, value in RECIPE.items() if key != "seed"},
    ],
)
def test_what_has_no_plan_cannot_vary(recipe: dict[str, Any]) -> None:
    """Loops, other engines and older recipes are refused with a remedy."""
    with pytest.raises(InvalidField) as caught:
        specs.vary(track_of(recipe), {"lead": 5})
    assert "composer" in caught.value.remedy


def test_a_plan_is_read_alone_or_as_the_composer_tells_it() -> None:
    """What the file says of prompt and seed is taken too."""
    told = plans.read_plan({"prompt": "rain", "seed": 3, "plan": PLAN})
    assert (told.plan, told.prompt, told.seed, told.duration_s) == (PLAN, "rain", 3, 24.5)
    alone = plans.read_plan(PLAN)
    assert (alone.plan, alone.prompt, alone.seed) == (PLAN, "Rainy Night", None)
    odds: list[Any] = [None, 3, "plan", [], {}, {"plan": 3}, {"plan": {"title": "x"}}]
    for odd in odds:
        with pytest.raises(InvalidField):
            plans.read_plan(odd)


def test_a_plan_that_tells_no_prompt_still_has_one() -> None:
    """A text that says something: the title, else any."""
    for prompt in (None, 3, "", "  ", ["rain"]):
        assert plans.read_plan({"prompt": prompt, "plan": PLAN}).prompt == "Rainy Night"
        assert plans.read_plan({**PLAN, "title": prompt}).prompt == "a plan"


def test_a_seed_that_is_none_is_not_drawn_anew() -> None:
    """The piece would be another one, and nobody would know why."""
    assert plans.read_plan({"seed": 7.0, "plan": PLAN}).seed == 7
    assert plans.read_plan({"seed": None, "plan": PLAN}).seed is None
    odds: list[Any] = ["7", 7.5, True, [], math.inf, math.nan]
    for odd in odds:
        with pytest.raises(InvalidField, match="seed"):
            plans.read_plan({"seed": odd, "plan": PLAN})


def test_a_plan_tells_its_length() -> None:
    """Bars, tempo and metre decide, and what rings out after the last bar."""
    assert plans.length_s(PLAN) == 24.5
    assert plans.length_s({**PLAN, "metre": "6/8"}) == 12.5
    assert plans.length_s({**PLAN, "metre": "7/8"}) == 21.5
    odds: list[dict[str, Any]] = [
        {"metre": "x"},
        {"metre": "4/0"},
        {"tempo_bpm": 0},
        {"tempo_bpm": math.nan},
        {"sections": 3},
        {"sections": ["A"]},
        {"sections": [{"bars": 10**400}]},
        {"ring_frames": 10**400},
        {"ring_frames": -(10**9)},
    ]
    for odd in odds:
        assert plans.length_s({**PLAN, **odd}) is None


def test_layers_are_those_that_a_plan_leaves_open() -> None:
    """The manifest lists them; what the plan decides is no choice."""
    seeds = {"properties": {name: {"description": name} for name in ("plan", "lead", "sound")}}
    known = plans.layers_of([engine(seeds=seeds)])
    assert known == {"lead": "lead", "sound": "sound"}
    assert plans.layers_of([engine()]) == {}
    with pytest.raises(ModelNotFound):
        plans.layers_of([])
    assert plans.chosen_layers(known, (), PLAN) == ["lead"]
    assert plans.chosen_layers(known, ("sound", "lead", "sound"), PLAN) == ["lead", "sound"]
    with pytest.raises(InvalidField) as caught:
        plans.chosen_layers(known, ("melody",), PLAN)
    assert "lead, sound" in caught.value.remedy


def test_a_layer_that_does_not_sound_cannot_vary() -> None:
    """A new seed for it would make the same piece under another name."""
    known = dict.fromkeys(("drums", "bass", "lead", "sound", "texture"), "")
    dry: list[dict[str, Any]] = [PLAN, {**PLAN, "texture": ""}, {**PLAN, "texture": None}]
    for plan in dry:
        assert plans.chosen_layers(known, (), plan) == ["drums", "lead"]
        for layer, name in (("bass", "bass"), ("texture", "background")):
            with pytest.raises(InvalidField, match=f"has no {name} that") as caught:
                plans.chosen_layers(known, ("lead", layer), plan)
            assert "Choose from drums, lead, sound." in caught.value.remedy
    assert plans.chosen_layers(known, ("texture",), {**PLAN, "texture": "rain"}) == ["texture"]


def test_a_piece_of_which_nothing_can_vary_is_refused() -> None:
    """Without layers a variation would be the same piece."""
    odds: list[dict[str, str]] = [{}, {"sound": ""}, {"bass": ""}]
    for known in odds:
        with pytest.raises(InvalidField, match="Nothing") as caught:
            plans.chosen_layers(known, (), PLAN)
        assert caught.value.remedy
    with pytest.raises(InvalidField) as caught:
        plans.chosen_layers({"bass": ""}, ("bass",), {"parts": 3})
    assert "no layers that fit" in caught.value.remedy


@pytest.mark.parametrize("case", CASES["layers"], ids=lambda case: case["case"])
def test_layers_are_those_that_the_page_offers(case: dict[str, Any]) -> None:
    """Page and SDK are held to the same cases."""
    seeds: dict[str, Any] = {"properties": {name: {} for name in case["listed"]}}
    known = plans.layers_of([engine(seeds=seeds)])
    assert plans.sounding_layers(known, case["plan"]) == case["changeable"]
    if case["another"]:
        assert plans.chosen_layers(known, (), case["plan"]) == case["another"]


@pytest.mark.parametrize("case", CASES["titles"], ids=lambda case: case["called"])
def test_titles_are_those_that_the_page_gives(case: dict[str, Any]) -> None:
    """Page and SDK are held to the same cases."""
    called = plans.variation_title(case["title"], case["layers"], case["number"])
    assert called == case["called"]


@pytest.mark.parametrize("case", CASES["long_titles"], ids=lambda case: case["layer"])
def test_long_titles_are_those_that_the_page_gives(case: dict[str, Any]) -> None:
    """No letter is cut in half, and no space is left at the cut."""
    title = case["of"] * case["times"]
    called = plans.variation_title(title, [case["layer"]])
    assert called == title[: case["kept"]] + case["suffix"]


def test_a_title_says_what_is_new_once() -> None:
    """A variation of a variation gets no second suffix; titles stay short enough."""
    assert plans.variation_title("Rain", ["lead", "drums"]) == "Rain (new melody, drums)"
    assert plans.variation_title("Rain (new melody 2)", ["bass"], 3) == "Rain (new bass 3)"
    assert plans.variation_title("Rain", ["a", "b", "c", "d"]) == "Rain (another take)"
    assert len(plans.variation_title("x" * 300, ["lead"])) == 200


def test_a_recipe_is_told_in_a_few_lines() -> None:
    """Understood, ignored, form, band and chords; whatever is missing or odd is left out."""
    assert dict(plan_facts(RECIPE)) == {
        "understood": "120 bpm, lofi, warm, no sub bass, minor",
        "ignored": "purple",
        "form": "12 bars of 4/4: intro·4 A·8",
        "band": "drums lofi, lead electric guitar",
        "chords": "A: Am D; B: C",
    }
    assert not any(value for _, value in plan_facts({}))
    odd = {"decisions": {"plan": {"sections": [3]}, "understood": [], "ignored": "x"}}
    assert dict(plan_facts(odd))["form"] == "0 bars of ?: ?·0"
