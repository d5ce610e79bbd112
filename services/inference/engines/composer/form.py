"""The form of a piece: how many bars, which sections, how strong each is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

PHRASE_BARS = 4
SECTION_PHRASES = 4
"""A section is at most this many phrases long, so that a long piece keeps changing."""

ENERGY = {
    "intro": 0.55,
    "A": 0.75,
    "build": 0.8,
    "B": 1.0,
    "C": 0.7,
    "break": 0.45,
    "outro": 0.55,
}
"""Kinds of section, and how strong each is as a share of the piece's energy."""

_KINDS = {
    "I": "intro", "A": "A", "L": "build", "B": "B", "C": "C", "K": "break", "O": "outro",
}  # fmt: skip

_SHORT = {
    "song": {1: "A", 2: "AB", 3: "IAB", 4: "IABB", 5: "IABBO", 6: "IAABBO", 7: "IAABBAO",
             8: "IAABBKBO", 9: "IAABBKBBO", 10: "IAABBACBBO"},
    "club": {1: "B", 2: "AB", 3: "IBB", 4: "ILBB", 5: "IALBO", 6: "IALBBO", 7: "IAALBBO",
             8: "IALBBKBO", 9: "IALBBKLBO", 10: "IAALBBKLBO"},
    "drift": {1: "A", 2: "AB", 3: "ABA", 4: "IABA", 5: "IABAO", 6: "IAABBO"},
}  # fmt: skip
"""Form → number of phrases → its letters, where the piece is short."""

_CYCLES = {
    "song": ("AABB", "AABB", "CCBB", "KAAB", "AABB", "KCBB"),
    "club": ("AALBB", "BKKL", "BBAA", "CCLBB", "BBKL"),
    "drift": ("AAAA", "BBBB", "CCCC", "AABB", "CCBB"),
}
"""Form → what follows each other in a long piece, again and again."""

FORMS = tuple(_CYCLES)


@dataclass(frozen=True, slots=True)
class Section:
    """Some bars with one character. `parts` says who plays."""

    kind: str
    start_bar: int
    bars: int
    energy: float
    repeat: int
    """How often this kind was heard before."""
    parts: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    """Those of the parts that enter only in the middle of the section."""
    rest_beats: float = 0.0
    """For how many beats at its end drums and bass are silent."""


@dataclass(frozen=True, slots=True)
class Length:
    """How a piece fills its time: whole bars at a tempo, then a last chord ringing out."""

    tempo_bpm: float
    bars: int
    ring_s: float


def fit(duration_s: float, tempo_bpm: float, beats: float, *, fixed: bool) -> Length:
    """Choose bars, and a tempo near `tempo_bpm` unless it is fixed, that fill `duration_s`.

    At least one bar, however slow; a piece shorter than its bar is faded out by the mix.
    """
    best: tuple[float, Length] | None = None
    candidates = [tempo_bpm] if fixed else [tempo_bpm + shift for shift in range(-4, 5)]
    shortest_s = min(3.0, 0.06 * duration_s + 0.8)
    for bpm in candidates:
        bar_s = beats * 60.0 / bpm
        bars = max(1, int((duration_s - shortest_s) / bar_s))
        for count in range(max(1, bars - 3), bars + 1):
            ring_s = duration_s - count * bar_s
            cost = abs(ring_s - shortest_s - 0.8) / bar_s + 0.15 * abs(bpm - tempo_bpm)
            cost += 0.35 * min(count % PHRASE_BARS, 2) if count > PHRASE_BARS else 0.0
            if best is None or cost < best[0]:
                best = cost, Length(bpm, count, ring_s)
    assert best is not None  # noqa: S101  # there is always a candidate
    return best[1]


def fit_loop(duration_s: float, tempo_bpm: float, beats: float, *, fixed: bool) -> Length:
    """Choose the whole number of bars nearest to `duration_s`; nothing rings out after them.

    A tempo that nobody asked for moves a little so that whole phrases come near the length.
    """
    if fixed:
        return Length(tempo_bpm, max(1, round(duration_s * tempo_bpm / 60.0 / beats)), 0.0)
    best: tuple[float, Length] | None = None
    for shift in range(-4, 5):
        bar_s = beats * 60.0 / (tempo_bpm + shift)
        near = max(1, round(duration_s / bar_s))
        for bars in range(max(1, near - 2), near + 3):
            cost = abs(bars * bar_s - duration_s) / bar_s + 0.05 * abs(shift)
            cost += 0.4 * min(bars % PHRASE_BARS, 2)
            if best is None or cost < best[0]:
                best = cost, Length(tempo_bpm + shift, bars, 0.0)
    assert best is not None  # noqa: S101  # there is always a candidate
    return best[1]


def sections(bars: int, form: str = "song", *, loop: bool = False) -> list[Section]:
    """Divide `bars` into sections. `parts` stay empty. A loop has no intro and no outro."""
    phrases = max(1, round(bars / PHRASE_BARS))
    if loop:
        letters = _endless(phrases, form)
    else:
        letters = _SHORT[form].get(phrases) or "I" + _endless(phrases - 2, form) + "O"
    lengths = [PHRASE_BARS] * phrases
    # Odd bars are added to the last phrase, or taken from it.
    lengths[-1] += bars - PHRASE_BARS * phrases
    groups: list[tuple[str, int]] = []
    i = 0
    while i < phrases:
        j = i
        while j < phrases and letters[j] == letters[i] and j - i < SECTION_PHRASES:
            j += 1
        groups.append((_KINDS[letters[i]], sum(lengths[i:j])))
        i = j
    return laid_out([(kind, size, ENERGY[kind]) for kind, size in groups])


def laid_out(plain: Sequence[tuple[str, int, float]]) -> list[Section]:
    """Number sections given as (kind, bars, energy): where each starts, how often heard."""
    found: list[Section] = []
    heard: dict[str, int] = {}
    start = 0
    for kind, size, energy in plain:
        repeat = heard.get(kind, 0)
        heard[kind] = repeat + 1
        found.append(Section(kind, start, size, energy, repeat))
        start += size
    return found


def curve_factor(curve: str, place: float, energy: float) -> float:
    """Return by what a section's energy is multiplied; `place` 0 is the start, 1 the end."""
    if curve == "rising":
        return (0.5 + 0.75 * place) * math.pow(0.8 / energy, 0.6)
    if curve == "falling":
        return (1.2 - 0.8 * place) * math.pow(0.8 / energy, 0.6)
    if curve == "arch":
        return (0.55 + 2.2 * place * (1.0 - place)) * math.pow(0.8 / energy, 0.5)
    if curve == "steady":
        return math.pow(0.8 / energy, 0.75)
    return 1.0


def body(form: Sequence[Section]) -> tuple[int, int]:
    """Return the bars [start, end) between intro and outro: what repeats well as a loop."""
    start = form[0].bars if form[0].kind == "intro" else 0
    last = form[-1]
    end = last.start_bar if last.kind == "outro" else last.start_bar + last.bars
    return start, end


def _endless(phrases: int, form: str) -> str:
    """An arc that keeps coming back, cut to a number of phrases."""
    if phrases < len(_CYCLES[form][0]):
        return {1: "A", 2: "AB", 3: "AAB", 4: "AABB"}[phrases]
    cycle = itertools.chain.from_iterable(itertools.cycle(_CYCLES[form]))
    return "".join(itertools.islice(cycle, phrases))
