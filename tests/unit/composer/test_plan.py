"""From what was understood to a plan."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from musicgen.errors import InvalidField
from services.inference.engines.composer.form import fit, sections
from services.inference.engines.composer.options import SCHEMA, Options, read_options
from services.inference.engines.composer.orchestration import PREFERRED_PARTS
from services.inference.engines.composer.plan import Plan, make_plan
from services.inference.engines.composer.plan_json import plan_from_json, plan_to_json
from services.inference.engines.composer.profiles import PARTS, PROFILES
from services.inference.engines.composer.prompt import understand
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.drums import KITS
from services.inference.engines.composer.synth.instruments import NAMES
from services.inference.engines.composer.theory import SCALES
from services.inference.engines.composer.title import make_title

pytestmark = pytest.mark.unit


def plan_for(prompt: str, duration_s: float = 60.0, seed: int = 1, **options: Any) -> Plan:
    """Plan a piece."""
    streams = Streams(seed, prompt)
    return make_plan(prompt, understand(prompt), read_options(options), duration_s, streams)


def test_the_prompt_decides() -> None:
    """Tempo, key, metre and instruments that are asked for are in the plan."""
    plan = plan_for("jazz waltz, 140 bpm, Bb minor, with flute and organ, no drums")
    assert (plan.family, plan.tempo_bpm, plan.key, plan.metre) == (
        "jazz", 140.0, "Bb minor", "3/4",
    )  # fmt: skip
    assert {"flute", "organ"} <= set(plan.parts.values())
    assert "drums" not in plan.parts


def test_options_win_over_the_prompt() -> None:
    """Every explicit option is honoured, whatever the prompt says."""
    plan = plan_for(
        "fast happy house in C major, 128 bpm, with drums, rain",
        tempo_bpm=91.5, key="Eb", mode="dorian", metre="3/4", genre="lofi", energy=0.9,
        instruments=["marimba", "violin"], without=["drums"], texture="none",
    )  # fmt: skip
    assert (plan.family, plan.tempo_bpm, plan.key) == ("lofi", 91.5, "Eb dorian")
    assert (plan.metre, plan.energy, plan.texture) == ("3/4", 0.9, "")
    assert {"marimba", "violin"} <= set(plan.parts.values())
    assert "drums" not in plan.parts


@pytest.mark.parametrize(
    "options",
    [
        {"tempo_bpm": 10}, {"tempo_bpm": "fast"}, {"tempo_bpm": True}, {"key": "H"},
        {"mode": "blue"}, {"instruments": "piano"}, {"instruments": ["kazoo"]},
        {"instruments": ["piano", "piano"]}, {"volume": 11}, {"energy": 1.5},
    ],
)  # fmt: skip
def test_bad_options_are_named(options: dict[str, Any]) -> None:
    """An option that can't be used is refused with its path."""
    with pytest.raises(InvalidField) as caught:
        read_options(options)
    assert list(caught.value.fields) == [f"options.{name}" for name in options]


def test_schema_is_a_closed_draft_2020_12_schema() -> None:
    """The schema itself is valid, and knows every option that is read."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["additionalProperties"] is False
    fields = {name if name != "tonic" else "key" for name in Options.__dataclass_fields__}
    assert set(SCHEMA["properties"]) == fields


@pytest.mark.parametrize("duration_s", [5.0, 7.3, 30.0, 61.7, 600.0])
@pytest.mark.parametrize("tempo_bpm", [40.0, 83.0, 220.0])
def test_form_fills_the_length(duration_s: float, tempo_bpm: float) -> None:
    """Bars and ring-out make up the whole length; a fixed tempo stays."""
    length = fit(duration_s, tempo_bpm, 4, fixed=True)
    assert length.tempo_bpm == tempo_bpm
    assert length.bars * 240.0 / tempo_bpm + length.ring_s == pytest.approx(duration_s)
    assert length.ring_s > 0.5 or length.bars == 1


@pytest.mark.parametrize("bars", [1, 2, 3, 5, 8, 13, 19, 30, 64, 301])
def test_sections_cover_all_bars_without_gaps(bars: int) -> None:
    """Sections follow each other and end with the piece."""
    form = sections(bars)
    assert form[0].start_bar == 0
    assert sum(section.bars for section in form) == bars
    assert all(a.start_bar + a.bars == b.start_bar for a, b in itertools.pairwise(form))
    assert all(section.bars >= 1 for section in form)


@pytest.mark.parametrize("family", PROFILES)
def test_profiles_name_what_exists(family: str) -> None:
    """Each profile's parts, instruments and modes exist, and its plan is plain JSON."""
    profile = PROFILES[family]
    assert set(profile.instruments) <= set(PARTS)
    for part, names in profile.instruments.items():
        assert set(names) <= (set(KITS) if part == "drums" else NAMES)
    assert set(profile.modes) <= set(SCALES)
    assert set(PREFERRED_PARTS) <= NAMES
    plan = plan_for("anything", genre=family)
    low, high = profile.tempo_bpm
    assert 0.6 * low - 4 <= plan.tempo_bpm <= high + 4
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_layers_enter_and_leave() -> None:
    """Sections differ in who plays, and the chorus has everybody."""
    plan = plan_for("deep house", 120.0)
    casts = {section.parts for section in plan.sections}
    assert len(casts) >= 3
    chorus = next(section for section in plan.sections if section.kind == "B")
    assert set(chorus.parts) == set(plan.parts)


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("solo piano", {"piano"}),
        ("solo flute", {"flute"}),
        ("just a harp", {"harp"}),
    ],
)
def test_solo_means_one_instrument(prompt: str, parts: set[str]) -> None:
    """A solo has nobody else in it."""
    assert set(plan_for(prompt).parts.values()) == parts


def test_everything_forbidden_still_plays_something() -> None:
    """There is always a part."""
    plan = plan_for("lofi", without=["drums", "bass", "chords", "pad", "lead", "arp"])
    assert plan.parts


def test_seed_and_unknown_words_change_the_plan() -> None:
    """Another seed or another unknown word draws other choices."""

    def drawn(prompt: str, seed: int) -> tuple[object, ...]:
        plan = plan_for(prompt, seed=seed)
        return plan.tonic, plan.mode, plan.tempo_bpm, tuple(plan.parts.items())

    assert len({drawn("lofi", seed) for seed in range(8)}) > 5
    assert len({drawn(f"lofi {word}", 1) for word in ("zorb", "quux", "blip", "fnord")}) > 2


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("warm lofi hip hop, 82 bpm, rainy night", "Rainy Night"),
        ("something like a rainy day in Paris with accordion", "Rainy Day in Paris"),
        ("synthwave night drive, neon lights", "Night Drive"),
        ("Write a happy song about my dog Rufus", "Dog Rufus"),
    ],
)
def test_titles_come_from_the_prompt(prompt: str, title: str) -> None:
    """An image in the prompt is the title."""
    assert make_title(prompt, "lofi", Streams(1, prompt)) == title


def test_a_prompt_without_an_image_gets_a_title_too() -> None:
    """Genres and tempi alone make no title, so the family offers one."""
    title = make_title("deep house, 124 bpm, A minor", "house", Streams(1, ""))
    assert title
    assert not any(word in title.lower() for word in ("house", "124", "minor"))
