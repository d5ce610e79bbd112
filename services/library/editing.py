"""Edits of a track: which fields, which values, and why not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from musicgen.errors import InvalidField
from services.library.track import Track

EDITABLE = ("title", "artist", "album", "genre", "year", "tags")
# A REST client names the track and its etag in the body, and so in the derived mask.
_NOT_EDITS = frozenset({"track_id", "trackId", "etag"})
_ALL = "*"

TITLE_LIMIT = 200
GENRE_LIMIT = 100
_TEXT_LIMITS = {"title": TITLE_LIMIT, "artist": 200, "album": 200, "genre": GENRE_LIMIT}
_TAGS_LIMIT = 32
_TAG_LIMIT = 50
_YEARS = range(1, 10_000)
# Control characters, surrogates, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Edit:
    """New values. `year` None means no year."""

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: int | None = None
    tags: tuple[str, ...] = ()


def fields_to_change(mask: Sequence[str], edit: Edit) -> tuple[str, ...]:
    """Return the fields that `mask` names, in their own order.

    No mask means the fields that have a value in `edit`; "*" means all.
    Raises InvalidField for a path that is unknown or can't be edited.
    """
    if not mask:
        return tuple(field for field in EDITABLE if getattr(edit, field) not in ("", None, ()))
    if list(mask) == [_ALL]:
        return EDITABLE
    wrong = {path for path in mask if path not in EDITABLE and path not in _NOT_EDITS}
    if wrong:
        raise InvalidField(
            f"{', '.join(sorted(wrong))[:200]} can't be edited.",
            remedy=f"Name only {', '.join(EDITABLE)} in the mask.",
            fields={"update_mask": f"only {', '.join(EDITABLE)} can be edited"},
        )
    return tuple(field for field in EDITABLE if field in mask)


def apply(track: Track, edit: Edit, fields: Sequence[str]) -> Track:
    """Return `track` with `fields` taken from `edit`. Raises InvalidField naming every
    value that is wrong."""
    faults: dict[str, str] = {}
    for field in fields:
        if fault := _fault(field, edit):
            faults[f"track.{field}"] = fault
    if faults:
        raise InvalidField("; ".join(f"{k} {v}" for k, v in faults.items()) + ".", fields=faults)
    return replace(track, **{field: getattr(edit, field) for field in fields})


def _fault(field: str, edit: Edit) -> str:
    if field == "year":
        return "must be 1 to 9999" if edit.year is not None and edit.year not in _YEARS else ""
    if field == "tags":
        if len(edit.tags) > _TAGS_LIMIT:
            return f"may be up to {_TAGS_LIMIT}"
        faults = (_text_fault(tag, _TAG_LIMIT, required=True) for tag in edit.tags)
        return next((f"must each be right: one {fault}" for fault in faults if fault), "")
    return _text_fault(getattr(edit, field), _TEXT_LIMITS[field], required=field == "title")


def _text_fault(text: str, limit: int, *, required: bool) -> str:
    if required and not text.strip():
        return f"must have 1 to {limit} characters"
    if len(text) > limit:
        return f"may have up to {limit} characters"
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        return "must not contain control characters"
    return ""


def one_line(text: str, limit: int) -> str:
    """Make a title or genre of text that a program offers: one line, at most `limit`
    characters."""
    printable = (
        " " if unicodedata.category(character) in _UNPRINTABLE else character for character in text
    )
    return re.sub(r"\s+", " ", "".join(printable)).strip()[:limit].strip()
