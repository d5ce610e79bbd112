"""Lyrics with times (LRC), and plain text split into lines and pauses.

[ar:Somebody]                 metadata: ignored
[Verse 1]                     a section mark: not sung
[00:12.50]First line          sung from 12.5 s
[1:02][1:40.250]Twice         sung twice
[01:30.00]                    an empty line: where the one before it ends
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

_STAMP = re.compile(r"\[\s*(\d{1,3}):(\d{1,2}(?:[.,:]\d{1,3})?)\s*\]\s*", re.ASCII)
_WORD_STAMP = re.compile(r"<\s*\d{1,3}:\d{1,2}(?:[.,:]\d{1,3})?\s*>\s*", re.ASCII)
_METADATA = re.compile(
    r"\[\s*(?:ar|ti|al|au|by|length|offset|re|tool|ve|la|lang|id|kana|encoding|#)\s*:[^\]]*\]",
    re.IGNORECASE,
)
_MARK = re.compile(r"(?:\[([^\[\]]{0,100})\]|【([^【】]{0,100})】)\s*:?")
_INVISIBLE = dict.fromkeys([*range(0x200B, 0x2010), 0x2060, 0xFEFF])
"""Byte order marks, joiners and the like, which texts from the web are full of."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line and when it begins. Without text it only ends the line before it."""

    time_s: float
    text: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.time_s) and self.time_s >= 0):
            raise ValueError(f"a line can't begin at {self.time_s} s")


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was typed, counted from 1. `mark` is a section's name, without brackets."""

    number: int
    text: str
    mark: str | None = None

    @property
    def is_pause(self) -> bool:
        """Whether nothing is sung here: a mark, or an empty row."""
        return not self.text


@dataclass(frozen=True, slots=True)
class TimedRow:
    """A line, and the row it stands in."""

    line: Line
    row: Row


def parse_lrc(text: str) -> list[Line]:
    """Return the lines that have a time, in the order of their times.

    Rows without one are left out; `untimed` tells which were meant to be sung.
    """
    return [timed.line for timed in timed_rows(text)]


def timed_rows(text: str) -> list[TimedRow]:
    """Return what has a time, in the order of the times, each with its row."""
    found = []
    for row in _rows(text):
        times, words = _read_stamps(row.text)
        words, _ = _without_mark(words)
        found += [TimedRow(Line(time_s, words), row) for time_s in times]
    return sorted(found, key=lambda timed: timed.line.time_s)


def is_timed(text: str) -> bool:
    """Whether any row begins with a time."""
    return any(_read_stamps(row.text)[0] for row in _rows(text))


def untimed(text: str) -> list[Row]:
    """Return the rows of an LRC text that have words but no time."""
    return [row for row in plain_rows(text) if row.text and not _read_stamps(row.text)[0]]


def plain_rows(text: str) -> list[Row]:
    """Return all rows but metadata: words, section marks and pauses, in the text's order."""
    found = []
    for row in _rows(text):
        if _METADATA.fullmatch(row.text):
            continue
        words, mark = _without_mark(row.text)
        found.append(Row(row.number, words, mark))
    return found


def _rows(text: str) -> Iterator[Row]:
    for number, row in enumerate(text.translate(_INVISIBLE).splitlines(), 1):
        yield Row(number, row.strip())


def _read_stamps(row: str) -> tuple[list[float], str]:
    """Return the times before a row's words in seconds, and the words."""
    times: list[float] = []
    position = 0
    while match := _STAMP.match(row, position):
        minutes, seconds = match.groups()
        times.append(int(minutes) * 60 + float(seconds.replace(",", ".").replace(":", ".")))
        position = match.end()
    words = _WORD_STAMP.sub("", row[position:]) if times else row
    return times, words.strip()


def _without_mark(row: str) -> tuple[str, str | None]:
    """Split a section mark from the words after it."""
    match = None if _STAMP.match(row) else _MARK.match(row)
    if match is None:
        return row, None
    return row[match.end() :].strip(), (match.group(1) or match.group(2) or "").strip()
