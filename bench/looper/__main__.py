"""Makes tracks whose loops are known, asks loop finders for them, and says how right they are.

    python -m bench.looper                          # fresh seeds, all groups, beside the rival
    python -m bench.looper --seeds 11,12 --groups standard --no-rival
    python -m bench.looper --seeds 11 --points points.json   # judges points in a file
    python -m bench.looper --seeds 11 --make        # makes the tracks only, and says where

POINTS.json is a list of {"track": NAME, "found": true, "top": [[start, end, score], …],
"cycle": "FILE.wav"}; `found`, the scores and `cycle`, a file with one cycle as it would repeat,
may be missing. The first choice is judged.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.composer.packages import FOLDER, Unavailable
from bench.looper import cost, finders, goals, sets
from bench.looper.answers import Answer, Row
from bench.looper.evaluate import evaluate
from bench.looper.table import HEAD, details, row
from bench.looper.truth import Truth

RESULTS = FOLDER / "looper"


class Bench:
    """One run: what was chosen, and what has been found so far."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self._chosen = chosen
        self.rows: dict[str, list[Row]] = {}
        """By finder, of all seeds."""
        self.told: dict[str, Any] = {"seeds": chosen.seeds}
        self.lines: list[str] = []
        """Of the summary."""

    def add(self, seed: int) -> None:
        """Make a seed's tracks, and judge all finders on them."""
        tracks, problems = sets.build(seed, self._chosen.groups, self._chosen.jobs)
        print(f"seed {seed}: {len(tracks)} tracks in {sets.folder_of(seed)}", *problems,
              sep="\n  ", flush=True)  # fmt: skip
        if self._chosen.make:
            return
        answers = self._answers(seed, tracks)
        judged = evaluate(seed, tracks, list(answers.values()), self._chosen.jobs)
        for name, rows in zip(answers, judged, strict=True):
            self.rows.setdefault(name, []).extend(rows)
        self.told[str(seed)] = {
            name: [one.as_json() for one in rows]
            for name, rows in zip(answers, judged, strict=True)
        }
        self._show(judged[0], judged, list(answers))

    def _answers(self, seed: int, tracks: Sequence[Truth]) -> dict[str, list[Answer]]:
        files = [sets.folder_of(seed) / f"{one.name}.wav" for one in tracks]
        if self._chosen.points:
            told = json.loads(self._chosen.points.read_bytes())
            answers = [Answer.read(one) for one in told]
            return {"points": answers, "points, crossfade": finders.crossfaded(answers)}
        cycles = RESULTS / "cycles" / str(seed)
        cycles.mkdir(parents=True, exist_ok=True)
        minutes = sum(one.frames / one.sample_rate_hz for one in tracks) / 60
        asked = finders.ours(files, cycles)
        if asked.usage:
            self._pace("ours", minutes, asked.usage.wall_s, asked.usage.cpu_s)
        found = {"ours": asked.answers, "whole file": finders.whole_files(files).answers}
        if not self._chosen.no_rival:
            try:
                with tempfile.TemporaryDirectory() as name:
                    rival = finders.rival(files, Path(name))
            except Unavailable as problem:
                print(problem, file=sys.stderr)
                return found
            # It tells what each track took; the first one's includes loading and compiling.
            minutes -= tracks[0].frames / tracks[0].sample_rate_hz / 60
            wall_s, cpu_s = (sum(one[key] for one in rival.told[1:]) for key in ("wall_s", "cpu_s"))
            self._pace("pymusiclooper, warm", minutes, wall_s, cpu_s)
            found["pymusiclooper"] = rival.answers
            found["  and a crossfade"] = finders.crossfaded(rival.answers)
        return found

    def _pace(self, name: str, minutes: float, wall_s: float, cpu_s: float) -> None:
        """Show what a finder took for a seed's tracks."""
        print(f"{name}: {wall_s / minutes:.2f} s, {cpu_s / minutes:.2f} CPU-s a track-minute")

    def _show(self, first: list[Row], judged: list[list[Row]], names: list[str]) -> None:
        print(*details(first), HEAD, sep="\n")
        for name, rows in zip(names, judged, strict=True):
            print(row(name, rows), flush=True)

    def add_summary(self) -> None:
        """Show all seeds' rows, and what must hold of our finder."""
        print("", f"all {len(self._chosen.seeds)} seeds", HEAD, sep="\n")
        for name, rows in self.rows.items():
            for group in dict.fromkeys(one.group for one in rows):
                part = [one for one in rows if one.group == group]
                print(row(f"{name:16} {group}", part))
        first = next(iter(self.rows.values()))
        self.lines += goals.accuracy(first, len(self._chosen.seeds))

    def add_cost(self) -> None:
        """Measure what our finder uses, and how it takes bad files; beside the rival."""
        tracks, _ = sets.build(self._chosen.seeds[0], ["standard"], self._chosen.jobs)
        longest = cost.longest(tracks)
        source = sets.folder_of(self._chosen.seeds[0]) / f"{longest.name}.wav"
        used = cost.measure(finders.find_command, source)
        self.lines += goals.cost(used)
        self.told["cost"] = {"ours": asdict(used)}
        bad = cost.answers_to_bad_files(finders.find_command)
        self.lines += goals.bad_files(bad)
        self.told["bad_files"] = [asdict(one) for one in bad]
        if not self._chosen.no_rival:
            try:
                finders.rival_python()
            except Unavailable as problem:
                print(problem, file=sys.stderr)
                return
            used = cost.measure(lambda files: finders.rival_command(files[0]), source)
            self.told["cost"]["pymusiclooper"] = asdict(used)
            print("", "pymusiclooper, its command", *goals.cost(used), sep="\n")


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.looper",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=lambda text: [int(one) for one in text.split(",")])
    parser.add_argument("--repeats", type=int, default=2, help="seeds drawn without --seeds (2)")
    parser.add_argument("--groups", type=lambda text: text.split(","), default=list(sets.GROUPS))
    parser.add_argument("--points", type=Path, help="judge these instead of asking finders")
    parser.add_argument("--make", action="store_true", help="only make the tracks")
    parser.add_argument("--no-rival", action="store_true", help="leave PyMusicLooper out")
    parser.add_argument("--no-cost", action="store_true", help="leave time and memory out")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.groups) - set(sets.GROUPS))
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)}; there are {', '.join(sets.GROUPS)}")
    if not chosen.seeds:
        chosen.seeds = sets.drawn(chosen.repeats)
        print("seeds drawn:", ",".join(map(str, chosen.seeds)))
    return chosen


def main() -> int:
    """Make, ask, judge, and print; returns the exit status."""
    chosen = read_arguments()
    # A worker has one core; its matrix products must not start threads for all.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    bench = Bench(chosen)
    for seed in chosen.seeds:
        bench.add(seed)
    if not chosen.make:
        bench.add_summary()
        if not (chosen.no_cost or chosen.points):
            bench.add_cost()
        print("", "must hold             goal                 result", *bench.lines, sep="\n")
        RESULTS.mkdir(parents=True, exist_ok=True)
        path = RESULTS / "accuracy.json"
        path.write_text(json.dumps(bench.told, indent=1), encoding="utf-8")
        print("all figures:", path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
