"""Which lines won't fit, and why: for people, before a song is made.

Without a reader the length of lines is estimated, which needs nothing of the engine's
environment; what only their phones tell is not found then.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from services.inference.engines.diffrhythm.lyrics.alignment import Fate, Placed, align
from services.inference.engines.diffrhythm.lyrics.frames import seconds_of, song_seconds
from services.inference.engines.diffrhythm.lyrics.lrc import Line
from services.inference.engines.diffrhythm.lyrics.segments import split
from services.inference.engines.diffrhythm.lyrics.sheet import Sheet
from services.inference.engines.diffrhythm.lyrics.syllables import estimate_tokens
from services.inference.engines.diffrhythm.lyrics.timing import fastest_seconds, natural_seconds
from services.inference.engines.diffrhythm.lyrics.tokenizer import Reading

_LONGEST_GAP_S = 12.0
_LONGEST_GAP_LINES = 3.0
"""A gap is too long if it is longer than both: so many seconds, and so many times the line."""


class Code(enum.Enum):
    """What is wrong with a line."""

    BEYOND_END = "beyond_end"
    CUT_AT_END = "cut_at_end"
    LAST_LINE_DROPPED = "last_line_dropped"
    RUNS_INTO_NEXT = "runs_into_next"
    TOO_FAST = "too_fast"
    LONG_GAP = "long_gap"
    NO_TIME = "no_time"
    NOTHING_TO_SING = "nothing_to_sing"
    OTHER_SCRIPT = "other_script"
    UNKNOWN_SOUNDS = "unknown_sounds"
    CHINESE_MISSING = "chinese_missing"
    CHINESE_UNVERIFIED = "chinese_unverified"
    NO_LINE_SUNG = "no_line_sung"


class Severity(enum.Enum):
    """How much is lost."""

    ERROR = "error"
    """Words aren't sung."""
    WARNING = "warning"
    """Words may be skipped, rushed or repeated."""
    NOTE = "note"


