"""Lyrics as people and programs write them."""

from __future__ import annotations

import random

import pytest

from musicgen.errors import InvalidLyrics
from services.inference.engines.diffrhythm.lyrics.lrc import Line, parse_lrc
from services.inference.engines.diffrhythm.lyrics.sheet import MAX_LINES, read_lyrics

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[00:12.50]one", [(12.5, "one")]),
        ("[1:02.3] one ", [(62.3, "one")]),
        ("[01:02]one", [(62.0, "one")]),
        ("[00:01.250]one", [(1.25, "one")]),
        ("[00:01:25]one", [(1.25, "one")]),
        ("[00:01,25]one", [(1.25, "one")]),
        ("[100:00.00]one", [(6000.0, "one")]),
        ("[00:20.00][00:05.00]twice", [(5.0, "twice"), (20.0, "twice")]),
        ("[00:01.00] <00:01.00> word <00:01.50> by", [(1.0, "word by")]),
        ("[ar:Somebody]\n[offset:+500]\n[00:01.00]one", [(1.0, "one")]),
        ("[Verse 1]\n[00:01.00][Chorus]one\n[00:02.00][Bridge]", [(1.0, "one"), (2.0, "")]),
        ("[00:01.00]\n[00:02.00]two", [(1.0, ""), (2.0, "two")]),
        ("\ufeff[00:01.00]one\r\nnot timed\r\n[00:02.00]two", [(1.0, "one"), (2.0, "two")]),
        ("[xx:01.00]one\n[00:]two\n[]three\n[", []),
        ("", []),
    ],
)
def test_lines_with_times(text: str, lines: list[tuple[float, str]]) -> None:
    """Every common form of a time is read; lines stand in the order of their times."""
    assert parse_lrc(text) == [Line(time_s, words) for time_s, words in lines]


@pytest.mark.parametrize("time_s", [-0.1, float("nan"), float("inf")])
def test_no_such_time(time_s: float) -> None:
    """A line begins at a time that there is."""
    with pytest.raises(ValueError, match="can't begin"):
        Line(time_s, "one")


def test_rows_without_a_time_are_told() -> None:
    """Among lines with times, words without one aren't sung, and it is known which they are."""
    sheet = read_lyrics("[ti:Song]\n[Verse]\n[00:01.00]one\nforgotten\n\n[00:02.00]two", 95.0)
    assert sheet.has_times
    assert [(row.number, row.text) for row in sheet.untimed] == [(4, "forgotten")]
    assert [timed.row.number for timed in sheet.timed_rows] == [3, 6]


def test_lrc_of_a_sheet_reads_the_same() -> None:
    """What is written out for people to change gives the same lines."""
    sheet = read_lyrics("one and two\n\nthree and four", 95.0)
    assert parse_lrc(sheet.as_lrc()) == list(sheet.lines)


def test_too_many_lines_are_refused() -> None:
    """Lyrics have an end."""
    with pytest.raises(InvalidLyrics):
        read_lyrics("[00:01.00]one\n" * (MAX_LINES + 1), 95.0)
    with pytest.raises(InvalidLyrics):
        read_lyrics("word " * 20_000, 95.0)


def test_any_text_is_read() -> None:
    """Odd texts give lines or none, never an error."""
    source = random.Random(3)  # noqa: S311  # texts, no secrets
    pieces = [
        "[",
        "]",
        "00:01.00",
        ":",
        "\n",
        "word",
        "你",
        "é",
        "\0",
        "<",
        "ар",
        "9" * 30,
        "[1:2]",
        "♪",
    ]
    for _ in range(500):
        text = "".join(source.choices(pieces, k=source.randrange(40)))
        times = [line.time_s for line in read_lyrics(text, 95.0).lines]
        assert times == sorted(times)
