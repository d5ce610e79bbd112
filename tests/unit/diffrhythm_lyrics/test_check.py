"""What people are told about their lyrics."""

from __future__ import annotations

import json
import random

import pytest

from services.inference.engines.diffrhythm.lyrics.check import (
    Code,
    Finding,
    Severity,
    check,
    clock,
)
from services.inference.engines.diffrhythm.lyrics.sheet import read_lyrics
from services.inference.engines.diffrhythm.lyrics.tokenizer import Reading

pytestmark = pytest.mark.unit

BASE, FULL = (2048, 2048), (2799, 6144)


def found(text: str, model: tuple[int, int] = FULL) -> list[Finding]:
    """Check lyrics without espeak-ng."""
    return check(read_lyrics(text, model[0] * 2048 / 44_100), *model)


@pytest.mark.parametrize(
    ("text", "model", "faults"),
    [
        ("[00:10.00]one two three\n[00:13.00]four five six", FULL, []),
        ("[00:10.00]one two\n[00:13.00]three four", BASE, [(Code.LAST_LINE_DROPPED, 2)]),
        ("[00:10.00]one two\n[00:13.00]three four\n[00:16.00]", BASE, []),
        ("[00:10.00]one two\n[02:13.00]three", FULL, [(Code.BEYOND_END, 2)]),
        ("[02:09.00]" + "la " * 30, FULL, [(Code.CUT_AT_END, 1)]),
        ("[00:10.00]" + "la " * 40 + "\n[00:11.00]two", FULL, [(Code.RUNS_INTO_NEXT, 1)]),
        ("[00:10.00]one two three four five\n[00:10.80]six", FULL, [(Code.TOO_FAST, 1)]),
        ("[00:10.00]one two\n[00:40.00]three", FULL, [(Code.LONG_GAP, 1)]),
        ("[00:10.00]one two\n[00:13.00]\n[00:40.00]three", FULL, []),
        ("[00:10.00]one two\nthree\n[00:13.00]four", FULL, [(Code.NO_TIME, 2)]),
        ("[00:10.00]♪\n[00:13.00]four", FULL, [(Code.NOTHING_TO_SING, 1)]),
        ("[00:10.00]hello мир\n[00:13.00]four", FULL, [(Code.OTHER_SCRIPT, 1)]),
        ("[02:20.00]one", FULL, [(Code.BEYOND_END, 1), (Code.NO_LINE_SUNG, None)]),
        ("", FULL, []),
        ("one\ntwo", BASE, []),
    ],
)
def test_findings(text: str, model: tuple[int, int], faults: list[tuple[Code, int | None]]) -> None:
    """Each fault is told once, with its row; lyrics without one give none."""
    assert [(finding.code, finding.row) for finding in found(text, model)] == faults


def test_what_only_phones_tell() -> None:
    """With a reader, sounds that the model doesn't know and Chinese are told, too."""

    def read(text: str) -> Reading:
        return {
            "odd": Reading(("a", "ʘ"), (211,), unknown=("ʘ",)),
            "读": Reading(("a",), (211,), has_chinese=True),
            "无": Reading((), (), has_chinese=True, lacks_chinese=True),
        }[text]

    sheet = read_lyrics("[00:01.00]odd\n[00:04.00]读\n[00:07.00]无", 130.0)
    assert [(one.code, one.row) for one in check(sheet, *FULL, read)] == [
        (Code.UNKNOWN_SOUNDS, 1),
        (Code.CHINESE_MISSING, 3),
        (Code.CHINESE_UNVERIFIED, None),
    ]


def test_too_much_plain_text() -> None:
    """Plain lyrics that are too long for the song say which rows aren't sung."""
    text = "\n".join(f"this is the long line number {number}" for number in range(60))
    rows = [one.row for one in found(text, BASE) if one.code is Code.BEYOND_END]
    assert rows
    assert rows == list(range(rows[0] or 0, 61))


def test_a_finding_is_plain_json() -> None:
    """Programs get the code, the severity, the place and what to do."""
    finding = found("[00:10.00]one\n[02:13.50]three")[0]
    facts = json.loads(json.dumps(finding.as_json()))
    assert facts["code"] == "beyond_end"
    assert facts["severity"] == Severity.ERROR.value
    assert (facts["row"], facts["line"], facts["time_s"], facts["text"]) == (2, 1, 133.5, "three")
    assert "2:13.5" in facts["message"]
    assert facts["remedy"]


@pytest.mark.parametrize(
    ("time_s", "written"), [(0.0, "0:00.0"), (59.96, "1:00.0"), (62.5, "1:02.5")]
)
def test_clock(time_s: float, written: str) -> None:
    """Times are written as people write them."""
    assert clock(time_s) == written


def test_every_text_is_checked() -> None:
    """No text breaks the check, and every finding has its remedy."""
    source = random.Random(5)  # noqa: S311  # texts, no secrets
    pieces = [
        "[00:01.00]",
        "[02:00]",
        "[3:00.5]",
        "\n",
        "word ",
        "你",
        "ж",
        "é",
        "99",
        "♪",
        "[Solo]",
    ]
    for _ in range(300):
        text = "".join(source.choices(pieces, k=source.randrange(30)))
        for model in (BASE, FULL):
            assert all(finding.remedy and finding.message for finding in found(text, model))
