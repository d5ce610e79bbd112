"""Do seeds differ, and do sections come back word for word? Read from the scores alone."""

from __future__ import annotations

import itertools
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.composer.goals import line
from bench.composer.midifile import Note, Score, read_score
from bench.composer.pieces import Piece, generate
from musicgen.engine.base import Parameters

GOAL_REPEATED = 0.25
"""Of bars that return, so many may be the same in every part."""
PARTS = ("drums", "bass", "chords", "lead")
_NEAR_S = 0.04
"""Two onsets are the same if they lie so close: both are humanised."""
_OPENING = 8
"""Notes of a melody that are compared where two pieces differ in length."""

Melody = tuple[tuple[int, int], ...]


def melody(score: Score) -> Melody:
    """Return the lead as (interval to the note before, onset within the bar in sixteenths).

    Transposition and tempo drop out, so that the same tune in another key counts as the same.
    """
    notes = score.tracks.get("lead", [])
    sixteenth = score.ticks_per_quarter / 4
    return tuple(
        (note.pitch - before.pitch, round(note.start % score.bar_ticks / sixteenth))
        for before, note in itertools.pairwise(notes)
    )


def same_melodies(pieces: Sequence[Piece]) -> list[tuple[str, int, int]]:
    """Return pairs of pieces of a family, as (prompt, seed, seed), whose melodies are alike.

    Alike are melodies that begin with the same _OPENING notes, or are one the other's whole.
    """
    tunes = [(piece, melody(piece.score)) for piece in pieces if piece.score]
    return [
        (one.wish.prompt, one.wish.seed, two.wish.seed)
        for (one, first), (two, second) in itertools.combinations(tunes, 2)
        if one.wish.family == two.wish.family and first and first[:_OPENING] == second[:_OPENING]
    ]


def repeats(score: Score) -> dict[str, list[bool]]:
    """Compare each section with the one before it of the same kind, bar by bar.

    Returns by part, for each bar in which it plays both times, whether it plays the same; and
    under "all" whether every part does.
    """
    kinds = [text for _, text in score.markers]
    starts = [tick for tick, _ in score.markers] + [score.end]
    length = score.bar_ticks
    same: dict[str, list[bool]] = {name: [] for name in (*PARTS, "all")}
    for index, kind in enumerate(kinds):
        if kind not in kinds[:index]:
            continue
        before = index - 1 - kinds[:index][::-1].index(kind)
        bars = min((starts[at + 1] - starts[at]) // length for at in (before, index))
        for bar in range(bars):
            whole = []
            for part, notes in score.tracks.items():
                old = _bar(notes, starts[before] + bar * length, length)
                new = _bar(notes, starts[index] + bar * length, length)
                whole.append(_alike(old, new, score.seconds(1)))
                if part in PARTS and old and new:
                    same[part].append(whole[-1])
            same["all"].append(all(whole))
    return same


def _bar(notes: Sequence[Note], start: int, length: int) -> list[tuple[int, int]]:
    """Return pitch and onset of a bar's notes; one that comes a little early belongs to it."""
    early = length // 64
    return sorted(
        (note.pitch, note.start - start)
        for note in notes
        if start - early <= note.start < start + length - early
    )


def _alike(old: Sequence[tuple[int, int]], new: Sequence[tuple[int, int]], tick_s: float) -> bool:
    return len(old) == len(new) and all(
        a == b and abs(at - then) * tick_s <= _NEAR_S
        for (a, at), (b, then) in zip(old, new, strict=True)
    )


def long_score(family: str, seconds: float = 150.0) -> tuple[str, Score]:
    """Render a piece that is long enough for sections to return; return family and score."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Parameters(family, "", seconds, 1, {"genre": family}), Path(folder))
        return family, read_score(Path(folder) / "score.mid")


def table(scores: Sequence[tuple[str, Score]]) -> list[str]:
    """Return a line a family: how much of its returning sections is repeated, in percent."""
    names = (*PARTS, "all")
    lines = [f"{'repeated bars':15}" + "".join(f"{name:>9}" for name in names) + "   bars"]
    for family in dict.fromkeys(family for family, _ in scores):
        share, bars = verbatim([score for name, score in scores if name == family])
        cells = "".join(f"{share[name]:9.0%}" if name in share else f"{'·':>9}" for name in names)
        lines.append(f"{family:15}{cells}{bars:7}")
    return lines


def verbatim(scores: Sequence[Score]) -> tuple[dict[str, float], int]:
    """Return by part, and for "all", the share of bars repeated word for word; and the bars."""
    found = [repeats(score) for score in scores]
    pooled = {name: [one for same in found for one in same[name]] for name in (*PARTS, "all")}
    share = {name: statistics.fmean(same) for name, same in pooled.items() if same}
    return share, len(pooled["all"])


def summary(pieces: Sequence[Piece], scores: Sequence[tuple[str, Score]]) -> list[str]:
    """Return a line a goal."""
    same = same_melodies(pieces)
    silent = sum(not melody(piece.score) for piece in pieces if piece.score)
    share, bars = verbatim([score for _, score in scores])
    told = ", ".join(f"{name} {share[name]:.0%}" for name in share)
    alike = "".join(f"; {prompt} ({one}, {two})" for prompt, one, two in same)
    return [
        line("melodies", "no two alike", f"{len(same)} alike of {len(pieces)} pieces{alike}; "
             f"{silent} without a lead", holds=not same),
        line("repeated bars", f"all parts ≤ {GOAL_REPEATED:.0%}", f"{told} of {bars} bars that "
             "return", holds=share.get("all", 0.0) <= GOAL_REPEATED),
    ]  # fmt: skip


def as_json(pieces: Sequence[Piece], scores: Sequence[tuple[str, Score]]) -> dict[str, object]:
    """Everything as plain values."""
    families = dict.fromkeys(family for family, _ in scores)
    by_family = {
        family: verbatim([score for name, score in scores if name == family])[0]
        for family in families
    }
    return {"same_melodies": same_melodies(pieces), "repeated": by_family}
