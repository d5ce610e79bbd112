"""Times for lyrics that have none.

The model skips lines that are too close and repeats those that are too far apart, so each
line gets about the time that it takes to sing, each section a breath before it, and what is
left over of the song is played without words at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.inference.engines.diffrhythm.lyrics.lrc import Line, Row, TimedRow
from services.inference.engines.diffrhythm.lyrics.syllables import count_syllables

_INSTRUMENTAL = ("instrumental", "interlude", "solo", "break", "intro", "drop", "间奏", "前奏")


@dataclass(frozen=True, slots=True)
class _Span:
    """How long something may last, in seconds: when time is short, as it should, when there
    is plenty."""

    tight_s: float
    natural_s: float
    loose_s: float

    def at(self, ease: float) -> float:
        """Return the length for an ease from 0 (tight) over 1 (natural) to 2 (loose)."""
        if ease <= 1:
            return self.tight_s + (self.natural_s - self.tight_s) * ease
        return self.natural_s + (self.loose_s - self.natural_s) * (ease - 1)


_BEFORE_FIRST = _Span(2.0, 7.0, 12.0)
_AFTER_LAST = _Span(1.5, 5.0, 8.0)
_BETWEEN_SECTIONS = _Span(0.3, 1.5, 5.0)
_WITHOUT_WORDS = _Span(2.0, 8.0, 16.0)
_NO_PAUSE = _Span(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Sung:
    row: Row
    pause: _Span
    """Before it."""
    length: _Span
    """Until the next line may begin."""


def place(rows: Sequence[Row], song_s: float) -> list[TimedRow]:
    """Give each row with words a time within a song of `song_s` seconds.

    After the last one stands an empty line, where it ends. Rows that don't fit even when sung
    as fast as can be are placed all the same, past the end of the song.
    """
    sung = _sung(rows)
    if not sung:
        return []
    ease = _ease(
        [_AFTER_LAST, *(span for part in sung for span in (part.pause, part.length))], song_s
    )
    time_s, placed = 0.0, []
    for part in sung:
        time_s += part.pause.at(ease)
        placed.append(TimedRow(Line(round(time_s, 2), part.row.text), part.row))
        time_s += part.length.at(ease)
    placed.append(TimedRow(Line(round(time_s, 2), ""), sung[-1].row))
    return placed


def natural_seconds(text: str) -> float:
    """Estimate how long a line takes from its beginning to that of the next."""
    return _length(count_syllables(text)).natural_s


def fastest_seconds(text: str) -> float:
    """Estimate how long a line takes if it is sung as fast as the words can be heard."""
    return _length(count_syllables(text)).tight_s


def _sung(rows: Sequence[Row]) -> list[_Sung]:
    found: list[_Sung] = []
    pause = _BEFORE_FIRST
    for row in rows:
        syllables = count_syllables(row.text)
        if row.mark is not None and any(name in row.mark.lower() for name in _INSTRUMENTAL):
            pause = _WITHOUT_WORDS
        elif (row.is_pause or row.mark is not None) and pause is _NO_PAUSE:
            pause = _BETWEEN_SECTIONS
        if syllables:
            found.append(_Sung(row, pause, _length(syllables)))
            pause = _NO_PAUSE
    return found


def _length(syllables: int) -> _Span:
    return _Span(
        max(1.0, 0.25 + 0.17 * syllables),
        max(2.2, 0.7 + 0.30 * syllables),
        max(2.8, 1.0 + 0.36 * syllables),
    )


def _ease(spans: Sequence[_Span], song_s: float) -> float:
    """Return the ease at which spans fill a song; the length grows evenly between whole ones."""
    tight_s, natural_s, loose_s = (sum(span.at(ease) for span in spans) for ease in (0, 1, 2))
    if song_s <= natural_s:
        return max(0.0, (song_s - tight_s) / (natural_s - tight_s))
    return min(2.0, 1 + (song_s - natural_s) / (loose_s - natural_s))