_SEVERITIES = {
    Code.RUNS_INTO_NEXT: Severity.WARNING, Code.TOO_FAST: Severity.WARNING,
    Code.LONG_GAP: Severity.WARNING, Code.UNKNOWN_SOUNDS: Severity.WARNING,
    Code.NOTHING_TO_SING: Severity.NOTE, Code.CHINESE_UNVERIFIED: Severity.NOTE,
}  # fmt: skip
_REMEDIES = {
    Code.BEYOND_END: "Move the line forward, or make the song longer.",
    Code.CUT_AT_END: "Move the line forward, or shorten it.",
    Code.LAST_LINE_DROPPED: "Add an empty line with the time where the singing ends.",
    Code.RUNS_INTO_NEXT: "Move the next line back, or shorten this one.",
    Code.TOO_FAST: "Move the next line back, or shorten this one.",
    Code.LONG_GAP: "If nothing should be sung there, add an empty line with the time where this one"
    " ends; else move the next line forward.",
    Code.NO_TIME: "Give the line a time, such as [00:12.50].",
    Code.NOTHING_TO_SING: "Nothing needs to be done.",
    Code.OTHER_SCRIPT: "Write it in Latin letters, as it sounds.",
    Code.UNKNOWN_SOUNDS: "Spell the word another way.",
    Code.CHINESE_MISSING: "Repair the engine's environment.",
    Code.CHINESE_UNVERIFIED: "Listen whether characters with several readings are sung right.",
    Code.NO_LINE_SUNG: "Correct the lines named here, or leave the lyrics empty for a piece without"
    " singing.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `row` counts the rows of the text from 1, `line` the lines with a time from 0;
    both are None for what concerns the whole text."""

    code: Code
    message: str
    row: int | None = None
    line: int | None = None
    time_s: float | None = None
    text: str = ""

    @property
    def severity(self) -> Severity:
        """How much is lost."""
        return _SEVERITIES.get(self.code, Severity.ERROR)

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return _REMEDIES[self.code]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            **asdict(self),
            "code": self.code.value,
            "severity": self.severity.value,
            "remedy": self.remedy,
        }


def check(
    sheet: Sheet,
    frames: int,
    max_frames: int,
    read: Callable[[str], Reading] | None = None,
    heard_frames: int | None = None,
) -> list[Finding]:
    """Return what won't be sung as it is written, in the order of the rows.

    `read` is Tokenizer.read, if English can be read here. Of `frames` that are sung only
    `heard_frames` may be heard: what comes later is cut off.
    """
    found = [
        Finding(Code.NO_TIME, "The line has no time, so it isn't sung.", row.number, text=row.text)
        for row in sheet.untimed
    ]
    readings = [(read or _estimate)(line.text) for line in sheet.lines]
    ids = {
        line.text: list(reading.token_ids)
        for line, reading in zip(sheet.lines, readings, strict=True)
    }
    heard = frames if heard_frames is None else min(frames, heard_frames)
    placed = tuple(
        _heard(one, heard) for one in align(sheet.lines, frames, max_frames, ids.__getitem__).placed
    )
    song_s = min(song_seconds(frames, max_frames), seconds_of(heard))
    for number, timed in enumerate(sheet.timed_rows):
        line = timed.line
        if not line.text:
            continue
        faults = [
            *_of_words(readings[number]),
            *_of_end(line, placed[number], song_s),
            *_of_gap(number, sheet.lines, placed),
        ]
        found += [
            Finding(code, message, timed.row.number, number, line.time_s, line.text)
            for code, message in faults
        ]
    found.sort(key=lambda finding: finding.row or 0)
    return [*found, *_of_all(sheet, readings, placed)]


def _heard(placed: Placed, frames: int) -> Placed:
    """Return what becomes of a line where only so many frames are heard."""
    if placed.fate not in (Fate.SUNG, Fate.CUT) or placed.end_frame <= frames:
        return placed
    fate = Fate.BEYOND_END if placed.start_frame >= frames else Fate.CUT
    return dataclasses.replace(placed, fate=fate)


def _estimate(text: str) -> Reading:
    foreign = split(text).foreign
    return Reading((), (1,) * estimate_tokens(text), foreign=foreign)


_Fault = tuple[Code, str]


def _of_words(reading: Reading) -> Iterator[_Fault]:
    if reading.foreign:
        scripts = " and ".join(reading.foreign)
        yield Code.OTHER_SCRIPT, f"The model sings English and Chinese; {scripts} is left out."
    if reading.lacks_chinese:
        yield Code.CHINESE_MISSING, "Nothing here can read Chinese, so it is left out."
    if reading.unknown:
        yield (
            Code.UNKNOWN_SOUNDS,
            f"The model doesn't know the sounds {', '.join(reading.unknown)}; they are left out.",
        )
    if not (reading.token_ids or reading.foreign or reading.lacks_chinese):
        yield Code.NOTHING_TO_SING, "The line has no words."


def _of_end(line: Line, placed: Placed, song_s: float) -> Iterator[_Fault]:
    if placed.fate is Fate.BEYOND_END:
        if line.time_s >= song_s:
            yield (
                Code.BEYOND_END,
                f"The line begins at {clock(line.time_s)}, but the song ends at {clock(song_s)}.",
            )
        else:
            yield Code.BEYOND_END, "The lines before it take all the time to the song's end."
    elif placed.fate is Fate.CUT:
        begin_s = seconds_of(placed.start_frame)
        yield (
            Code.CUT_AT_END,
            f"The line begins at {clock(begin_s)} and is cut at the song's end, {clock(song_s)}.",
        )
    elif placed.fate is Fate.LAST_DROPPED:
        yield (
            Code.LAST_LINE_DROPPED,
            "This model leaves out the last line of a text, as it was trained.",
        )


def _of_gap(number: int, lines: tuple[Line, ...], placed: tuple[Placed, ...]) -> Iterator[_Fault]:
    """Compare the time to the next line with what the line takes."""
    if number + 1 == len(lines) or placed[number].fate is not Fate.SUNG:
        return
    line, after = lines[number], lines[number + 1]
    gap_s = after.time_s - line.time_s
    natural_s = natural_seconds(line.text)
    late_s = seconds_of(placed[number].end_frame - placed[number + 1].wanted_frame)
    if placed[number + 1].fate not in (Fate.SUNG, Fate.CUT):
        return  # an empty line only tells where this one ends; singing past it harms nobody
    if late_s > 0:
        yield (
            Code.RUNS_INTO_NEXT,
            f"The line needs more than its {gap_s:.1f} s; the next one comes {late_s:.1f} s late.",
        )
    elif gap_s < fastest_seconds(line.text):
        yield (
            Code.TOO_FAST,
            f"Words may be skipped: the line has {gap_s:.1f} s and takes about {natural_s:.1f} s.",
        )
    elif gap_s > max(_LONGEST_GAP_S, _LONGEST_GAP_LINES * natural_s):
        yield (
            Code.LONG_GAP,
            f"Words may be repeated: the line has {gap_s:.1f} s and takes about {natural_s:.1f} s.",
        )


def _of_all(sheet: Sheet, readings: list[Reading], placed: tuple[Placed, ...]) -> Iterator[Finding]:
    if any(reading.has_chinese and not reading.lacks_chinese for reading in readings):
        yield Finding(
            Code.CHINESE_UNVERIFIED,
            "How Chinese is read here has not been compared with what the model was trained with.",
        )
    wanted = sheet.untimed or any(line.text for line in sheet.lines)
    if wanted and not any(one.fate in (Fate.SUNG, Fate.CUT) for one in placed):
        yield Finding(Code.NO_LINE_SUNG, "No line is sung: the song would be instrumental.")


def clock(time_s: float) -> str:
    """Return a time as people write it: 1:02.5."""
    minutes, tenths = divmod(round(time_s * 10), 600)
    return f"{minutes}:{tenths // 10:02d}.{tenths % 10}"
