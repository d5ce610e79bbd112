"""A prompt from which understood spans are crossed out, longest phrases first."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")

_NEGATION = re.compile(
    r"\b(?:no|without|minus|zero|sans|not|never|free of|(?:don't|do not|dont) (?:want|use|add)"
    r"|avoid|exclude|excluding|skip|leave out|drop the|remove|any but|except|instead of"
    r"|rather than)\b"
)
_NEGATION_ENDS = re.compile(
    r"[.,;:!?()\n]|\b(?:but|with|only|just|plus|instead|then|in|at|please|for)\b"
)
_FREE_OF = re.compile(r"[-\s](?:free|less)\b")
_LONGEST_LIST = 100
_LONGEST_WORD = 60


class MarkedText:
    """A text, what of it was understood so far, and what of it is negated."""

    def __init__(self, text: str) -> None:
        self.original = text
        lower = text.lower()
        self.lower = (lower if len(lower) == len(text) else text).replace("’", "'")
        self._free = bytearray(b"\x01") * len(text)
        self._negated = bytearray(len(text))
        for match in _NEGATION.finditer(self.lower):
            end = _NEGATION_ENDS.search(self.lower, match.end())
            stop = end.start() if end else len(text)
            self._negated[match.end() : stop] = b"\x01" * (stop - match.end())

    def cross_out(self, match: re.Match[str]) -> None:
        """Mark a span as understood."""
        size = match.end() - match.start()
        self._free[match.start() : match.end()] = bytes(size)

    def is_free(self, match: re.Match[str]) -> bool:
        """Whether nothing of a span was understood before."""
        return self._free.find(0, match.start(), match.end()) < 0

    def is_negated(self, match: re.Match[str]) -> bool:
        """Whether a span follows a "no", or is followed by "-free"."""
        return bool(self._negated[match.start()] or _FREE_OF.match(self.lower, match.end()))

    def phrases(self, table: Mapping[str, T]) -> Iterator[tuple[re.Match[str], T]]:
        """Yield and cross out every phrase of the table, in the order of the text."""
        for match in _pattern(tuple(table)).finditer(self.lower):
            if self.is_free(match):
                self.cross_out(match)
                yield match, table[match.group()]

    def words_left(self) -> Iterator[re.Match[str]]:
        """Yield the words that nothing crossed out."""
        for match in re.finditer(r"[^\W_][\w'&-]*", self.lower):
            if self._free[match.start()]:
                yield match

    def left_over(self, fillers: frozenset[str]) -> tuple[str, ...]:
        """Return the first hundred words that weren't understood, each once."""
        found: dict[str, None] = {}
        for match in self.words_left():
            if match.group() not in fillers:
                found[match.group()[:_LONGEST_WORD]] = None
            if len(found) == _LONGEST_LIST:
                break
        return tuple(found)


@functools.lru_cache(maxsize=32)
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(phrases, key=len, reverse=True)
    words = "|".join(re.escape(phrase) for phrase in longest_first)
    return re.compile(rf"(?<![\w&])(?:{words})(?![\w&])")
