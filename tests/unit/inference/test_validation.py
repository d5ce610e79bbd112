from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from musicgen.engine.base import Parameters
from musicgen.engine.validation import check_schema, validate
from musicgen.errors import InvalidField, InvalidLyrics, InvalidPrompt
from musicgen.testing.fake_engine import MANIFEST

pytestmark = pytest.mark.unit

GOOD = Parameters("warm piano", "", 10.0, 0, {})
SINGER = dataclasses.replace(MANIFEST, supports_lyrics=True)


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
    """Lyrics need an engine that sings, and are at most 10,000 characters."""
    validate(changed(lyrics="la\nla" * 2000), SINGER)
    for lyrics, manifest in (("la", MANIFEST), ("l" * 10_001, SINGER), ("\x07", SINGER)):
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
