"""Figures in Chinese lyrics, written as Chinese numerals."""

from __future__ import annotations

import re

_FIGURES = "零一二三四五六七八九"
_UNITS = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")
_MOST_DIGITS = 4 * len(_GROUPS)

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s?[%％]", re.ASCII)
_YEAR = re.compile(r"\d{4}(?=年)", re.ASCII)
_NUMBER = re.compile(r"(?<!\d)(\d+)(?:\.(\d+))?", re.ASCII)
_SEPARATOR = re.compile(r"(?<=\d),(?=\d{3}(?!\d))", re.ASCII)


def write_numbers(text: str) -> str:
    """Return the text with every number in Chinese numerals: 3.5% is 百分之三点五."""
    text = _SEPARATOR.sub("", text)
    text = _PERCENT.sub(r"百分之\1", text)
    text = _YEAR.sub(lambda match: _one_by_one(match[0]), text)
    return _NUMBER.sub(lambda match: _number(match[1], match[2]), text)


def _number(whole: str, part: str | None) -> str:
    return _count(whole) + (f"点{_one_by_one(part)}" if part else "")


def _one_by_one(digits: str) -> str:
    return "".join(_FIGURES[int(digit)] for digit in digits)


def _count(digits: str) -> str:
    if len(digits) > _MOST_DIGITS:
        return _one_by_one(digits)
    number, said = int(digits), ""
    if number == 0:
        return _FIGURES[0]
    for group in _GROUPS:
        number, rest = divmod(number, 10_000)
        if rest:
            # A zero stands for all that are missing before a lower group.
            gap = _FIGURES[0] if number and rest < 1000 else ""
            said = f"{gap}{_below_ten_thousand(rest)}{group}{said}"
        elif number and said and not said.startswith(_FIGURES[0]):
            said = _FIGURES[0] + said
    return said.removeprefix("一") if said.startswith("一十") else said


def _below_ten_thousand(number: int) -> str:
    said, place, missing = "", 0, False
    while number:
        number, figure = divmod(number, 10)
        if figure:
            said = (
                f"{_FIGURES[figure]}{_UNITS[place]}{_FIGURES[0] if missing and said else ''}{said}"
            )
            missing = False
        else:
            missing = True
        place += 1
    return said
