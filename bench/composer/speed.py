"""How fast the composer is, how large it grows, and how soon it can be heard and stopped.

Everything is measured in processes of their own, one after another, so that neither the
bench's memory nor other renders count. Speed is that of a warm process: a first piece of the
family is made and discarded.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.composer import previews
from bench.composer.goals import line
from bench.composer.packages import run
from bench.composer.pieces import cpu_s
from musicgen.engine.base import Parameters, Preview, Report, Reported
from musicgen.errors import Cancelled
from musicgen.progress import Progress
from services.inference.engines.composer.engine import Composer

LENGTH_S, WARM_UP_S, LONGEST_S = 180.0, 15.0, 600.0
PEAK_FAMILIES = ("cinematic", "house")
"""Families whose ten minutes are made to see the peak of memory."""
CANCEL_AT = (0.05, 0.25, 0.5, 0.75, 0.95)
GOAL_SPEED, FLOOR_SPEED, GOAL_GAP_S = 20.0, 12.0, 0.5
GOAL_OFF_DB = 6.0


@dataclass(frozen=True, slots=True)
class Speed:
    """One piece of LENGTH_S seconds, in a warm process."""

    family: str
    per_cpu_s: float
    """Seconds of audio per CPU-second."""
    per_wall_s: float
    longest_gap_s: float
    """Between two calls of report, or from a call to the start or the end."""
    gap_stage: str
    """The stage that was at work in the longest gap."""
    preview_s: float | None
    """From the start to the first Preview; None where the engine reports none."""
    previews: int
    preview_off_db: float | None
    """How far a band of a preview is from that of the mix, at worst; see previews.py."""


@dataclass(slots=True)
class _Clock:
    """A report that notes when it was called, and raises Cancelled once told to."""

    cancel_at: float = 2.0
    started_s: float = field(default_factory=time.monotonic)
    calls: list[tuple[float, str]] = field(default_factory=list)
    previews: list[tuple[float, Preview]] = field(default_factory=list)
    raised_s: float | None = None

    def __call__(self, told: Reported) -> None:
        now_s = time.monotonic()
        if isinstance(told, Preview):
            self.previews.append((now_s - self.started_s, told))
            self.calls.append((now_s, "preview"))
            return
        if not isinstance(told, Progress):  # the composer leaves no checkpoints
            return
        self.calls.append((now_s, told.stage))
        if told.fraction >= self.cancel_at:
            self.raised_s = now_s
            raise Cancelled("The bench cancels.")


def _make(family: str, seconds: float, report: Report, folder: Path) -> None:
    wanted = Parameters(family, "", seconds, 1, {"genre": family})
    Composer().generate(wanted, folder, report)


def measure(family: str) -> Speed:
    """Make a warm-up piece and a piece of LENGTH_S seconds of a family."""
    with tempfile.TemporaryDirectory() as name:
        _make(family, WARM_UP_S, lambda _: None, Path(name))
    with tempfile.TemporaryDirectory() as name:
        clock, before_s = _Clock(), cpu_s()
        _make(family, LENGTH_S, clock, Path(name))
        spent_s, ended_s = cpu_s() - before_s, time.monotonic()
        off_db = previews.off_db(Path(name), [preview for _, preview in clock.previews])
    times = [(clock.started_s, "before the first report"), *clock.calls, (ended_s, "")]
    gap_s, stage = max((after - at, name) for (at, name), (after, _) in itertools.pairwise(times))
    return Speed(
        family,
        LENGTH_S / spent_s,
        LENGTH_S / (ended_s - clock.started_s),
        gap_s,
        stage,
        clock.previews[0][0] if clock.previews else None,
        len(clock.previews),
        off_db,
    )


def cancelled(family: str, seconds: float = 60.0) -> list[float]:
    """Return how long it takes from raising Cancelled to being back, at each of CANCEL_AT."""
    waits = []
    for fraction in CANCEL_AT:
        clock = _Clock(cancel_at=fraction)
        try:
            with tempfile.TemporaryDirectory() as name:
                _make(family, seconds, clock, Path(name))
        except Cancelled:
            waits.append(time.monotonic() - (clock.raised_s or 0.0))
        else:
            raise RuntimeError(f"{family} went on after Cancelled was raised at {fraction:.0%}")
    return waits


def peak_mib(family: str) -> float:
    """Return the largest memory of this process while it makes a piece of LONGEST_S seconds."""
    with tempfile.TemporaryDirectory() as name:
        _make(family, LONGEST_S, lambda _: None, Path(name))
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 2**20 if sys.platform == "darwin" else size / 2**10


def measured(families: Sequence[str]) -> list[Speed]:
    """Measure families one after another, each in a fresh process."""
    return [Speed(**_in_a_process("speed", name)) for name in families]


def peaks_mib(families: Sequence[str]) -> dict[str, float]:
    """Return the peak of memory of those PEAK_FAMILIES that are among `families`."""
    asked = [name for name in PEAK_FAMILIES if name in families] or families[:1]
    return {name: float(_in_a_process("peak", name)["peak_mib"]) for name in asked}


def cancel_s(family: str) -> list[float]:
    """Return the waits of `cancelled`, measured in a fresh process."""
    return [float(wait) for wait in _in_a_process("cancel", family)["waits_s"]]


def _in_a_process(task: str, family: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.composer.speed", task, family]
    found: dict[str, Any] = json.loads(
        run(command, f"the {task} of {family} can't be measured", timeout_s=3600)
    )
    return found


def table(speeds: Sequence[Speed]) -> list[str]:
    """Return a line a family."""
    lines = ["3 minutes        s/CPU-s   s/wall-s  longest gap  first preview  previews  off by"]
    for one in speeds:
        first = "none" if one.preview_s is None else f"{one.preview_s:.2f} s"
        off = "" if one.preview_off_db is None else f"{one.preview_off_db:.1f} dB"
        lines.append(
            f"{one.family:15} {one.per_cpu_s:8.1f} {one.per_wall_s:10.1f} "
            f"{one.longest_gap_s:9.2f} s  {first:>13} {one.previews:9} {off:>7}  {one.gap_stage}"
        )
    lines.append(
        f"{'median':15} {statistics.median(one.per_cpu_s for one in speeds):8.1f} "
        f"{statistics.median(one.per_wall_s for one in speeds):10.1f}"
    )
    return lines


def summary(
    speeds: Sequence[Speed], peaks: Mapping[str, float], waits_s: Sequence[float]
) -> list[str]:
    """Return a line a goal."""
    slowest = min(speeds, key=lambda one: one.per_cpu_s)
    middle = statistics.median(one.per_cpu_s for one in speeds)
    gap = max(speeds, key=lambda one: one.longest_gap_s)
    firsts = [one.preview_s for one in speeds if one.preview_s is not None]
    off = max(speeds, key=lambda one: one.preview_off_db or 0.0)
    off_db = off.preview_off_db or 0.0
    large = ", ".join(f"{family} {size:.0f} MiB" for family, size in peaks.items())
    return [
        line("warm speed", f"≥ {FLOOR_SPEED:g}, goal {GOAL_SPEED:g}", f"median {middle:.1f}, "
             f"least {slowest.per_cpu_s:.1f} ({slowest.family}) s/CPU-s",
             holds=slowest.per_cpu_s >= FLOOR_SPEED),
        line("report gap", f"≤ {GOAL_GAP_S} s", f"{gap.longest_gap_s:.2f} s ({gap.family}, "
             f"{gap.gap_stage})", holds=gap.longest_gap_s <= GOAL_GAP_S),
        line("cancel", f"back in {GOAL_GAP_S} s", f"at most {max(waits_s):.3f} s after",
             holds=max(waits_s) <= GOAL_GAP_S),
        line("first preview", "before the end", f"{min(firsts):.2f} … {max(firsts):.2f} s"
             if firsts else "none reported", holds=len(firsts) == len(speeds)),
        line("preview's tone", f"bands ≤ {GOAL_OFF_DB:g} dB off", f"{off_db:.1f} dB ({off.family})",
             holds=off_db <= GOAL_OFF_DB),
        line("memory", "of ten minutes", large or "not measured", holds=True),
    ]  # fmt: skip


def main() -> None:
    """Do one task for the bench, in this process, and print JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("task", choices=("speed", "cancel", "peak"))
    parser.add_argument("family")
    chosen = parser.parse_args()
    if chosen.task == "speed":
        found: dict[str, object] = asdict(measure(chosen.family))
    elif chosen.task == "cancel":
        found = {"waits_s": cancelled(chosen.family)}
    else:
        found = {"peak_mib": peak_mib(chosen.family)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
