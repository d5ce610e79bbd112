"""How soon watchers hear, what that costs the servers, and what asking once a second costs."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from bench.jobs.creating import QUEUE, announce, create_some
from bench.jobs.studio import Studio
from bench.jobs.usage import Spent, pss_kib
from bench.jobs.watchers import Plan


@dataclass(frozen=True, slots=True)
class Heard:
    """What some clients learnt in `wall_s`, and what it cost the servers.

    `news` are deliveries: frames with events for watchers, answers with news for pollers.
    """

    name: str
    clients: int
    wall_s: float
    news: int
    age_us: Sequence[int]
    spent: Spent
    each_kib: float
    """Growth of the jobs process for each client; 0 if it was not measured."""
    faults: int
    """Watches that ended or were told to start over."""

    def cpu_us(self, idle: Spent | None = None, *, envoy: bool = False) -> float:
        """Return the CPU time of jobs (and Envoy) for each delivery; beyond what they use
        with nobody there, if `idle` is given: that of one second."""
        spent_s = self.spent.jobs_s + (self.spent.envoy_s if envoy else 0.0)
        if idle is not None:
            spent_s -= self.wall_s * (idle.jobs_s + (idle.envoy_s if envoy else 0.0))
        return spent_s * 1e6 / max(1, self.news)


class Load:
    """Jobs whose progress is told all the time."""

    def __init__(self, studio: Studio, jobs: int, rate: float, settle_s: float) -> None:
        self._studio = studio
        self._settle_s = settle_s
        asyncio.run(announce(studio.redis_url))
        self.jobs = asyncio.run(create_some(studio.jobs_address, jobs))
        self._writer = _child("writer", studio.redis_url, QUEUE, str(jobs), str(rate))
        _said(self._writer)

    def end(self) -> dict[str, list[int]]:
        """Stop it; return how long its writes took and how late they were, in us."""
        told, _ = self._writer.communicate(timeout=30)
        return dict(json.loads(told.splitlines()[-1]))

    def idle(self, wall_s: float) -> Spent:
        """Return what the servers use in a second while nobody watches."""
        time.sleep(self._settle_s)
        before, begin_s = Spent.until_now(self._studio.pids), time.monotonic()
        time.sleep(wall_s)
        spent = Spent.until_now(self._studio.pids) - before
        took_s = time.monotonic() - begin_s
        return Spent(spent.jobs_s / took_s, spent.envoy_s / took_s, spent.valkey_s / took_s)

    def watch(self, name: str, plan: Plan, wall_s: float) -> Heard:
        """Let watchers watch."""
        before_kib = pss_kib(self._studio.pids[0])
        with _ended(_child("watchers")) as child:
            _tell(child, json.dumps(asdict(plan)))
            _said(child)
            time.sleep(self._settle_s)
            told, spent, took_s = self._window(child, wall_s)
            each_kib = (pss_kib(self._studio.pids[0]) - before_kib) / plan.count
        news = told["frames"] - told["bookmarks"] - told["resets"]
        faults = told["ended"] + told["resets"]
        return Heard(name, plan.count, took_s, news, told["age_us"], spent, each_kib, faults)

    def poll(self, name: str, clients: int, wall_s: float) -> Heard:
        """Let clients ask once a second, through Envoy."""
        names = ",".join(self.jobs)
        with _ended(_child("pollers", self._studio.web_address, str(clients), names)) as child:
            _said(child)
            time.sleep(2 * self._settle_s)
            told, spent, took_s = self._window(child, wall_s)
        ages = told["age_us"]
        return Heard(name, clients, took_s, len(ages), ages, spent, 0.0, 0)

    def _window(
        self, child: subprocess.Popen[str], wall_s: float
    ) -> tuple[dict[str, Any], Spent, float]:
        before, begin_s = Spent.until_now(self._studio.pids), time.monotonic()
        _tell(child, "begin")
        time.sleep(wall_s)
        _tell(child, "end")
        spent = Spent.until_now(self._studio.pids) - before
        took_s = time.monotonic() - begin_s
        return _said(child), spent, took_s


def _child(name: str, *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-m", f"bench.jobs.{name}", *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def _ended(child: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield child
        child.communicate(timeout=30)
    finally:
        child.kill()
        child.wait()


def _tell(child: subprocess.Popen[str], line: str) -> None:
    if child.stdin is None:
        raise RuntimeError("it has no input")
    child.stdin.write(line + "\n")
    child.stdin.flush()


def _said(child: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what the child says next. Raises RuntimeError if it says nothing."""
    line = child.stdout.readline() if child.stdout else ""
    if not line:
        raise RuntimeError(f"{child.args!r} ended early")
    return dict(json.loads(line)) if line.startswith("{") else {}
