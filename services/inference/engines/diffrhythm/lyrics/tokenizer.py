"""A line's tokens: each part of it in its language, one after the other."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from services.inference.engines.diffrhythm.lyrics import chinese
from services.inference.engines.diffrhythm.lyrics.english import (
    Speaker,
    english_phones,
    wants_gap,
)
from services.inference.engines.diffrhythm.lyrics.segments import split
from services.inference.engines.diffrhythm.lyrics.symbols import GAP, token_ids, unknown_phones

_LINES_KEPT = 2048


@dataclass(frozen=True, slots=True)
class Reading:
    """How a line is sung, and what of it isn't."""

    phones: tuple[str, ...]
    token_ids: tuple[int, ...]
    """Of the phones that the model knows; 1 to 363."""
    unknown: tuple[str, ...] = ()
    """Phones that the model doesn't know."""
    foreign: tuple[str, ...] = ()
    """Scripts that can't be sung, by name."""
    has_chinese: bool = False
    lacks_chinese: bool = False
    """Whether Chinese was left out, because nothing here can read it."""


class Tokenizer:
    """Reads lines, and remembers them. Whatever a line holds, it only raises if English
    can't be read at all (see Espeak.phones)."""

    def __init__(self, speaker: Speaker) -> None:
        """`speaker` knows how English words sound."""
        self._speaker = speaker
        self.read = functools.lru_cache(maxsize=_LINES_KEPT)(self._read)

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of a line, 1 to 363; none if there is nothing to sing."""
        return list(self.read(text).token_ids)

    def _read(self, text: str) -> Reading:
        found = split(text)
        phones: list[str] = []
        has_chinese = any(segment.language == "zh" for segment in found.segments)
        reads_chinese = has_chinese and chinese.is_available()
        for number, segment in enumerate(found.segments, 1):
            if segment.language == "zh":
                phones += chinese.chinese_phones(segment.text) if reads_chinese else []
                continue
            spoken = english_phones(segment.text, self._speaker)
            phones += spoken
            if number < len(found.segments) and wants_gap(spoken):
                phones.append(GAP)
        return Reading(
            tuple(phones),
            tuple(token_ids(phones)),
            unknown_phones(phones),
            found.foreign,
            has_chinese,
            has_chinese and not reads_chinese,
        )
