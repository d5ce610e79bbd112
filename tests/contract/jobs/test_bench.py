"""The load bench runs, and what it measures makes sense."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from bench.jobs import goals, runs, table
from bench.jobs.creating import Creating
from bench.jobs.usage import Spent
from bench.jobs.watching import Heard

pytestmark = pytest.mark.contract


def test_the_load_bench_measures_all_that_it_promises() -> None:
    """A small run of real servers hears of every kind of client, without a fault."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.jobs", "--quick", "--json"],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [run] = json.loads(done.stdout)["runs"]
    size = runs.QUICK
    assert run["created"]["always"]["took_us"]["n"] == size.created
    assert run["start_us"]["n"] == size.started
    heard: dict[str, Any] = run["heard"]
    most = size.watchers[0]
    assert {
        runs.native_name(most),
        runs.web_name(most),
        runs.all_name("native", size.of_all),
        runs.all_name("web", size.of_all),
        runs.poll_name(size.pollers),
    } <= set(heard)
    for name, one in heard.items():
        assert one["faults"] == 0, name
    for name in (runs.native_name(most), runs.web_name(most)):
        assert heard[name]["age_us"]["n"] >= most * size.seconds / 3, name
        assert heard[name]["age_us"]["p50"] > 0, name


def test_goals_are_judged_by_the_medians_of_the_runs() -> None:
    """One bad run of three fails nothing; two do."""
    size = runs.FULL

    def measured(age_us: int) -> runs.Run:
        def heard(name: str, clients: int, age_us: int) -> Heard:
            ages = [age_us] * 100
            return Heard(name, clients, 10.0, 100, ages, Spent(0.01, 0.01, 0.01), 1.0, 0)

        names = [
            *((runs.native_name(count), count) for count in size.watchers),
            *((runs.web_name(count), count) for count in size.watchers),
            *((runs.all_name(kind, size.of_all), size.of_all) for kind in ("native", "web")),
        ]
        everyone = {name: heard(name, count, age_us) for name, count in names}
        asking = runs.poll_name(size.pollers)
        everyone[asking] = heard(asking, size.pollers, 500_000)
        created = {"always": Creating([1000], 16, 100.0, 100.0)}
        return runs.Run(created, [1000], everyone, Spent(0, 0, 0), [500], [10], 1.0)

    good, bad = measured(1_000), measured(100_000)
    failed = [line for line in goals.lines([good, bad, good], size) if line.startswith("FAILS")]
    # Both cost the same in what was made up here.
    assert [line.split()[1] for line in failed] == ["CPU"]
    failed = [line for line in goals.lines([bad, bad, good], size) if line.startswith("FAILS")]
    assert len(failed) == 5
    assert len(list(table.watching([good]))) == len(good.heard) + 3
