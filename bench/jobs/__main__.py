"""Puts the jobs service under load and says how soon clients hear, and what that costs.

python -m bench.jobs                          # three runs, about ten minutes
python -m bench.jobs --repeat 1 --seconds 4   # one, about two
python -m bench.jobs --quick                  # a smoke test: few clients, no goals
python -m bench.jobs --json > jobs.json       # every figure of every run
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from bench.jobs import goals, table
from bench.jobs.runs import FULL, QUICK, run


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.jobs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs; medians are shown (3)")
    parser.add_argument("--seconds", type=float, help="for each kind of client (8)")
    parser.add_argument("--quick", action="store_true", help="one small run, without goals")
    parser.add_argument("--json", action="store_true", help="all figures instead of the tables")
    chosen = parser.parse_args()
    if chosen.repeat < 1 or (chosen.seconds is not None and chosen.seconds <= 0):
        parser.error("--repeat must be 1 or more, and --seconds more than 0")
    size = QUICK if chosen.quick else FULL
    if chosen.seconds:
        size = dataclasses.replace(size, seconds=chosen.seconds)
    runs = []
    for number in range(1 if chosen.quick else chosen.repeat):

        def told(what: str, number: int = number) -> None:
            print(f"\rrun {number + 1}: {what:50}", end="", file=sys.stderr, flush=True)

        runs.append(run(size, told))
    print(f"\r{'':60}\r", end="", file=sys.stderr, flush=True)
    held = [] if chosen.quick else list(goals.lines(runs, size))
    if chosen.json:
        print(json.dumps({"runs": [one.as_json() for one in runs], "goals": held}, indent=1))
        return 0
    print(*table.accepting(runs), "", *table.watching(runs), sep="\n")
    if held:
        print("", "must hold               goal                 result", *held, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
