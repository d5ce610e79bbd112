"""What the studio costs while nobody uses it: memory and processor time of each process.

    python -m bench.idle                    # starts a studio of its own, waits, measures 60 s
    python -m bench.idle --pid 4711         # the studio of this launcher, as it is
    python -m bench.idle --seconds 300 --json

Memory is PSS: pages that processes share are split among them, so that the sum is what the
machine would get back, if no other program shares them (another studio would). Processor time
is that of one core. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.e2e.studio import Process, descendants, studio

GOAL_CPU_PERCENT = 3.0
GOAL_MEMORY_MB = 700.0
SETTLE_S = 20.0
"""After the start: caches are filled, and the composer's host has warmed up."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_NAMES = (
    ("guardian", "guardian"),
    ("musicgen.engine.host", "engine host"),
    ("services.jobs.runner", "runner"),
    ("services.jobs", "jobs"),
    ("services.inference", "inference"),
    ("services.looper", "looper"),
    ("services.library", "library"),
    ("valkey-server", "Valkey"),
    ("envoy", "Envoy"),
    ("musicgen.cli", "launcher"),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took: share of one core, PSS in megabytes (10^6), and how often a
    second one of its threads went to sleep."""

    part: str
    pid: int
    cpu_percent: float
    memory_mb: float
    naps_per_s: float


@dataclass(frozen=True, slots=True)
class _Reading:
    ticks: int
    naps: int


def _read(pid: int) -> _Reading:
    """Raises OSError for a process that has ended."""
    # utime and stime, counted after the name, which may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    naps = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        naps += int(_field(status.read_text(), "voluntary_ctxt_switches"))
    return _Reading(int(fields[11]) + int(fields[12]), naps)


def _field(text: str, name: str) -> str:
    return next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:"))


def _memory_mb(pid: int) -> float:
    return int(_field(Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss")) * 1024 / 1e6


def _name(command: str) -> str:
    return next((name for words, name in _NAMES if words in command), command[:24])


def measure(launcher_pid: int, seconds: float) -> list[Cost]:
    """Watch a studio for a while. A process that starts or ends meanwhile is left out."""
    own = Path(f"/proc/{launcher_pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    family = [Process(launcher_pid, 0, own), *descendants(launcher_pid)]
    before = {process.pid: _read(process.pid) for process in family}
    began = time.monotonic()
    time.sleep(seconds)
    costs = []
    for process in family:
        try:
            after, memory_mb = _read(process.pid), _memory_mb(process.pid)
        except OSError:
            continue
        took_s, first = time.monotonic() - began, before[process.pid]
        costs.append(
            Cost(
                part=_name(process.command),
                pid=process.pid,
                cpu_percent=(after.ticks - first.ticks) / _TICKS_PER_S / took_s * 100,
                memory_mb=memory_mb,
                naps_per_s=(after.naps - first.naps) / took_s,
            )
        )
    return sorted(costs, key=lambda cost: -cost.cpu_percent)


def _report(costs: Sequence[Cost], seconds: float) -> dict[str, Any]:
    cpu, memory = sum(c.cpu_percent for c in costs), sum(c.memory_mb for c in costs)
    return {
        "seconds": seconds,
        "processes": [asdict(cost) for cost in costs],
        "cpu_percent": cpu,
        "memory_mb": memory,
        "naps_per_s": sum(c.naps_per_s for c in costs),
        "goals": {
            f"cpu under {GOAL_CPU_PERCENT:g} % of one core": cpu < GOAL_CPU_PERCENT,
            f"memory under {GOAL_MEMORY_MB:g} MB": memory < GOAL_MEMORY_MB,
        },
    }


def _print(report: dict[str, Any]) -> None:
    print(f"{'process':<12} {'CPU %':>7} {'PSS MB':>8} {'naps/s':>8}")
    for cost in report["processes"]:
        print(
            f"{cost['part']:<12} {cost['cpu_percent']:>7.2f} {cost['memory_mb']:>8.1f} "
            f"{cost['naps_per_s']:>8.1f}"
        )
    print(
        f"{'together':<12} {report['cpu_percent']:>7.2f} {report['memory_mb']:>8.1f} "
        f"{report['naps_per_s']:>8.1f}"
    )
    for goal, held in report["goals"].items():
        print(f"{'ok    ' if held else 'MISSED'} {goal}")


def main() -> int:
    """Measure; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.idle",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to measure")
    parser.add_argument("--pid", type=int, help="launcher of a studio that runs already")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    if arguments.pid:
        costs = measure(arguments.pid, arguments.seconds)
    else:
        folder = Path(tempfile.mkdtemp(prefix="mg-idle-"))
        try:
            with studio(folder) as it:
                time.sleep(SETTLE_S)
                costs = measure(it.pid, arguments.seconds)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    report = _report(costs, arguments.seconds)
    if arguments.json:
        print(json.dumps(report))
    else:
        _print(report)
    return 0 if all(report["goals"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
