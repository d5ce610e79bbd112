"""What must hold of a set of pieces, and how far it does: a line each."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.composer.pieces import RATE_HZ, Piece

UNBOUND = frozenset({"ambient", "sleep", "meditation", "nature", "piano", "chiptune"})
"""Families whose tempo need not be heard, and that need neither air nor width."""
CRACKLES = frozenset({"vinyl"})
"""Textures made of clicks."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing that must hold for each piece that it binds."""

    name: str
    goal: str
    holds: Callable[[Piece], bool]
    figure: Callable[[Piece], float] | None = None
    binds: Callable[[Piece], bool] = lambda _: True
    share: float = 1.0
    """Of the pieces for which it must hold."""


def _is_ranged(piece: Piece) -> bool:
    return piece.wish.family not in UNBOUND


GOALS = (
    Goal("tempo asked", "exact", lambda p: p.bpm_told == p.wish.bpm),
    Goal(
        "tempo heard",
        "within 1 %",
        lambda p: p.bpm_near,
        lambda p: 100 * round(abs(p.bpm_heard / p.wish.bpm - 1), 6),
        _is_ranged,
    ),
    Goal("length", "to the frame", lambda p: p.is_exactly_long),
    Goal("metre", "exact", lambda p: p.metre_holds),
    Goal("key heard", "or relative, 90 %", lambda p: p.key_near, share=0.9),
    Goal(
        "loudness",
        "-14 ± 0.3 LUFS",
        lambda p: abs(p.measures.loudness_lufs + 14) <= 0.3,
        lambda p: p.measures.loudness_lufs,
    ),
    Goal(
        "true peak",
        "≤ -1 dBTP",
        lambda p: p.measures.true_peak_dbtp <= -1,
        lambda p: p.measures.true_peak_dbtp,
    ),
    Goal("clipped", "0 samples", lambda p: not p.measures.clipped, lambda p: p.measures.clipped),
    Goal("DC", "≤ 0.001", lambda p: p.measures.dc <= 0.001, lambda p: p.measures.dc),
    Goal(
        "clicks",
        "0, but vinyl's",
        lambda p: not p.measures.click_frames,
        lambda p: len(p.measures.click_frames),
        lambda p: p.texture not in CRACKLES,
    ),
    Goal(
        "silence",
        "≤ 0.5 s at -60 dB",
        lambda p: p.measures.silence_s <= 0.5,
        lambda p: p.measures.silence_s,
    ),
    Goal(
        "width",
        "-9…-3 dB side/mid",
        lambda p: -9 <= p.measures.side_mid_db <= -3,
        lambda p: p.measures.side_mid_db,
        _is_ranged,
    ),
    Goal(
        "mono bass",
        "≤ -20 dB < 120 Hz",
        lambda p: p.measures.side_mid_low_db <= -20,
        lambda p: p.measures.side_mid_low_db,
    ),
    Goal(
        "air",
        "99 % above 8 kHz",
        lambda p: p.measures.rolloff_hz >= 8000,
        lambda p: p.measures.rolloff_hz / 1000,
        _is_ranged,
    ),
    Goal("speed", "≥ 12 s/CPU-s", lambda p: p.speed >= 12, lambda p: p.speed),
)


def clicks_told(pieces: Sequence[Piece], most: int = 10) -> list[str]:
    """Return where the first clicks are, so that they can be looked at."""
    clicked = [p for p in pieces if p.measures.click_frames and p.texture not in CRACKLES]
    return [
        f"  click in {p.wish.prompt}, {p.wish.seconds:g} s, seed {p.wish.seed}: "
        + ", ".join(f"{frame / RATE_HZ:.4f} s" for frame in p.measures.click_frames[:4])
        for p in clicked[:most]
    ]


def line(name: str, goal: str, result: str, *, holds: bool) -> str:
    """Format a line of the summary."""
    return f"{'ok   ' if holds else 'FAILS'} {name:15} {goal:20} {result}"


def _short(figure: float) -> str:
    return f"{figure:.1e}" if 0 < abs(figure) < 0.01 else f"{figure:.4g}"


def summary(pieces: Sequence[Piece]) -> list[str]:
    """Return a line a goal: for how many pieces it holds, from where to where it goes."""
    lines = []
    for goal in GOALS:
        bound = [piece for piece in pieces if goal.binds(piece)]
        if not bound:
            continue
        missed = [piece.wish.family for piece in bound if not goal.holds(piece)]
        text = f"{len(bound) - len(missed)}/{len(bound)}"
        if goal.figure:
            figures = [goal.figure(piece) for piece in bound]
            middle = statistics.median(figures)
            text += f"  {_short(min(figures))} … {_short(middle)} … {_short(max(figures))}"
        if missed:
            counts = {family: missed.count(family) for family in dict.fromkeys(missed)}
            text += "  not: " + ", ".join(f"{name} {count}" for name, count in counts.items())
        good = len(bound) - len(missed) >= goal.share * len(bound)
        lines.append(line(goal.name, goal.goal, text, holds=good))
    return lines
