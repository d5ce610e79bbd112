"""The form of a piece: how many bars, which sections, how strong each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PHRASE_BARS = 4
SECTION_PHRASES = 4
"""A section is at most this many phrases long, so that a long piece keeps changing."""

ENERGY = {"intro": 0.45, "A": 0.75, "B": 1.0, "break": 0.4, "outro": 0.5}
"""How strong each kind of section is, as a share of the piece's energy."""

_SHORT_FORMS = {
    1: "A",
    2: "AA",
    3: "IAB",
    4: "IABA",
    5: "IABBO",
    6: "IAABBO",
    7: "IAABBAO",
    8: "IAABBKBO",
    9: "IAABBKBBO",
    10: "IAABBAKBBO",
}
_KINDS = {"I": "intro", "A": "A", "B": "B", "K": "break", "O": "outro"}


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


@dataclass(frozen=True, slots=True)
class Length:
    """How a piece fills its time: whole bars at a tempo, then a last chord ringing out."""

    tempo_bpm: float
    bars: int
    ring_s: float


def fit(duration_s: float, tempo_bpm: float, beats: int, *, fixed: bool) -> Length:
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


def sections(bars: int) -> list[Section]:
    """Divide `bars` into sections. `parts` stay empty."""
    phrases = max(1, round(bars / PHRASE_BARS))
    letters = _SHORT_FORMS.get(phrases) or _long_form(phrases)
    lengths = [PHRASE_BARS] * phrases
    # Odd bars go to the first phrase of the last kind, or are taken from the last.
    lengths[-1] += bars - PHRASE_BARS * phrases
    found: list[Section] = []
    heard: dict[str, int] = {}
    start = 0
    i = 0
    while i < phrases:
        j = i
        while j < phrases and letters[j] == letters[i] and j - i < SECTION_PHRASES:
            j += 1
        kind = _KINDS[letters[i]]
        size = sum(lengths[i:j])
        repeat = heard.get(kind, 0)
        heard[kind] = repeat + 1
        lift = 0.05 * min(repeat, 2)
        found.append(Section(kind, start, size, min(1.0, ENERGY[kind] + lift), repeat))
        start += size
        i = j
    return found


def body(form: Sequence[Section]) -> tuple[int, int]:
    """Return the bars [start, end) between intro and outro: what repeats well as a loop."""
    start = form[0].bars if form[0].kind == "intro" else 0
    last = form[-1]
    end = last.start_bar if last.kind == "outro" else last.start_bar + last.bars
    return start, end


def _long_form(phrases: int) -> str:
    """An arc that keeps coming back: verse, chorus, sometimes a break, to the outro."""
    body = ""
    cycle = ("AABB", "AABB", "KKBB", "AAKB", "BBBB")
    index = 0
    while len(body) < phrases - 2:
        body += cycle[index % len(cycle)]
        index += 1
    return "I" + body[: phrases - 2] + "O"
