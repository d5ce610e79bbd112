"""Fits patterns that are written for a bar of four into any other metre."""

from __future__ import annotations

import functools

from services.inference.engines.composer.theory import Metre

_QUARTER = 4


@functools.lru_cache(maxsize=1024)
def fitted(pattern: str, metre: Metre, *, dense: bool = False) -> str:
    """Return a pattern of sixteen steps as one of `metre.steps` steps.

    Each pulse of the metre takes a quarter of the pattern: the first begins the bar, the
    last of a group has the back beat. `dense` patterns (hats) fill long pulses.
    """
    if metre.name == "4/4":
        return pattern
    bar = ""
    for quarter, size in zip(_quarters(metre), metre.pulses, strict=True):
        marks = pattern[quarter * _QUARTER : (quarter + 1) * _QUARTER]
        bar += _stretched(marks, size, dense=dense, compound=metre.division == 6)
    # A short bar may miss all that a pattern has: then it begins with a hit.
    return bar if set(bar) - {"."} else "x" + bar[1:]


def _quarters(metre: Metre) -> list[int]:
    if metre.groups == (3,):
        return [0, 1, 3] if metre.division == _QUARTER and metre.is_even else [0, 1, 2]
    found: list[int] = []
    for index, size in enumerate(metre.groups):
        first = 0 if index == 0 else 2
        last = 3 if index == len(metre.groups) - 1 else 1
        group = [first, 2, last] if size == 3 else [first, last]
        found += group[:size]
    return found


def _stretched(marks: str, size: int, *, dense: bool, compound: bool) -> str:
    if size <= _QUARTER:
        return marks[:size]
    if not compound:
        return marks + (marks[2:] + marks[2:] if dense else "." * _QUARTER)[: size - _QUARTER]
    off = marks[2] if marks[2] != "." else marks[3]
    middle = marks[1] if marks[1] != "." else ("o" if dense and marks != "...." else ".")
    return f"{marks[0]}.{middle}.{off}."
