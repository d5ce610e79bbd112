"""The languages in a line: English and Chinese are sung, other scripts can't be."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]

_SCRIPTS: Mapping[str, str] = {
    "CYRILLIC": "Cyrillic", "GREEK": "Greek", "ARABIC": "Arabic", "HEBREW": "Hebrew",
    "HANGUL": "Korean", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "THAI": "Thai",
    "DEVANAGARI": "Devanagari", "BENGALI": "Bengali", "TAMIL": "Tamil", "CJK": "rare Chinese",
    "KATAKANA-HIRAGANA": "Japanese", "ARMENIAN": "Armenian", "GEORGIAN": "Georgian",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a line in one language, with the marks and figures that go with it."""

    text: str
    language: Language


@dataclass(frozen=True, slots=True)
class Split:
    """A line's segments, and the names of other scripts in it, whose letters are left out."""

    segments: tuple[Segment, ...]
    foreign: tuple[str, ...] = ()


def split(text: str) -> Split:
    """Split a line by language. What belongs to none joins the segment before it, at the
    start the one after; a line of figures only is English, one without either has none."""
    segments: list[Segment] = []
    foreign: dict[str, None] = {}
    pending, language = "", None
    for character in unicodedata.normalize("NFC", text):
        own = _language(character)
        script = None if own else _foreign_script(character)
        if script:
            foreign[script] = None
        if own is not None and language is not None and own != language:
            segments.append(Segment(pending, language))
            pending = ""
        language = own or language
        pending += " " if script else character  # its neighbours don't become one word
    if language is not None:
        segments.append(Segment(pending, language))
    elif any(character.isdecimal() for character in pending):
        segments.append(Segment(pending, "en"))
    return Split(tuple(segments), tuple(foreign))


def _language(character: str) -> Language | None:
    if "\u4e00" <= character <= "\u9fa5":
        return "zh"
    if character.isascii():
        return "en" if character.isalpha() else None
    if character.isalpha() and _name(character).startswith(("LATIN", "FULLWIDTH LATIN")):
        return "en"
    return None


def _foreign_script(character: str) -> str | None:
    """Return the name of the script of a letter that can't be sung, None for anything else."""
    if character.isascii() or unicodedata.category(character)[0] not in "LM":
        return None
    name = _name(character)
    if name.startswith(("COMBINING", "VARIATION", "MODIFIER")):
        return None
    first = name.split(" ")[0]
    return _SCRIPTS.get(first, first.capitalize() or "another script")


def _name(character: str) -> str:
    return unicodedata.name(character, "")
