from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from musicgen.engine.base import Edit, Parameters, TimeRange
from musicgen.engine.validation import (
    MAX_PARTS,
    check_parts,
    check_schema,
    check_style_audio,
    edit_duration_s,
    validate,
    validate_inputs,
)
from musicgen.errors import InvalidField, InvalidLyrics, InvalidPrompt
from musicgen.testing.fake_engine import MANIFEST

pytestmark = pytest.mark.unit

GOOD = Parameters("warm piano", "", 10.0, 0, {})
SILENT = dataclasses.replace(MANIFEST, supports_lyrics=False)


def changed(**changes: Any) -> Parameters:
    """Good parameters but for `changes`."""
    return dataclasses.replace(GOOD, **changes)


@pytest.mark.parametrize(
    "good",
    [
        GOOD,
        changed(prompt="x" * 2000),
        changed(prompt=" " + "é" * 1998 + "\n"),
        changed(prompt="two\nlines\tand 🎹"),
        changed(seed=2**32 - 1, duration_s=0.1),
        changed(options={"steps": 3, "step_s": 0.5, "ignore_cancel": True}),
    ],
)
def test_accepts(good: Parameters) -> None:
    """The limits themselves are allowed."""
    validate(good, MANIFEST)


@pytest.mark.parametrize(
    "prompt", ["", " \t\n", "x" * 2001, "x" + " " * 2000, "a\x00", "a\x1b[31m", "\x85x", "\ud800"]
)
def test_refuses_prompts(prompt: str) -> None:
    """A prompt is 1 to 2,000 characters, none of them a control character."""
    with pytest.raises(InvalidPrompt) as caught:
        validate(changed(prompt=prompt), MANIFEST)
    assert list(caught.value.fields) == ["parameters.prompt"]
    assert caught.value.remedy


def test_refuses_lyrics() -> None:
    """Lyrics need an engine that sings, and are at most 20,000 characters."""
    validate(changed(lyrics="la\nla" * 4000), MANIFEST)
    for lyrics, manifest in (("la", SILENT), ("l" * 20_001, MANIFEST), ("\x07", MANIFEST)):
        with pytest.raises(InvalidLyrics) as caught:
            validate(changed(lyrics=lyrics), manifest)
        assert caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"duration_s": 0.0}, "duration_seconds"),
        ({"duration_s": 600.01}, "duration_seconds"),
        ({"duration_s": math.nan}, "duration_seconds"),
        ({"duration_s": math.inf}, "duration_seconds"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"seed": True}, "seed"),
        ({"options": {"steps": "3"}}, "options.steps"),
        ({"options": {"wrong": "no such"}}, "options.wrong"),
        ({"options": {"other": 1}}, "options.other"),
        ({"options": {"step_s": math.nan}}, "options.step_s"),
        ({"options": {"fail_with": "\0"}}, "options.fail_with"),
        ({"options": {"a\0": 1}}, "options"),
        ({"options": {"a": [1, {"b": math.inf}]}}, "options.a[1].b"),
    ],
)
def test_names_the_field(changes: dict[str, Any], field: str) -> None:
    """What is wrong is named by its path in the request."""
    with pytest.raises(InvalidField) as caught:
        validate(changed(**changes), MANIFEST, at="spec.parameters")
    assert list(caught.value.fields) == [f"spec.parameters.{field}"]


def test_names_all_fields() -> None:
    """All faults are told at once, but not without end."""
    many = {f"o{n}": math.nan for n in range(100)}
    with pytest.raises(InvalidField) as caught:
        validate(changed(seed=-1, duration_s=-1.0, options=many), MANIFEST)
    assert {"parameters.seed", "parameters.duration_seconds"} < set(caught.value.fields)
    assert len(caught.value.fields) == 22


def test_no_schema_no_options() -> None:
    """An engine without a schema has no options."""
    plain = dataclasses.replace(MANIFEST, options_schema={})
    validate(GOOD, plain)
    with pytest.raises(InvalidField):
        validate(changed(options={"steps": 3}), plain)


def test_schema_is_checked_and_fetches_nothing() -> None:
    """A manifest with a broken schema is refused; a remote $ref is not followed."""
    check_schema(MANIFEST)
    with pytest.raises(ValueError, match="options_schema"):
        check_schema(dataclasses.replace(MANIFEST, options_schema={"type": "nosuch"}))
    remote = dataclasses.replace(
        MANIFEST, options_schema={"properties": {"steps": {"$ref": "http://127.0.0.1:1/x"}}}
    )
    with pytest.raises(Exception, match="Unresolvable"):
        validate(changed(options={"steps": 1}), remote)


