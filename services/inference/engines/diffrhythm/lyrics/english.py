"""English phones: espeak-ng's, without stress, joined as the model was taught them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from services.inference.engines.diffrhythm.lyrics.english_text import MARKS, normalise
from services.inference.engines.diffrhythm.lyrics.symbols import GAP


class Speaker(Protocol):
    """Something that knows how English words sound, such as Espeak."""

    def phones(self, texts: Sequence[str]) -> list[str]:
        """Return the phones of each text: _ between phones, a space between words."""


_MARK = re.compile(rf"([{re.escape(MARKS)}])")
_STRESS = str.maketrans("", "", "ˈˌ'-")
_FLAG = re.compile(r"\([^()]*\)")
"""Says that a word is of another language."""

_JOINED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("t", "ɹ"), "tɹ"), (("d", "ɹ"), "dɹ"), (("t", "s"), "ts"), (("d", "z"), "dz"),
    (("ɪ", "ɹ"), "ɪɹ"), (("ɐ",), "ɚ"), (("ᵻ",), "ɪ"), (("əl",), "l"), (("x",), "k"),
    (("ɬ",), "l"), (("ʔ",), "t"), (("n̩",), "n"), (("oː", "ɹ"), "oːɹ"),
)  # fmt: skip
"""In this order: what a later one makes is not joined by an earlier one."""

_GAP_AFTER = frozenset("p⁼ʰmftnlkxʃs`ɹaoəɛɪeɑʊŋiuɥwæjː")
"""A gap follows a segment that ends in one of these; after others the model never saw one."""


def english_phones(text: str, speaker: Speaker) -> list[str]:
    """Return the phones, gaps and marks of an English text."""
    parts = [part for part in _MARK.split(normalise(text)) if part]
    words = [part for part in parts if part not in MARKS]
    spoken = iter(speaker.phones(words) if words else ())
    phones: list[str] = []
    for part in parts:
        # Of marks in a row, such as "?!" or "!!!", each kind once.
        if part not in MARKS:
            phones += _read(next(spoken))
        elif not phones or phones[-1] != part:
            phones.append(part)
    return phones


def wants_gap(phones: Sequence[str]) -> bool:
    """Whether a word gap stands between these phones and a segment that follows."""
    return bool(phones) and phones[-1][-1:] in _GAP_AFTER


def _read(spoken: str) -> list[str]:
    """Read espeak-ng's answer."""
    found: list[str] = []
    for word in _FLAG.sub("", spoken).translate(_STRESS).split():
        if phones := _join([phone for phone in word.split("_") if phone]):
            found += [GAP, *phones] if found else phones
    return found


def _join(phones: list[str]) -> list[str]:
    for parts, whole in _JOINED:
        at = 0
        while at < len(phones):
            if tuple(phones[at : at + len(parts)]) == parts:
                phones[at : at + len(parts)] = [whole]
            at += 1
    return phones
