"""From a prompt in plain language to what was understood of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from services.inference.engines.composer import lexicon
from services.inference.engines.composer.theory import METRES, SCALES, pitch_class

T = TypeVar("T")

MIN_TEMPO_BPM = 40.0
MAX_TEMPO_BPM = 220.0


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
    ignored: tuple[str, ...] = ()
    """Words that changed nothing but the random streams, and values out of range."""


_TEMPO = re.compile(
    r"(?:\bat )?\b(\d{1,4}(?:\.\d+)?)\s*-?(?:bpm|beats? per minute|beats? a minute)\b"
    r"|\bat (\d{2,3})\b(?!\s*(?:%|hz|khz|am|pm|o'clock|db|percent|years))"
    r"|\b(?:tempo|bpm)\s*(?:of|is|=|:|at)?\s*(\d{1,4}(?:\.\d+)?)\b"
)
_METRE = re.compile(r"\b(\d{1,2})/(\d{1,2})\b")
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
_NEGATION = re.compile(r"\b(?:no|without|minus|zero|sans|not|never|free of|don't want)\b")
_NEGATION_ENDS = re.compile(r"[.,;:!?()]|\b(?:but|with|only|just|plus|instead|then|in|at)\b")
_SOLO = re.compile(r"\bsolo\b|\bunaccompanied\b|\bonly\b|\bjust\b|\bnothing but\b|\balone\b")


class _Text:
    """A prompt from which understood spans are crossed out, longest phrases first."""

    def __init__(self, prompt: str) -> None:
        self.original = prompt
        self.lower = prompt.lower() if len(prompt.lower()) == len(prompt) else prompt
        self._free = [True] * len(prompt)
        self._negated = [False] * len(prompt)
        for match in _NEGATION.finditer(self.lower):
            end = _NEGATION_ENDS.search(self.lower, match.end())
            for i in range(match.end(), end.start() if end else len(prompt)):
                self._negated[i] = True

    def cross_out(self, match: re.Match[str]) -> None:
        for i in range(match.start(), match.end()):
            self._free[i] = False

    def is_free(self, match: re.Match[str]) -> bool:
        return all(self._free[match.start() : match.end()])

    def is_negated(self, match: re.Match[str]) -> bool:
        return self._negated[match.start()]

    def phrases(self, table: Mapping[str, T]) -> Iterator[tuple[re.Match[str], T]]:
        """Yield and cross out every phrase of the table, in the order of the text."""
        pattern = re.compile(
            r"(?<![\w&])(?:"
            + "|".join(re.escape(phrase) for phrase in sorted(table, key=len, reverse=True))
            + r")(?![\w&])"
        )
        for match in pattern.finditer(self.lower):
            if self.is_free(match):
                self.cross_out(match)
                yield match, table[match.group()]

    def left_over(self) -> tuple[str, ...]:
        """Return the words that nothing crossed out and that aren't fillers."""
        words = dict.fromkeys(
            match.group()
            for match in re.finditer(r"[^\W_][\w'’&-]*", self.lower)
            if self._free[match.start()] and match.group() not in lexicon.FILLERS
        )
        return tuple(words)


def understand(prompt: str) -> Understanding:
    """Read a prompt. Never fails: what isn't understood is listed in `ignored`."""
    text = _Text(prompt)
    refused: list[str] = []
    tempo_bpm = _tempo(text, refused)
    metre = _metre(text, refused)
    tonic, mode = _key(text)

    instruments: list[str] = []
    without: list[str] = []
    for match, instrument in text.phrases(lexicon.INSTRUMENTS):
        (without if text.is_negated(match) else instruments).append(instrument)
    tempo_words = [
        bpm for match, bpm in text.phrases(lexicon.TEMPO_WORDS) if not text.is_negated(match)
    ]
    genres: dict[str, float] = {}
    for match, (family, weight) in text.phrases(lexicon.GENRES):
        if not text.is_negated(match):
            genres[family] = genres.get(family, 0.0) + weight
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
        textures=tuple(dict.fromkeys(textures)),
        without_textures=tuple(dict.fromkeys(without_textures)),
        ignored=(*refused, *text.left_over()),
    )


def _tempo(text: _Text, refused: list[str]) -> float | None:
    found = None
    for match in _TEMPO.finditer(text.lower):
        text.cross_out(match)
        bpm = float(next(group for group in match.groups() if group))
        if not MIN_TEMPO_BPM <= bpm <= MAX_TEMPO_BPM:
            refused.append(f"{match.group()} (outside {MIN_TEMPO_BPM:g}–{MAX_TEMPO_BPM:g} bpm)")
        elif found is None:
            found = bpm
    return found


def _metre(text: _Text, refused: list[str]) -> str | None:
    found = None
    for match in _METRE.finditer(text.lower):
        text.cross_out(match)
        if match.group() in METRES:
            found = found or match.group()
        else:
            refused.append(f"{match.group()} (the metres are {', '.join(METRES)})")
    for _ in text.phrases({"waltz": "3/4", "triple metre": "3/4", "triple meter": "3/4"}):
        found = found or "3/4"
    return found


def _key(text: _Text) -> tuple[int | None, str | None]:
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


def _mode(text: _Text, minor: bool) -> str | None:
    for match in _MODE_ONLY.finditer(text.lower):
        if text.is_free(match) and not text.is_negated(match):
            text.cross_out(match)
            return match.group(1)
    return "minor" if minor else None
