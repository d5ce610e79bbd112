"""The plan as data: there and back, edited, and refused with the place of what is wrong."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from musicgen.errors import InvalidField
from services.inference.engines.composer.__main__ import main
from services.inference.engines.composer.compose import compose
from services.inference.engines.composer.plan_json import plan_from_json, plan_to_json
from services.inference.engines.composer.streams import LAYERS, Streams
from tests.unit.composer.measure import make
from tests.unit.composer.test_plan import plan_for

pytestmark = pytest.mark.unit


def test_a_plan_gives_the_same_samples_again(tmp_path: Path) -> None:
    """What the recipe holds makes the very same piece, whatever the prompt says now."""
    first = make(tmp_path, "pop with flute, 100 bpm", 8.0, 3)
    told = json.loads(json.dumps(first.plan))
    again = make(tmp_path, "entirely different techno", 30.0, 3, plan=told)
    assert again.sha256 == first.sha256
    slower = make(tmp_path, "pop", 8.0, 3, plan=told, tempo_bpm=80, genre="jazz")
    assert slower.generation.tempo_bpm == 80
    assert "options.genre (the plan decides it)" in slower.generation.decisions["ignored"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("tempo_bpm",), 900), (("tempo_bpm",), "fast"), (("mode",), "blue"), (("metre",), "4/5"),
        (("parts", "lead"), "kazoo"), (("parts",), {}), (("sections", 1, "bars"), 0),
        (("sections", 0, "kind"), "coda"), (("sections", 0, "energy"), float("nan")),
        (("sections", 0, "parts"), ["tuba"]), (("sections",), []), (("styles", "bass"), "slap"),
        (("progressions", "A", "degrees"), [1, 9, 4, 5]), (("progressions", "A", "tones"), 2),
        (("seeds",), {"kazoo": 1}), (("swing",), 2), (("loop",), "yes"), (("colour",), "red"),
        (("tonic",), 1.5), (("tempo_bpm",), 10**400), (("title",), "\ud800"), (("title",), "a\0"),
        (("sections", 0, "late"), ["lead", "tuba"]), (("progressions", "B", "raised"), [True]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_path(path: tuple[Any, ...], value: object) -> None:
    """Each bad value is refused, and only its own place is named."""
    told = copy.deepcopy(plan_to_json(plan_for("house")))
    inner: Any = told
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(InvalidField) as caught:
        plan_from_json(told)
    wanted = "options.plan" + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path)
    assert wanted in {name[: len(wanted)] for name in caught.value.fields}, caught.value.fields


@pytest.mark.parametrize("value", [None, [], "plan", 3, {}])
def test_what_is_no_plan_is_refused(value: object) -> None:
    """A plan is an object with its fields."""
    with pytest.raises(InvalidField):
        plan_from_json(value)


@pytest.mark.parametrize("layer", ["drums", "bass", "chords", "lead", "harmony"])
def test_a_layer_s_seed_changes_that_layer_alone(layer: str) -> None:
    """Other drums leave the chords as they are, to the frame."""
    plan = plan_for("house with piano", 60.0)
    before = compose(plan, Streams(1, "x"))
    after = compose(plan, Streams(1, "x", {layer: 99}))
    changed = {
        part
        for old, new in zip(before.sections, after.sections, strict=True)
        for part in old
        if old[part] != new[part]
    }
    assert layer in LAYERS
    if layer == "harmony":
        assert "drums" not in changed
        assert {"bass", "chords"} <= changed
    else:
        assert changed == {layer}


def test_the_command_renders_a_loop_with_stems_and_a_plan_again(tmp_path: Path) -> None:
    """Mix, stems, score and plan of a loop; --plan makes the same mix from plan.json."""
    out, again = tmp_path / "out", tmp_path / "again"
    arguments = ["lofi 90", "--loop", "--duration", "6", "--seed", "4"]
    assert main([*arguments, "--out", str(out)]) == 0
    assert (out / "score.mid").read_bytes()[:4] == b"MThd"
    told = json.loads((out / "plan.json").read_text())
    assert (told["seed"], told["plan"]["loop"]) == (4, True)
    stems = {path.stem for path in (out / "stems").iterdir()}
    assert stems == {*told["plan"]["parts"], "room"}
    frames = soundfile.info(out / "mix.wav").frames
    assert all(soundfile.info(path).frames == frames for path in (out / "stems").iterdir())
    assert {path.name for path in out.iterdir()} == {"mix.wav", "score.mid", "plan.json", "stems"}
    assert main(["--plan", str(out / "plan.json"), "--out", str(again)]) == 0
    assert (again / "mix.wav").read_bytes() == (out / "mix.wav").read_bytes()
    assert main(["--plan", str(tmp_path / "none.json"), "--out", str(again)]) == 2


@pytest.mark.parametrize(
    "text",
    ["", "[" * 100_000, "[]", "3", '{"plan": 1}', '{"plan": {}, "seed": null}', '{"seed": "x"}',
     '{"plan": {}, "seed": -5}', '{"plan": {"title": "\\ud800"}}', "\xff"],
)  # fmt: skip
def test_the_command_refuses_what_is_no_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """A bad file ends in an error that names it, and nothing is written."""
    (tmp_path / "bad.json").write_bytes(text.encode("latin-1"))
    assert main(["--plan", str(tmp_path / "bad.json"), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "plan" in told or "seed" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", ["[1]", "{", "[" * 100_000, '{"key": "H"}', '{"plan": 3}'])
def test_the_command_refuses_what_is_no_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: str
) -> None:
    """Options are an object that the engine's schema knows."""
    assert main(["lofi", "--options", options, "--out", str(tmp_path / "out")]) == 2
    assert "options" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("family", ["pop", "techno", "piano", "lofi", "ambient"])
def test_sections_that_return_are_not_copies(family: str) -> None:
    """A part that comes back in a section of the same kind plays other notes, nearly always."""
    plan = plan_for("music", 180.0, genre=family, tempo_bpm=100)
    score = compose(plan, Streams(1, "music"))
    beat = 44_100 * 60 / plan.tempo_bpm
    seen: dict[tuple[str, str, int], set[object]] = {}
    copies = told = 0
    for section, parts in zip(plan.sections, score.sections, strict=True):
        start = section.start_bar * plan.bar.beats * beat
        for part, notes in parts.items():
            grid = tuple(
                sorted((round((n.start_frame - start) / beat * 4), n.pitch, n.sound) for n in notes)
            )
            heard = seen.setdefault((part, section.kind, section.bars), set())
            told += bool(heard)
            copies += grid in heard
            heard.add(grid)
    assert copies <= 0.2 * told
