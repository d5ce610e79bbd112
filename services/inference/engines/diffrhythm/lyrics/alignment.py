"""One token for each frame of a song: a line's tokens stand together from where it begins."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.inference.engines.diffrhythm.lyrics.frames import (
    BASE_FRAMES,
    duration_fraction,
    frame_at,
    song_seconds,
)
from services.inference.engines.diffrhythm.lyrics.lrc import Line
from services.inference.engines.diffrhythm.lyrics.symbols import (
    COMMA_TOKEN,
    FILLER_TOKEN,
    STOP_TOKEN,
)


class Fate(enum.Enum):
    """What became of a line."""

    SUNG = "sung"
    CUT = "cut"
    """Its end lies past the end of the song."""
    SILENT = "silent"
    """There is nothing to sing in it."""
    BEYOND_END = "beyond_end"
    LAST_DROPPED = "last_dropped"
    """A base model was trained without the last line of each text."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a line's tokens went. Frames are those of the song, `end_frame` exclusive and
    before the cut at the song's end; a line that isn't sung is empty."""

    wanted_frame: int
    start_frame: int
    end_frame: int
    fate: Fate


@dataclass(frozen=True, slots=True)
class Aligned:
    """The text of a song as the model takes it."""

    tokens: npt.NDArray[np.int64]
    """[frames], 0 where nobody sings."""
    max_frames: int
    placed: tuple[Placed, ...]
    """One for each line, in their order."""

    @property
    def duration(self) -> float:
        """The song's share of the longest one, as the model is told it."""
        return duration_fraction(len(self.tokens), self.max_frames)


def align(
    lines: Sequence[Line],
    frames: int,
    max_frames: int,
    tokenize: Callable[[str], list[int]],
) -> Aligned:
    """Place the lines in a song of `frames` frames for a model of `max_frames`.

    A line begins at its time, or where the one before it ends. Lines past the end aren't
    sung, nor is the last one that is left in a model of 2,048 frames; if that is an empty line,
    nothing is lost.
    """
    song_s = song_seconds(frames, max_frames)
    within = [number for number, line in enumerate(lines) if line.time_s < song_s]
    dropped = within[-1] if within and max_frames == BASE_FRAMES else None
    tokens = np.full(frames, FILLER_TOKEN, np.int64)
    placed, free_frame = [], 0
    for number, line in enumerate(lines):
        wanted = frame_at(line.time_s)
        ids = _ended(tokenize(line.text)) if line.text else []
        fate = _fate(line, ids, number == dropped, song_s)
        if fate is not Fate.SUNG:
            placed.append(Placed(wanted, wanted, wanted, fate))
            continue
        start = max(wanted, free_frame)
        free_frame = start + len(ids)
        room = max(0, frames - start)
        tokens[start : start + len(ids)] = ids[:room]
        if room < len(ids):
            fate = Fate.CUT if room else Fate.BEYOND_END
        placed.append(Placed(wanted, start, free_frame, fate))
    return Aligned(tokens, max_frames, tuple(placed))


def _fate(line: Line, ids: list[int], is_dropped: bool, song_s: float) -> Fate:
    if not ids:
        return Fate.SILENT
    if line.time_s >= song_s:
        return Fate.BEYOND_END
    return Fate.LAST_DROPPED if is_dropped else Fate.SUNG


def _ended(ids: list[int]) -> list[int]:
    """Keep the full stop for the end of the line; without tokens there is no line to end."""
    if not ids:
        return []
    return [COMMA_TOKEN if token == STOP_TOKEN else token for token in ids] + [STOP_TOKEN]
