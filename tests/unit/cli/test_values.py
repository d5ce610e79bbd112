from __future__ import annotations

import math
from typing import Any

import pytest

from musicgen.api.jobs.v1 import job_service_pb2
from musicgen.cli.values import FORMATS, Points, format_for, parse_length, parse_options
from musicgen.client import specs
from musicgen.errors import InvalidField, InvalidPrompt, UnsupportedFormat

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "length_s"),
    [
        ("60", 60),
        ("0.5", 0.5),
        ("45s", 45),
        ("90m", 5400),
        ("1h", 3600),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1H 30M".replace(" ", ""), 5400),
        ("1h5s", 3605),
        ("2:30", 150),
        ("2:30:00", 9000),
        ("0:00.5", 0.5),
        ("11h", 39_600),
    ],
)
def test_lengths_are_read_as_people_write_them(text: str, length_s: float) -> None:
    """Seconds, units or a clock."""
    assert parse_length(text) == length_s


@pytest.mark.parametrize(
    "text",
    ["", " ", "0", "0s", "-5", "nan", "inf", "1e3", "1h30", "60 s", "h", "1m1h", "1:2", "٣", "９"],
)
def test_what_is_no_length_is_refused(text: str) -> None:
    """Nothing is guessed: "1h30" could be minutes or seconds."""
    with pytest.raises(InvalidField) as caught:
        parse_length(text)
    assert caught.value.remedy


def test_options_are_json_where_they_can_be() -> None:
    """Numbers, booleans and lists keep their type; all else is text, NaN too."""
    pairs = ["bpm=82", "loop=true", "key=A minor", "tags=[1]", "odd=NaN", "eq=a=b", "empty="]
    assert parse_options(pairs) == {
        "bpm": 82,
        "loop": True,
        "key": "A minor",
        "tags": [1],
        "odd": "NaN",
        "eq": "a=b",
        "empty": "",
    }


def test_points_are_two_frames_in_order() -> None:
    """The first comes before the second."""
    assert Points().convert("0:44100", None, None) == (0, 44_100)
    for text in ("5:5", "9:5", "-1:5", "a:b", "5", "1:2:3"):
        with pytest.raises(InvalidField):
            Points().convert(text, None, None)


def test_the_format_is_the_extension_unless_it_is_asked_for() -> None:
    """A name that says nothing needs --format."""
    assert format_for("a.MP3", None) == "mp3"
    assert format_for("a.mp3", "wav") == "wav"
    assert [format_for(f"a.{name}", None) for name in FORMATS] == list(specs.FORMATS)
    assert format_for("-", None) == "flac"
    assert format_for(None, None) == "flac"
    with pytest.raises(UnsupportedFormat):
        format_for("a.aiff", None)


def test_a_spec_leaves_out_what_was_not_asked_for() -> None:
    """Seed 0 is a seed; no seed is none."""
    bare = specs.generate("rain").generate.parameters
    assert not bare.HasField("seed")
    assert bare.duration_seconds == 0
    assert specs.generate("rain", seed=0).generate.parameters.HasField("seed")


@pytest.mark.parametrize("duration_s", [0.0, -1.0, math.nan, math.inf])
def test_a_length_that_means_nothing_is_never_sent(duration_s: float) -> None:
    """0 would silently mean the default."""
    with pytest.raises(InvalidField):
        specs.generate("rain", duration_s=duration_s)


def nested(depth: int, value: Any = 1) -> Any:
    """Return a value so many objects deep."""
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (object(), "options"),
        (10**400, "options.key"),
        (-(10**400), "options.key"),
        (math.inf, "options.key"),
        (math.nan, "options.key"),
        ("\udcff", "options.key"),
        ([1, {"a": ["\udcff"]}], "options.key[1].a[0]"),
        ({"\udcff": 1}, "options.key"),
        ({1: 2}, "options.key"),
        (nested(20), "options"),
        (nested(5_000), "options"),
    ],
    ids=lambda value: repr(value)[:20] if isinstance(value, str) else type(value).__name__,
)
def test_an_option_that_cannot_be_sent_is_named(value: Any, field: str) -> None:
    """Whatever JSON or a program can hold and a message can't."""
    with pytest.raises(InvalidField) as caught:
        specs.generate("rain", options={"key": value})
    assert list(caught.value.fields) == [field]


def test_options_are_as_deep_as_messages_carry() -> None:
    """What is accepted here can be read at the other end, inside a watch's frame too."""
    frame = job_service_pb2.WatchJobsResponse()
    job = frame.events.events.add().changed
    job.spec.CopyFrom(specs.generate("rain", options={"key": nested(19)}))
    assert job_service_pb2.WatchJobsResponse.FromString(frame.SerializeToString()) == frame


def test_text_that_is_no_unicode_is_never_sent() -> None:
    """Bytes that were no UTF-8 arrive from a command line as lone surrogates."""
    with pytest.raises(InvalidPrompt):
        specs.generate("rain \udcff")
    with pytest.raises(InvalidField):
        specs.export("track\udcff")
    with pytest.raises(UnsupportedFormat):
        specs.export("track", "aiff")
