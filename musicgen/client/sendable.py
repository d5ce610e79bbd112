"""What can be sent at all: text that is Unicode, numbers that JSON has."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping

from musicgen.errors import InvalidField


def checked_text(field: str, value: str) -> str:
    """Return text that can be sent. Raises InvalidField for one that is not Unicode."""
    if not is_unicode(value):
        raise invalid(field, "must be valid UTF-8 text")
    return value


def checked_texts(field: str, values: Iterable[str]) -> list[str]:
    """Return texts that can be sent. Raises InvalidField."""
    return [checked_text(field, value) for value in values]


def checked_header(field: str, value: str) -> str:
    """Return text that can be sent in a header. Raises InvalidField, without repeating
    what may be a secret."""
    if not (value.isascii() and value.isprintable()):
        raise invalid(field, "must be printable ASCII")
    return value


UTF8_REMEDY = "Send text as UTF-8; set the terminal's or the file's encoding to UTF-8."


def is_unicode(text: str) -> bool:
    """Say whether `text` can be encoded: bytes that were no UTF-8 on a command line arrive
    as lone surrogates, which can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_MOST_DEPTH = 20
"""How deep options may be nested. Messages carry about thirty levels of JSON."""


def check_options(value: object, path: str, depth: int = 0) -> None:
    """Raise InvalidField, with its path, for what no message can carry."""
    if fault := _fault(value):
        raise invalid(path, fault)
    if not isinstance(value, Mapping | list | tuple):
        return
    if depth == _MOST_DEPTH:
        raise invalid("options", f"must not be nested deeper than {_MOST_DEPTH} levels")
    if isinstance(value, Mapping):
        inside = [(f"{path}.{name}", inner) for name, inner in value.items()]
    else:
        inside = [(f"{path}[{index}]", inner) for index, inner in enumerate(value)]
    for place, inner in inside:
        check_options(inner, place, depth + 1)


def _fault(value: object) -> str:
    """Say what is wrong with a value by itself; nothing if it can be sent."""
    if isinstance(value, str) and not is_unicode(value):
        return "must be valid UTF-8 text"
    # Written so that NaN can't be sent.
    if isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
        return "is no number that can be sent"
    if isinstance(value, Mapping) and not all(
        isinstance(name, str) and is_unicode(name) for name in value
    ):
        return "must have names that are valid UTF-8 text"
    return ""


def checked_length(field: str, seconds: float) -> float:
    """Return a length in seconds. Raises InvalidField for one that is none: 0 would silently
    mean "the default", and NaN passes every comparison."""
    try:
        right = math.isfinite(seconds) and seconds > 0
    except OverflowError:  # a whole number beyond all floats
        right = False
    if not right:
        raise invalid(field, "must be a positive number of seconds")
    return seconds


def invalid(field: str, what: str) -> InvalidField:
    """Return the error for a field."""
    return InvalidField(f"{field} {what}.", fields={field: what})
