"""Renders every family of the composer as drawn by chance, and says what came out.

    python -m bench.composer                       # the table of families, and what must hold
    python -m bench.composer --judge --families house,jazz,piano --each 4
    python -m bench.composer --all                 # everything; see bench/README.md

Each family gets its own draws of tempo, key, metre, length and seed, which are written into the
prompt. The same --seed draws the same.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.composer import judge, rivals, seams, speed, variety
from bench.composer.goals import clicks_told, summary
from bench.composer.musicnn import weights
from bench.composer.packages import Unavailable
from bench.composer.pieces import Piece, Wish, draw, pool, render
from bench.composer.table import HEAD, row
from services.inference.engines.composer.profiles import PROFILES

PARTS = ("judge", "rivals", "seams", "speed", "variety")


class Bench:
    """One run: what was chosen, and what has been found so far."""

    def __init__(self, chosen: argparse.Namespace, workers: ProcessPoolExecutor) -> None:
        self._chosen = chosen
        self._workers = workers
        self._wishes = [draw(name, chosen.each, chosen.seed) for name in chosen.families]
        self._pieces: list[Piece] = []
        self.lines: list[str] = []
        """Of the summary."""
        self.told: dict[str, Any] = {}
        """For --json."""

    def say(self, *texts: str) -> None:
        """Print for people, where no JSON was asked for."""
        if not self._chosen.json:
            print("\n".join(texts), flush=True)

    def add_pieces(self) -> None:
        """Render every draw, and show a family's row when it is done."""
        self.say(HEAD)
        work = functools.partial(render, judged=self._chosen.judge)
        results = self._workers.map(work, [wish for group in self._wishes for wish in group])
        for family, group in zip(self._chosen.families, self._wishes, strict=True):
            part = [next(results) for _ in group]
            self._pieces += part
            self.say(row(family, part))
        self.say(row("all", self._pieces), *clicks_told(self._pieces))
        self.lines += summary(self._pieces)
        self.told["pieces"] = [piece.as_json() for piece in self._pieces]

    def add_judge(self) -> None:
        """Say what the pieces sound like, and how much prompts and seeds differ."""
        heard = _judged(self._pieces)
        verdict = judge.judge(heard)
        self.say("", judge.table(verdict, heard))
        self.told["judge"] = judge.as_json(verdict)
        asked = {judge.FAMILY_OF[piece.family] for piece in heard}
        if len(asked) < len(judge.COARSE):
            self.say(f"Only {len(asked)} of {len(judge.COARSE)} coarse families: no verdict.")
            return
        self.lines += judge.summary(verdict)

    def add_rivals(self) -> None:
        """Show the rivals' rows beside ours, for the same wishes."""
        wishes = rivals.chosen(self._wishes)
        ours = [next(piece for piece in self._pieces if piece.wish == wish) for wish in wishes]
        self.say("", f"the same {len(wishes)} prompts", HEAD + "  genre    AUC")
        self.say(self._beside("composer", ours))
        self.told["rivals"] = {}
        for rival in rivals.RIVALS:
            name = f"{rival.name} {rival.wheel.version}"
            try:
                made = self._rival(rival, wishes)
            except Unavailable as problem:
                self.say(f"{rival.name:15} {problem}")
                continue
            self.say(self._beside(rival.name, made, seeds=rival.has_seeds))
            self.say(f"{'':15} {name}: {rival.note}")
            self.told["rivals"][name] = [piece.as_json() for piece in made]

    def _rival(self, rival: rivals.Rival, wishes: list[Wish]) -> list[Piece]:
        with tempfile.TemporaryDirectory() as folder:
            made = rivals.compose(rival, wishes, Path(folder))
            work = functools.partial(rivals.assess_made, judged=self._chosen.judge)
            return list(self._workers.map(work, wishes, made))

    def _beside(self, name: str, pieces: list[Piece], *, seeds: bool = True) -> str:
        text = row(name, pieces)
        if not self._chosen.judge:
            return text
        verdict = judge.judge(_judged(pieces))
        spread = f"{verdict.auc:.3f}" if seeds else "–"
        return f"{text} {verdict.right:6.0%} {spread:>6}"

    def add_seams(self) -> None:
        """Render loops and look at their seams."""
        drawn = [(family, seed) for family in self._chosen.families for seed in (1, 2)]
        found = list(self._workers.map(seams.loop, *zip(*drawn, strict=True)))
        self.say("", *seams.table(found))
        self.lines += seams.summary(found)
        self.told["seams"] = [asdict(one) for one in found]

    def add_variety(self) -> None:
        """Compare melodies of seeds, and sections that return."""
        scores = [(piece.wish.family, piece.score) for piece in self._pieces if piece.score]
        scores += self._workers.map(variety.long_score, self._chosen.families)
        self.say("", *variety.table(scores))
        self.lines += variety.summary(self._pieces, scores)
        self.told["variety"] = variety.as_json(self._pieces, scores)

    def add_speed(self) -> None:
        """Measure three minutes of each family, ten of two, and cancelling."""
        families = self._chosen.families
        speeds = speed.measured(families)
        peaks, waits = speed.peaks_mib(families), speed.cancel_s(families[0])
        self.say("", *speed.table(speeds))
        self.lines += speed.summary(speeds, peaks, waits)
        self.told["speed"] = {"pieces": [asdict(one) for one in speeds], "peak_mib": peaks,
                              "cancel_s": waits}  # fmt: skip


def _judged(pieces: list[Piece]) -> list[judge.Judged]:
    return [
        judge.Judged(piece.wish.family, piece.wish.prompt, piece.heard)
        for piece in pieces
        if piece.heard and piece.wish.family in judge.FAMILY_OF
    ]


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.composer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--families", type=lambda text: text.split(","), default=list(PROFILES))
    parser.add_argument("--each", type=int, default=6, help="pieces a family (6)")
    parser.add_argument("--seed", type=int, default=1, help="of the draws (1)")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--judge", action="store_true", help="what a music tagger hears")
    parser.add_argument("--rivals", action="store_true", help="other packages, same prompts")
    parser.add_argument("--seams", action="store_true", help="loops: length and seam")
    parser.add_argument("--speed", action="store_true", help="speed, memory, cancelling")
    parser.add_argument("--variety", action="store_true", help="melodies and repeated bars")
    parser.add_argument("--all", action="store_true", help="all of these")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.families) - set(PROFILES))
    if unknown:
        parser.error(f"no such family: {', '.join(unknown)}; there are {', '.join(PROFILES)}")
    for part in PARTS:
        setattr(chosen, part, chosen.all or getattr(chosen, part))
    return chosen


def main() -> int:
    """Render, measure, and print; returns the exit status."""
    chosen = read_arguments()
    # A worker has one core; its matrix products must not start threads for all.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        if chosen.judge:
            weights()
    except Unavailable as problem:
        print(f"No judge: {problem}", file=sys.stderr)
        chosen.judge = False
    with pool(chosen.jobs) as workers:
        bench = Bench(chosen, workers)
        bench.add_pieces()
        for part in PARTS:
            if getattr(chosen, part):
                getattr(bench, f"add_{part}")()
    bench.say("", "must hold             goal                 result", *bench.lines)
    if chosen.json:
        print(json.dumps(bench.told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
