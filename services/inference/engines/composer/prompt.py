"""From a prompt in plain language to what was understood of it."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.inference.engines.composer import lexicon
from services.inference.engines.composer.marked_text import MarkedText
from services.inference.engines.composer.quantities import (
    read_bare_tempo,
    read_length,
    read_metre,
    read_tempo,
)
from services.inference.engines.composer.theory import SCALES, pitch_class
from services.inference.engines.composer.typos import MIN_LETTERS, nearest

MAX_CHARACTERS = 8_000
"""What comes after is not read."""

_MAX_CORRECTED = 60


@dataclass(frozen=True, slots=True)
class Understanding:
    """What a prompt asks for. None and empty mean that it does not say."""

    tempo_bpm: float | None = None
    tempo_word_bpm: float | None = None
    tonic: int | None = None
    mode: str | None = None
    metre: str | None = None
    genres: Mapping[str, float] = field(default_factory=dict)
    """Family → evidence, strongest first."""
    valence: float = 0.0
    energy: float = 0.0
    brightness: float = 0.0
    moods: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Instruments and parts that must not play."""
    with_parts: tuple[str, ...] = ()
    solo: bool = False
    textures: tuple[str, ...] = ()
    without_textures: tuple[str, ...] = ()
    era: str = ""
    era_family: str = ""
    """The family the era suggests where no genre is named, or ""."""
    curve: str = ""
    """How the energy moves: rising, falling, arch, steady, or "" for the usual form."""
    length_s: float | None = None
    corrected: Mapping[str, str] = field(default_factory=dict)
    """Words taken for typing errors → what they were read as."""
    ignored: tuple[str, ...] = ()
    """Words that changed nothing but the random streams, and values out of range."""


_MODES = "|".join(sorted(SCALES, key=len, reverse=True))
_ACCIDENTAL = r"(?:\s?(#|♯|♭)|(b)(?![a-z])|[\s-](sharp|flat)\b)?"
_KEY = re.compile(
    rf"(?<![\w#])([A-Ga-g]){_ACCIDENTAL}[\s-]*(?:natural|harmonic)?[\s-]*({_MODES}|maj|min)\b",
    re.IGNORECASE,
)
_KEY_OF = re.compile(rf"\bkey(?: of|:)? ([A-Ga-g]){_ACCIDENTAL}(m)?(?![a-z])", re.IGNORECASE)
_KEY_SHORT = re.compile(r"\bin ([A-G])(#|b)?(m)?(?=\s*(?:[.,;]|$))")
_MODE_ONLY = re.compile(rf"\b({_MODES})\b(?! (?:label|hit|league))", re.IGNORECASE)
_ARTICLE_AFTER = re.compile(
    r"\s*(?:key|mood|feel|tone|tonality|scale|chord|mode|third)s?\b", re.IGNORECASE
)
_SOLO = re.compile(r"\bsolo\b|\bunaccompanied\b|\bonly\b|\bjust\b|\bnothing but\b|\balone\b")


def understand(prompt: str) -> Understanding:
    """Read a prompt. Never fails: what isn't understood is listed in `ignored`."""
    refused: list[str] = []
    if len(prompt) > MAX_CHARACTERS:
        refused.append(f"everything after the first {MAX_CHARACTERS:,} characters")
        prompt = prompt[:MAX_CHARACTERS]
    prompt, corrected = _corrected(prompt)
    text = MarkedText(prompt)
    tempo_bpm = read_tempo(text, refused)
    eras = [era for match, era in text.phrases(lexicon.ERAS) if not text.is_negated(match)]
    length_s = read_length(text)
    metre = read_metre(text, refused)
    tonic, mode = _key(text)
    curves = [curve for match, curve in text.phrases(lexicon.CURVES) if not text.is_negated(match)]

    # Genres made of several words go first: the drum in "drum and bass" is no instrument.
    long_genres = {phrase: genre for phrase, genre in lexicon.GENRES.items() if " " in phrase}
    named = list(text.phrases(long_genres))
    instruments: list[str] = []
    without: list[str] = []
    for match, instrument in text.phrases(lexicon.INSTRUMENTS):
        (without if text.is_negated(match) else instruments).append(instrument)
    tempo_words = [
        bpm for match, bpm in text.phrases(lexicon.TEMPO_WORDS) if not text.is_negated(match)
    ]
    genres: dict[str, float] = {}
    places: list[tuple[int, int]] = []
    for match, (family, weight) in [*named, *text.phrases(lexicon.GENRES)]:
        places.append(match.span())
        if not text.is_negated(match):
            genres[family] = genres.get(family, 0.0) + weight
    if tempo_bpm is None:
        tempo_bpm = read_bare_tempo(text, places)
    with_parts: list[str] = []
    for match, part in text.phrases(lexicon.PARTS):
        (without if text.is_negated(match) else with_parts).append(part)
    without += [part for _, part in text.phrases(lexicon.ABSENT_PARTS)]
    textures: list[str] = []
    without_textures: list[str] = []
    for match, texture in text.phrases(lexicon.TEXTURES):
        (without_textures if text.is_negated(match) else textures).append(texture)
    moods = [
        (match.group(), (-0.5 if text.is_negated(match) else 1.0), shift)
        for match, shift in text.phrases(lexicon.MOODS)
    ]
    valence, energy, brightness = (
        max(-1.0, min(1.0, sum(sign * shift[axis] for _, sign, shift in moods)))
        for axis in range(3)
    )
    solo = bool(_SOLO.search(text.lower)) and len(set(instruments)) == 1 and not with_parts
    return Understanding(
        tempo_bpm=tempo_bpm,
        tempo_word_bpm=tempo_words[0] if tempo_words else None,
        tonic=tonic,
        mode=mode,
        metre=metre,
        genres=dict(sorted(genres.items(), key=lambda item: -item[1])),
        valence=valence,
        energy=energy,
        brightness=brightness,
        moods=tuple(word if sign > 0 else f"not {word}" for word, sign, _ in moods),
        instruments=tuple(dict.fromkeys(instruments)),
        without=tuple(dict.fromkeys(without)),
        with_parts=tuple(dict.fromkeys(with_parts)),
        solo=solo,
        textures=tuple(dict.fromkeys([*textures, *(era[2] for era in eras if era[2])])),
        without_textures=tuple(dict.fromkeys(without_textures)),
        era=eras[0][0] if eras else "",
        era_family=eras[0][1] if eras else "",
        curve=curves[0] if curves else "",
        length_s=length_s,
        corrected=corrected,
        ignored=(*refused, *text.left_over(lexicon.FILLERS)),
    )


