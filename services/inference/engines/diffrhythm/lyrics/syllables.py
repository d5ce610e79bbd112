"""About how much there is to sing in a line: good enough for times, without a dictionary."""

from __future__ import annotations

import re

from services.inference.engines.diffrhythm.lyrics.segments import split

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d")
_VOWELS = re.compile(r"[aeiouyà-æè-ïò-öù-ýÿœ]+", re.IGNORECASE)
_SILENT_E = re.compile(r"(?<=[^aeiouyl])es?$|(?<=[aeiouy]l)es?$|(?<=[^aeiouytd])ed$", re.IGNORECASE)

PHONES_A_SYLLABLE = 2.6
"""In English with the gaps between words; a Chinese syllable has two."""


def count_syllables(text: str) -> int:
    """Estimate the syllables of a line; 0 if there is nothing to sing."""
    total = 0
    for segment in split(text).segments:
        if segment.language == "zh":
            total += sum(character.isalnum() for character in segment.text)
        else:
            total += sum(_of_word(word) for word in _WORD.findall(segment.text))
    return total


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens a line takes, without the one that ends it."""
    return round(count_syllables(text) * PHONES_A_SYLLABLE)


def _of_word(word: str) -> int:
    stem = _SILENT_E.sub("", word)
    return max(1, len(_VOWELS.findall(stem)))