@pytest.mark.parametrize(
    "parts",
    [
        [(0.0, None)],
        [(0.0, 10.0)],
        [(0.0, 10.01)],
        [(9.999, None)],
        [(0.0, 5.0), (5.0, 5.5), (5.5, None)],
        [(n / 8, n / 8 + 0.125) for n in range(MAX_PARTS)],
    ],
)
def test_accepts_parts(parts: list[tuple[float, float | None]]) -> None:
    """Parts may touch each other and the end, which may have been rounded up."""
    check_parts([TimeRange(*part) for part in parts], MANIFEST, 10.0, at="parts")
    check_parts([TimeRange(*part) for part in parts], MANIFEST, None, at="parts")


@pytest.mark.parametrize(
    ("parts", "fields"),
    [
        ([], ["parts"]),
        ([(n / 10, n / 10 + 0.05) for n in range(MAX_PARTS + 1)], ["parts"]),
        ([(-0.001, 1.0)], ["parts[0]"]),
        ([(1.0, 1.0)], ["parts[0]"]),
        ([(0.0, 10.02)], ["parts[0]"]),
        ([(10.02, None)], ["parts[0]"]),
        ([(0.0, math.inf)], ["parts[0]"]),
        ([(math.inf, None)], ["parts[0]"]),
        ([(math.nan, None)], ["parts[0]"]),
        ([(0.0, math.nan), (1.0, 2.0)], ["parts[0]"]),
        ([(0.0, 2.0), (1.0, 3.0)], ["parts[1]"]),
        ([(0.0, None), (1.0, 3.0)], ["parts[1]"]),
        ([(4.0, 3.0), (1.0, 0.5), (2.0, 11.0)], ["parts[0]", "parts[1]", "parts[2]"]),
    ],
)
def test_refuses_parts(parts: list[tuple[float, float | None]], fields: list[str]) -> None:
    """Each part that can't be is named, and the message says what is wrong with the first."""
    with pytest.raises(InvalidField) as caught:
        check_parts([TimeRange(*part) for part in parts], MANIFEST, 10.0, at="parts")
    assert list(caught.value.fields) == fields
    assert caught.value.message.startswith(f"{fields[0]} ")


def test_parts_of_a_piece_whose_length_nobody_knows() -> None:
    """Only the end is not judged then."""
    check_parts([TimeRange(0.0, 1e6)], MANIFEST, None, at="parts")
    with pytest.raises(InvalidField):
        check_parts([TimeRange(math.nan, 1e6)], MANIFEST, None, at="parts")


@pytest.mark.parametrize(
    ("length_s", "duration_s"),
    [(4.0, 4.0), (3.91, 4.0), (60.5, 60.5), (285.0, 285.0), (285.09, 285.0)],
)
def test_an_edit_is_as_long_as_its_source(length_s: float, duration_s: float) -> None:
    """A source that a rounding made too long or too short is taken, within the range."""
    short = dataclasses.replace(MANIFEST, min_duration_s=4.0, max_duration_s=285.0)
    assert edit_duration_s(length_s, short, at="source") == duration_s


@pytest.mark.parametrize("length_s", [0.0, 3.89, 285.11, 300.0, math.inf, math.nan])
def test_a_source_out_of_range(length_s: float) -> None:
    """It is named as what is wrong, with the lengths that would do."""
    short = dataclasses.replace(MANIFEST, min_duration_s=4.0, max_duration_s=285.0)
    with pytest.raises(InvalidField) as caught:
        edit_duration_s(length_s, short, at="source")
    told = f"lasts {length_s:g} s; Fake makes parts of pieces of 4 to 285 s anew"
    assert caught.value.fields == {"source": told}
    assert caught.value.message == f"source {told}."


def test_two_styles_at_once() -> None:
    """Music goes with no style among the options, if the engine has such an option."""
    styled = {"type": "object", "properties": {"style": {"type": "array"}, "steps": {}}}
    with_option = dataclasses.replace(MANIFEST, options_schema=styled)
    check_style_audio(with_option, ["steps"], at="style_audio")
    check_style_audio(MANIFEST, ["style"], at="style_audio")  # `validate` knows no such option
    check_style_audio(dataclasses.replace(MANIFEST, options_schema={}), ["style"], at="a")
    with pytest.raises(InvalidField) as caught:
        check_style_audio(with_option, ["steps", "style"], at="style_audio")
    assert caught.value.fields == {"style_audio": "goes with no options.style"}
    assert caught.value.remedy


def test_inputs_need_an_engine_that_reads_them() -> None:
    """Each input is refused by its own name, in the request that it came with."""
    plain = dataclasses.replace(MANIFEST, supports_edit=False, supports_style_audio=False)
    edit = Edit(Path("/a.wav"), [TimeRange(0.0, 1.0)])
    validate_inputs(GOOD, plain)
    validate_inputs(changed(edit=edit, style_audio=Path("/b.wav")), MANIFEST)
    check_style_audio(MANIFEST, at="style")
    for asked, field in ((changed(edit=edit), "p"), (changed(style_audio=Path("/b.wav")), "s")):
        with pytest.raises(InvalidField) as caught:
            validate_inputs(asked, plain, style_at="s", parts_at="p")
        assert list(caught.value.fields) == [field]
        assert "musicgen engines" in caught.value.remedy
