"""Numbers in a prompt: tempo, metre and length."""

from __future__ import annotations

import re

from services.inference.engines.composer.marked_text import MarkedText
from services.inference.engines.composer.theory import METRES

MIN_TEMPO_BPM = 40.0
MAX_TEMPO_BPM = 220.0

_TEMPO = re.compile(
    r"(?:\bat )?\b(\d{1,4}(?:\.\d{1,3})?)\s{0,3}-?(?:bpm|beats? per minute|beats? a minute)\b"
    r"|\bat (\d{2,3})\b(?!\s{0,3}(?:%|hz|khz|am|pm|o'clock|db|percent|years|[:/.]\d))"
    r"|\b(?:tempo|bpm)\s{0,3}(?:of|is|=|:|at)?\s{0,3}(\d{1,4}(?:\.\d{1,3})?)\b"
)
_BARE = re.compile(
    r"(?<![\w.,:/#+-])(\d{2,3}(?:\.\d{1,2})?)(?![\w%:/#]|[.,]\d|\s{0,3}"
    r"(?:%|s\b|sec|min|hour|year|bars?\b|hz|khz|db|am\b|pm\b|bit|voice|piece|layers?|"
    r"different|of\b|degrees|people|players|instruments|tracks|songs|times))"
)
_METRE = re.compile(r"(?<![\d/])(\d{1,2})\s?/\s?(\d{1,2})(?![\d/])")
_METRE_WORDS = {
    "waltz": "3/4", "triple metre": "3/4", "triple meter": "3/4", "three four": "3/4",
    "three-four": "3/4", "jig": "6/8", "six eight": "6/8", "six-eight": "6/8", "tarantella": "6/8",
    "five four": "5/4", "five-four": "5/4", "seven eight": "7/8", "seven-eight": "7/8",
    "twelve eight": "12/8", "twelve-eight": "12/8", "common time": "4/4", "cut time": "2/2",
    "four four": "4/4", "four-four": "4/4",
}  # fmt: skip
_WORDS = {
    "half a": 0.5, "a": 1.0, "an": 1.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0,
    "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0, "nine": 9.0, "ten": 10.0,
    "fifteen": 15.0, "twenty": 20.0, "thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0,
    "ninety": 90.0, "a couple of": 2.0, "a few": 3.0,
}  # fmt: skip
_COUNT = r"\d{1,4}(?:\.\d{1,3})?|" + "|".join(sorted(_WORDS, key=len, reverse=True))
_LENGTH = re.compile(
    rf"\b({_COUNT})[\s-]{{0,3}}(hours?|hrs?|minutes?|mins?|seconds?|secs?)\b"
    r"(?:\s(and a half)\b)?(?:[\s,]{0,3}(?:and )?(\d{1,2})[\s-]?(?:seconds?|secs?|s)\b)?"
    r"|(?<![\w.:])(\d{1,2}):([0-5]\d)(?![\w:]|\s{0,2}[ap]m)"
    r"|(?<![\w.])(\d{1,3}) s(?:\b|$)"
)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def read_length(text: MarkedText) -> float | None:
    """Find a length such as "two minutes", "1:30" or "90 seconds", in seconds."""
    found = None
    for match in _LENGTH.finditer(text.lower):
        if not text.is_free(match):
            continue
        count, unit, half, more, minutes, seconds, short = match.groups()
        if count:
            number = _WORDS[count] if count in _WORDS else float(count)
            length_s = (number + (0.5 if half else 0.0)) * _SECONDS[unit[0]] + float(more or 0)
        elif minutes:
            length_s = 60.0 * float(minutes) + float(seconds)
        else:
            length_s = float(short)
        text.cross_out(match)
        if found is None and length_s > 0:
            found = length_s
    return found


def read_tempo(text: MarkedText, refused: list[str]) -> float | None:
    """Find a tempo that says so: "82 bpm", "tempo: 95", "at 132"."""
    found = None
    for match in _TEMPO.finditer(text.lower):
        text.cross_out(match)
        bpm = float(next(group for group in match.groups() if group))
        if not MIN_TEMPO_BPM <= bpm <= MAX_TEMPO_BPM:
            refused.append(f"{match.group()} (outside {MIN_TEMPO_BPM:g}–{MAX_TEMPO_BPM:g} bpm)")
        elif found is None:
            found = bpm
    return found


def read_bare_tempo(text: MarkedText, genres: list[tuple[int, int]]) -> float | None:
    """Find a number that can only be a tempo: right beside a genre ("techno 130")."""
    for match in _BARE.finditer(text.lower):
        if not text.is_free(match) or not MIN_TEMPO_BPM <= float(match.group(1)) <= MAX_TEMPO_BPM:
            continue
        for start, end in genres:
            between = text.lower[min(end, match.end()) : max(start, match.start())]
            if len(between) <= 3 and not between.strip(" ,;-–@~"):
                text.cross_out(match)
                return float(match.group(1))
    return None


def read_metre(text: MarkedText, refused: list[str]) -> str | None:
    """Find a metre, as numbers or as a word."""
    found = None
    for match in _METRE.finditer(text.lower):
        text.cross_out(match)
        name = f"{int(match.group(1))}/{int(match.group(2))}"
        if name in METRES:
            found = found or name
        else:
            refused.append(f"{match.group()} (the metres are {', '.join(METRES)})")
    for match, name in text.phrases(_METRE_WORDS):
        if not text.is_negated(match):
            found = found or name
    return found
