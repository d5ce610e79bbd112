"""What must hold of a finder, and how far it does: a line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.composer.goals import line
from bench.looper.answers import Row
from bench.looper.cost import BadFile, Cost
from bench.looper.table import count, loops, nones

LOOPS = 30
"""Loopable tracks of a standard set; the goals are told for so many, and scaled."""
STANDARD: tuple[tuple[str, int, Callable[[Row], bool]], ...] = (
    ("exact", 24, lambda one: bool(one.verdict and one.verdict.exact)),
    ("within 1 ms", 25, lambda one: bool(one.verdict and one.verdict.hit1)),
    ("within 10 ms", 28, lambda one: bool(one.verdict and one.verdict.hit10)),
    ("good", 28, lambda one: one.good),
)
NONE_RIGHT, REJECTED = 0.9, 1
"""Share of tracks without a loop that must be seen; loopable ones a set that may be rejected."""
WHOLE_FILES = ("whole file", "whole file+pad")
START_S, PACE_S, MIB_BASE, MIB_A_MINUTE, BAD_S = 2.0, 1.0, 100.0, 30.0, 10.0


def _missed(rows: Sequence[Row], holds: Callable[[Row], bool], most: int = 6) -> str:
    names = [one.track for one in rows if not holds(one)]
    more = f", {len(names) - most} more" if len(names) > most else ""
    return f"  not: {', '.join(names[:most])}{more}" if names else ""


def accuracy(rows: Sequence[Row], seeds: int) -> list[str]:
    """Return a line a goal, for the rows of some seeds."""
    standard = [one for one in loops(rows) if one.group == "standard"]
    lines = []
    if standard:
        for name, least, holds in STANDARD:
            found, share = count(standard, holds), least / LOOPS
            text = f"{found}/{len(standard)}{_missed(standard, holds)}"
            held = found >= share * len(standard)
            lines.append(line(name, f"≥ {least} of {LOOPS}", text, holds=held))
        rejected = [one.track for one in standard if not one.found]
        held = len(rejected) <= REJECTED * seeds
        text = f"{len(rejected)}  {', '.join(rejected[:6])}"
        lines.append(line("rejected", f"≤ {REJECTED} a seed", text, holds=held))
        files = [one for one in standard if one.klass in WHOLE_FILES]

        def is_right(one: Row) -> bool:
            return bool(one.verdict and one.verdict.hit10)

        right = count(files, is_right)
        text = f"{right}/{len(files)}{_missed(files, is_right)}"
        lines.append(line("file is the loop", "all", text, holds=right == len(files)))
    for group in ("composer", "recorded"):
        others = [one for one in loops(rows) if one.group == group]
        if others:
            good = count(others, lambda one: one.good)
            text = f"{good}/{len(others)}{_missed(others, lambda one: one.good)}"
            held = good >= 28 / LOOPS * len(others)
            lines.append(line(group, f"good, ≥ 28 of {LOOPS}", text, holds=held))
    clicked = [one.track for one in loops(rows) if one.score and one.score.clicked]
    text = f"{len(clicked)}  {', '.join(clicked[:6])}"
    lines.append(line("clicks", "0", text, holds=not clicked))
    none = nones(rows)
    if none:
        right = count(none, lambda one: one.good)
        text = f"{right}/{len(none)}{_missed(none, lambda one: one.good)}"
        held = right >= NONE_RIGHT * len(none)
        lines.append(line("no loop", f"≥ {NONE_RIGHT:.0%} seen", text, holds=held))
    return lines


def cost(found: Cost) -> list[str]:
    """Return a line a goal for what a finder uses."""
    if found.failed:
        return [line("cost", "", "can't be measured: ten minutes make it fail", holds=False)]
    over = [
        f"{minutes:g} min {mib:.0f} MiB" for minutes, mib in found.peaks
        if mib > MIB_BASE + MIB_A_MINUTE * minutes
    ]  # fmt: skip
    peaks = ", ".join(f"{minutes:g} min {mib:.0f} MiB" for minutes, mib in found.peaks)
    start = f"{found.start_s:.2f} s"
    return [
        line("start-up", f"≤ {START_S:g} s", start, holds=found.start_s <= START_S),
        line("pace, warm", f"≤ {PACE_S:g} s/track-min",
             f"{found.pace_s:.2f} s, {found.pace_cpu_s:.2f} CPU-s", holds=found.pace_s <= PACE_S),
        line("memory", f"≤ {MIB_BASE:g}+{MIB_A_MINUTE:g}/min MiB", peaks, holds=not over),
    ]  # fmt: skip


def bad_files(found: Sequence[BadFile]) -> list[str]:
    """Return a line that says which bad files weren't answered cleanly."""
    faults = [f"{one.name} ({one.fault})" for one in found if one.fault]
    slowest = max(found, key=lambda one: one.wall_s)
    text = f"{len(found) - len(faults)}/{len(found)}; slowest {slowest.wall_s:.1f} s {slowest.name}"
    if faults:
        text += "  not: " + ", ".join(faults)
    return [line("bad files", f"clean, ≤ {BAD_S:g} s", text, holds=not faults)]
