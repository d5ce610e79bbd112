"""Numbers in English words, as lyrics have them: counts, years, money, fractions, times."""

from __future__ import annotations

import re
from collections.abc import Callable

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GROUPS = ("", " thousand", " million", " billion", " trillion")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
_MOST_DIGITS = 3 * len(_GROUPS)
_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
}

_NUMBER = r"\d{1,40}"
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.ASCII), rule)
    for pattern, rule in (
        (r"\d{41,}", lambda m: _digits(m[0])),
        (r"(?<=\d),(?=\d{3}(?!\d))", lambda _: ""),
        (rf"([$£€])\s?({_NUMBER})(?:\.(\d{{1,2}}))?(?![.\d])", lambda m: _money(*m.groups())),
        (r"(?<!\d)(\d{1,2}):([0-5]\d)(?!\d)", lambda m: _clock(int(m[1]), int(m[2]))),
        (rf"(?<!\d)({_NUMBER})/({_NUMBER})(?!\d)", lambda m: _fraction(m[1], m[2])),
        (rf"({_NUMBER})\.({_NUMBER})", lambda m: f"{_count(m[1])} point {_digits(m[2])}"),
        (r"%", lambda _: " percent"),
        (rf"({_NUMBER})(?:st|nd|rd|th)\b", lambda m: _ordinal(_count(m[1]))),
        (rf"({_NUMBER})'?s\b", lambda m: _plural(_year_or_count(m[1]))),
        (_NUMBER, lambda m: _year_or_count(m[0])),
    )
)


def spell_numbers(text: str) -> str:
    """Return the text with every number written in words, such as "ninety-nine"."""
    for pattern, rule in _RULES:
        text = pattern.sub(rule, text)
    return text


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    if rest:
        words.append(_below_hundred(rest))
    return " ".join(words)


def _below_hundred(number: int) -> str:
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")


def _count(digits: str) -> str:
    """Read a whole number; one too long to be a count, digit by digit."""
    if len(digits) > _MOST_DIGITS:
        return _digits(digits)
    number = int(digits)
    if number == 0:
        return _ONES[0]
    groups: list[str] = []
    for group in _GROUPS:
        number, rest = divmod(number, 1000)
        if rest:
            groups.insert(0, _below_thousand(rest) + group)
    return ", ".join(groups)


def _digits(digits: str) -> str:
    return " ".join(_ONES[int(digit)] for digit in digits)


def _year_or_count(digits: str) -> str:
    """Read 1001 to 2999 as a year, anything else as a count."""
    number = int(digits) if len(digits) == 4 else 0
    if not 1000 < number < 3000:
        return _count(digits)
    century, rest = divmod(number, 100)
    if century == 20 and rest < 10:
        return "two thousand" + (f" {_ONES[rest]}" if rest else "")
    if rest == 0:
        return f"{_below_hundred(century)} hundred"
    return f"{_below_hundred(century)} {'oh ' if rest < 10 else ''}{_below_hundred(rest)}"


def _ordinal(words: str) -> str:
    start, last = re.fullmatch(r"(.*?)([a-z]+)", words).groups()  # type: ignore[union-attr]  # ends in a letter
    if last in _ORDINALS:
        return start + _ORDINALS[last]
    return start + (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


def _plural(words: str) -> str:
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith(("x", "s")) else f"{words}s"


def _money(sign: str, whole: str, part: str | None) -> str:
    one, many, one_part, many_parts = _CURRENCIES[sign]
    parts = int((part or "0").ljust(2, "0"))
    said = []
    if int(whole) or not parts:
        said.append(f"{_count(whole)} {one if whole == '1' else many}")
    if parts:
        said.append(f"{_below_hundred(parts)} {one_part if parts == 1 else many_parts}")
    return ", ".join(said)


def _clock(hour: int, minute: int) -> str:
    if minute == 0:
        return f"{_below_hundred(hour)} o'clock" if hour else "zero hundred"
    return f"{_below_hundred(hour)} {'oh ' if minute < 10 else ''}{_below_hundred(minute)}"


def _fraction(above: str, below: str) -> str:
    """Read 1/2 as "one half"; what is no part of a whole, such as 24/7, as two numbers."""
    if not 0 < int(above) < int(below):
        return f"{_count(above)} {_count(below)}"
    names = {"2": "half", "4": "quarter"}
    name = names.get(below) or _ordinal(_count(below))
    if above != "1":
        name = "halves" if name == "half" else f"{name}s"
    return f"{_count(above)} {name}"
