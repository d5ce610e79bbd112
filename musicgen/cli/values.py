"""Values of the command line: lengths, options of an engine, loop points, formats."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from musicgen.errors import InvalidField, UnsupportedFormat

FORMATS = ("flac", "wav", "mp3", "opus", "ogg", "m4a")

_NUMBER = r"(\d{1,9}(?:\.\d+)?)"
_SECONDS = re.compile(f"()(){_NUMBER}", re.ASCII)
_UNITS = re.compile(f"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,9}):)?(\d{1,9}):(\d\d(?:\.\d+)?)", re.ASCII)


def parse_length(text: str) -> float:
    """Read a length in seconds: "90", "1h", "90m", "1h30m", "45s", "2:30" or "2:30:00".
    Raises InvalidField; whether the length is allowed is for the studio to say."""
    length_s = _seconds(text)
    if not length_s:
        raise InvalidField(
            f"{text!r} is no length of music.",
            remedy="Give seconds, such as 90, or 90m, 1h30m or 2:30:00; more than zero.",
            fields={"length": "must be a length above zero"},
        )
    return length_s


def _seconds(text: str) -> float | None:
    text = text.strip().lower()
    match = _SECONDS.fullmatch(text) or _UNITS.fullmatch(text) or _CLOCK.fullmatch(text)
    if not match or not text:
        return None
    hours, minutes, seconds = (float(group or 0) for group in match.groups())
    return hours * 3600 + minutes * 60 + seconds


class Length(click.ParamType[float]):
    """A length of music, in seconds."""

    name = "length"

    def convert(
        self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None
    ) -> float:
        """Read the length."""
        return value if isinstance(value, float) else parse_length(str(value))


class Points(click.ParamType[tuple[int, int]]):
    """A cycle: its first frame and the first frame after it."""

    name = "start:end"

    def convert(
        self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read "S:E"."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d{1,15}):(\d{1,15})", str(value), re.ASCII)
        if not match or int(match[1]) >= int(match[2]):
            raise InvalidField(
                f"{value!r} are no loop points.",
                remedy="Give two frames, the first before the second, such as 44100:441000.",
                fields={"points": "must be START:END in frames"},
            )
        return int(match[1]), int(match[2])


class Part(click.ParamType[tuple[float, float | None]]):
    """A part of a piece: where it begins and ends, in seconds; None is the piece's end."""

    name = "start-end"

    def convert(
        self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None
    ) -> tuple[float, float | None]:
        """Read "12.5-20", "1:05-1:20" or "40-"; whether the piece has it is for the studio to
        say."""
        if isinstance(value, tuple):
            return value
        first, dash, last = str(value).partition("-")
        start_s, end_s = _seconds(first), _seconds(last)
        if start_s is None or not dash or (end_s is None and last.strip()):
            raise InvalidField(
                f"{value!r} is no part of a piece.",
                remedy="Give where it begins and ends, such as 12.5-20 or 1:05-1:20, in seconds "
                "from the start; 40- is from there to the end.",
                fields={"part": "must be START-END"},
            )
        if end_s is not None and end_s <= start_s:
            raise InvalidField(
                f"The part {value} ends before it begins.",
                fields={"part": "must begin before it ends"},
            )
        return start_s, end_s


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Read "name=value" pairs. A value that is JSON is taken as such, else as text."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, raw = pair.partition("=")
        if not (name and equals) or name in options:
            raise InvalidField(
                f"--option {pair!r} is given twice."
                if name in options
                else f"--option {pair!r} is not of the form name=value.",
                remedy="Write --option name=value, once for each name; `musicgen engines` "
                "shows the options of each engine.",
                fields={"options": "must be name=value"},
            )
        options[name] = _value(raw)
    return options


def _value(raw: str) -> Any:
    try:
        return read_json(raw)
    except ValueError:
        return raw


def read_json(text: str | bytes) -> Any:
    """Read JSON as the standard has it, without NaN and Infinity. Raises ValueError."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no number of JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def format_for(output: str | None, asked: str | None) -> str:
    """Return the format to export: as asked for, else by the file's extension; FLAC for
    stdout. Raises UnsupportedFormat if the extension says nothing."""
    if asked:
        return asked
    if output is None or output == "-":
        return "flac"
    extension = Path(output).suffix.lower().removeprefix(".")
    if extension not in FORMATS:
        raise UnsupportedFormat(
            f"{output!r} does not say which format it shall be.",
            remedy=f"Let its name end in .{', .'.join(FORMATS)}, or choose one with --format.",
        )
    return extension
