"""Lyrics as they came, with times or without, as lines that have one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from musicgen.errors import InvalidLyrics
from services.inference.engines.diffrhythm.lyrics import lrc, timing
from services.inference.engines.diffrhythm.lyrics.lrc import Line, Row, TimedRow

MAX_CHARACTERS = 50_000
MAX_LINES = 1000


@dataclass(frozen=True, slots=True)
class Sheet:
    """Lines in the order of their times, and the rows that they came from."""

    timed_rows: tuple[TimedRow, ...]
    has_times: bool
    """Whether the text had times of its own."""
    untimed: tuple[Row, ...] = ()
    """Rows without a time among others that have one: they aren't sung."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines alone, for `align`."""
        return tuple(timed.line for timed in self.timed_rows)

    def as_lrc(self) -> str:
        """Return the lines as LRC text, for people to change."""
        return "".join(f"[{_stamp(line.time_s)}]{line.text}\n" for line in self.lines)


def read_lyrics(text: str, song_s: float) -> Sheet:
    """Read lyrics for a song of `song_s` seconds; plain text gets its times here.

    Empty lyrics give no lines: an instrumental piece. Raises InvalidLyrics for more than
    MAX_CHARACTERS or MAX_LINES.
    """
    if len(text) > MAX_CHARACTERS:
        raise _too_long(f"have {len(text):,} characters; {MAX_CHARACTERS:,} are allowed")
    if lrc.is_timed(text):
        sheet = Sheet(tuple(lrc.timed_rows(text)), True, tuple(lrc.untimed(text)))
    else:
        sheet = Sheet(tuple(timing.place(lrc.plain_rows(text), song_s)), False)
    if len(sheet.timed_rows) > MAX_LINES:
        raise _too_long(f"have {len(sheet.timed_rows):,} lines; {MAX_LINES:,} are allowed")
    return sheet


def _stamp(time_s: float) -> str:
    minutes, hundredths = divmod(math.floor(time_s * 100 + 0.5), 6000)
    return f"{minutes:02d}:{hundredths // 100:02d}.{hundredths % 100:02d}"


def _too_long(fault: str) -> InvalidLyrics:
    return InvalidLyrics(
        f"The lyrics {fault}.", remedy="Shorten the lyrics.", fields={"lyrics": fault}
    )