def _corrected(prompt: str) -> tuple[str, dict[str, str]]:
    """Replace words that are typing errors of known ones."""
    known = _known_words()
    corrected: dict[str, str] = {}
    asked: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        word = match.group().lower()
        if word not in asked and len(asked) < _MAX_CORRECTED:
            asked.add(word)
            usual = word in known or word in lexicon.FILLERS or word in lexicon.NOT_TYPOS
            if not usual and (meant := nearest(word, known)):
                corrected[word] = meant
        return corrected.get(word, match.group())

    long_words = rf"(?<![\w'’&#-])[A-Za-z]{{{MIN_LETTERS},20}}(?![\w'’&#-])"
    return re.sub(long_words, replace, prompt), corrected


@functools.cache
def _known_words() -> frozenset[str]:
    """Words of one part and enough letters, whose typing errors are worth a guess."""
    tables: tuple[Mapping[str, object], ...] = (
        lexicon.GENRES, lexicon.INSTRUMENTS, lexicon.MOODS, lexicon.PARTS, lexicon.TEXTURES,
        lexicon.TEMPO_WORDS, lexicon.CURVES, lexicon.ABSENT_PARTS,
    )  # fmt: skip
    words = {word for table in tables for phrase in table for word in phrase.split()}
    words |= {
        *SCALES,
        "sharp",
        "tempo",
        "waltz",
        "without",
        "second",
        "seconds",
        "minute",
        "minutes",
    }
    return frozenset(word for word in words if len(word) >= MIN_LETTERS and word.isalpha())


def _key(text: MarkedText) -> tuple[int | None, str | None]:
    """Find tonic and mode. In the middle of a phrase "a minor" with a small a is one
    only after "in" or "key of"; else the a is an article."""
    for match in _KEY.finditer(text.original):
        letter, mode = match.group(1), match.group(5).lower()
        before = text.lower[: match.start()].rstrip()
        ends = re.match(r"\s*(?:[.,;:!?)]|\d|$)", text.lower[match.end() :])
        if letter == "a" and not (ends or re.search(r"\b(?:in|key|of)$", before)):
            continue
        if letter in "aA" and _ARTICLE_AFTER.match(text.original, match.end()):
            continue
        text.cross_out(match)
        accidental = match.group(2) or match.group(3) or match.group(4) or ""
        mode = {"maj": "major", "min": "minor"}.get(mode, mode)
        return pitch_class(letter, accidental), mode
    for match in _KEY_OF.finditer(text.original):
        text.cross_out(match)
        accidental = match.group(2) or match.group(3) or match.group(4) or ""
        return pitch_class(match.group(1), accidental), _mode(text, bool(match.group(5)))
    for match in _KEY_SHORT.finditer(text.original):
        text.cross_out(match)
        return pitch_class(match.group(1), match.group(2) or ""), _mode(text, bool(match.group(3)))
    return None, _mode(text, False)


def _mode(text: MarkedText, minor: bool) -> str | None:
    for match in _MODE_ONLY.finditer(text.lower):
        if text.is_free(match) and not text.is_negated(match):
            text.cross_out(match)
            return match.group(1)
    return "minor" if minor else None
