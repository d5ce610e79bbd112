"""Values of `loop` and `loops`: a time of day, and files of loop points."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import click

from musicgen.errors import InvalidField
from musicgen.loop_limits import MAX_LENGTH_S, MIN_LENGTH_S

POINTS_FILES = (".json", ".csv", ".txt", ".cue")
"""JSON, CSV, labels for Audacity, a cue sheet."""

_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)


class TimeOfDay(click.ParamType[time]):
    """A time as the clock here shows it."""

    name = "time"

    def convert(
        self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None
    ) -> time:
        """Read "07:00" or "23:15:30"."""
        if isinstance(value, time):
            return value
        match = _CLOCK.fullmatch(str(value))
        try:
            if match:
                return time(int(match[1]), int(match[2]), int(match[3] or 0))
        except ValueError:
            pass
        raise InvalidField(
            f"{value!r} is no time of day.",
            remedy="Give hours and minutes, such as 07:00 or 23:15.",
            fields={"until": "must be a time from 00:00 to 23:59"},
        )


def length_until(end: time, now: datetime) -> float:
    """Return the seconds from `now`, a local time, to when the clock next shows `end`; over
    a change of the clocks too. Raises InvalidField if no loop can be as long as that."""
    # Without a zone, so that the clock's own reading counts; then each in its own offset.
    reading = now.replace(tzinfo=None)
    target = datetime.combine(reading.date(), end)
    if target <= reading:
        target += timedelta(days=1)
    length_s = target.timestamp() - reading.timestamp()
    if not MIN_LENGTH_S <= length_s <= MAX_LENGTH_S:
        hours, minutes = divmod(round(length_s / 60), 60)
        raise InvalidField(
            f"Until {end:%H:%M} it is {hours} h {minutes} min: a loop lasts a minute to ten hours.",
            remedy="Choose another time, or give a --length.",
            fields={"until": "must be a minute to ten hours ahead"},
        )
    return length_s


class PointsFile(click.ParamType[Path]):
    """A file to save loop points in; its name says for which program."""

    name = "file"

    def convert(
        self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None
    ) -> Path:
        """Read the name."""
        path = Path(value)
        if path.suffix.lower() not in POINTS_FILES:
            raise InvalidField(
                f"{str(value)!r} does not say which form the points shall have.",
                remedy="Let its name end in .json, .csv, .txt (labels for Audacity) or .cue.",
                fields={"save-points": f"must end in {', '.join(POINTS_FILES)}"},
            )
        return path
