"""Typing errors: the known word that an unknown one was meant to be."""

from __future__ import annotations

from collections.abc import Iterable

MIN_LETTERS = 5
"""Shorter words are never corrected: too many real words lie one slip away."""

_LONG_LETTERS = 9


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is one slip from `word`, two for long words; "" if none.

    A slip is a letter too many, missing or swapped with its neighbour, or, from six letters
    on, another letter in its place. The first letter must be right.
    """
    if len(word) < MIN_LETTERS:
        return ""
    allowed = 2 if len(word) >= _LONG_LETTERS else 1
    best = ""
    best_slips = allowed + 1
    for candidate in known:
        if candidate[0] != word[0] or abs(len(candidate) - len(word)) > allowed:
            continue
        slips = distance(word, candidate)
        replaced = slips == 1 and len(word) == len(candidate) and sorted(word) != sorted(candidate)
        if replaced and len(word) <= MIN_LETTERS:
            continue
        if slips < best_slips or (slips == best_slips and candidate < best):
            best, best_slips = candidate, slips
    return best if best_slips <= allowed else ""


def distance(a: str, b: str) -> int:
    """Count insertions, deletions, replacements and swaps of neighbours between two words."""
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        row = [i]
        for j, other in enumerate(b, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]
