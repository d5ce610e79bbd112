"""A short storm, and every invariant seen to break once its guard is gone. docs/chaos.md."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from musicgen.local.parts import code_root
from tests.chaos.namespace import NoNamespace, find_way
from tests.chaos.sabotage import GUARDS, Guard

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

JOBS, FAULTS = 150, 36
AT_ONCE = 4
"""Small fleets side by side: each waits more than it works."""
LIMIT_S = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of the suite said."""

    code: int
    report: Mapping[str, Any]
    text: str


def chaos(*arguments: str) -> Outcome:
    """Run the suite as a program."""
    # What the tests' own coverage is measured with would slow every part of the fleet.
    environ = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *arguments],
        cwd=code_root(),
        env=environ,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    report = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return Outcome(done.returncode, report, f"{done.stdout}\n{done.stderr}")


@pytest.fixture(scope="module", autouse=True)
def _small_disks() -> None:
    try:
        find_way()
    except NoNamespace as error:
        pytest.skip(f"the chaos suite needs disks of its own: {error}")


@pytest.fixture(scope="module")
def aimed(_small_disks: None) -> Iterator[Mapping[str, Future[Outcome]]]:
    """All aimed stories with their guards ("all"), and each without its guard."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {"all": pool.submit(chaos, "--aim", "all")}
        runs |= {guard.name: pool.submit(chaos, "--without", guard.name) for guard in GUARDS}
        yield runs


def test_a_short_storm(capsys: pytest.CaptureFixture[str]) -> None:
    """Jobs under random faults: each promise is kept once, and every watcher knows the truth."""
    outcome = chaos("--seed", "7", "--jobs", str(JOBS), "--faults", str(FAULTS))
    with capsys.disabled():
        print(f"\n{json.dumps(outcome.report)}")
    assert outcome.code == 0, outcome.text
    assert outcome.report["jobs"] >= JOBS
    assert outcome.report["faults"] == FAULTS
    # Some find nothing to break at their time; then another kind comes twice.
    assert len(outcome.report["faults_by_kind"]) > FAULTS * 2 / 3


def test_with_all_guards_nothing_breaks(aimed: Mapping[str, Future[Outcome]]) -> None:
    """The stories that are aimed at the guards do no harm while these are in place."""
    outcome = aimed["all"].result()
    assert outcome.code == 0, outcome.text


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_without_its_guard_it_breaks(guard: Guard, aimed: Mapping[str, Future[Outcome]]) -> None:
    """A studio that lacks a guard is found out, for the right reason."""
    outcome = aimed[guard.name].result()
    assert outcome.code == 1, outcome.text
    assert outcome.report, outcome.text
    watchers = outcome.report["watchers"]
    counts = {f"watchers_{name}": watchers[name] for name in ("wrong", "doubled")}
    counts |= outcome.report
    assert any(counts[name] for name in guard.breaks), outcome.text
