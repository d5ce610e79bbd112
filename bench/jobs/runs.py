"""Runs: everything measured once, on fresh servers; and what several of them say together."""

from __future__ import annotations

import asyncio
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.jobs import creating, starting
from bench.jobs.creating import Creating
from bench.jobs.studio import Studio
from bench.jobs.usage import Spent
from bench.jobs.watchers import Plan
from bench.jobs.watching import Heard, Load

JOBS = 100
EVENTS_PER_S = 100.0
SHARED = 100
"""Watches on one HTTP/2 connection, as between Envoy and the service."""
ALL_FRAMES_MS = 100


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    watchers: Sequence[int]
    """Numbers of watchers of one job each, the greatest first: memory is that of a fresh
    process."""
    of_all: int
    """Watchers of all jobs."""
    pollers: int
    seconds: float
    settle_s: float
    created: int
    started: int
    fsyncs: Sequence[str]
    """Of Valkey, as the jobs are accepted; the studio's is "always"."""


FULL = Size(
    watchers=(1000, 100, 10, 1),
    of_all=50,
    pollers=100,
    seconds=8.0,
    settle_s=1.0,
    created=500,
    started=50,
    fsyncs=("everysec", "always"),
)
QUICK = Size(
    watchers=(20, 2),
    of_all=3,
    pollers=20,
    seconds=1.0,
    settle_s=0.2,
    created=20,
    started=3,
    fsyncs=("always",),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run measured. `created` is by Valkey's appendfsync; times are in us."""

    created: dict[str, Creating]
    start_us: list[int]
    heard: dict[str, Heard]
    idle: Spent
    """What a second costs when nobody watches."""
    write_us: list[int]
    late_us: list[int]
    load: float
    """The machine's load average at the end: much more than 2 says that others were at work."""

    def as_json(self) -> dict[str, Any]:
        """Return all figures; of long lists the percentiles."""
        return {
            "created": {
                fsync: {**asdict(one), "took_us": percentiles(one.took_us)}
                for fsync, one in self.created.items()
            },
            "start_us": percentiles(self.start_us),
            "heard": {
                name: {
                    **asdict(one),
                    "age_us": percentiles(one.age_us),
                    "cpu_us": one.cpu_us(),
                    "cpu_with_envoy_us": one.cpu_us(envoy=True),
                }
                for name, one in self.heard.items()
            },
            "idle": asdict(self.idle),
            "write_us": percentiles(self.write_us),
            "late_us": percentiles(self.late_us),
            "load": self.load,
        }


def run(size: Size, told: Callable[[str], None]) -> Run:
    """Measure everything once; `told` hears what is being measured."""
    created, start_us = {}, list[int]()
    for fsync in size.fsyncs:
        with Studio(fsync) as studio:
            asyncio.run(creating.announce(studio.redis_url))
            if fsync == "always":
                told("submit → start")
                start_us = asyncio.run(starting.measure(studio, size.started))
            told(f"jobs accepted, appendfsync {fsync}")
            created[fsync] = asyncio.run(
                creating.measure(studio, size.created, 2 * size.created, at_once=16)
            )
    heard = {}
    with Studio() as studio:
        load = Load(studio, JOBS, EVENTS_PER_S, size.settle_s)
        told("nobody watches")
        # What a process makes once, such as its connections to the store, is no watcher's.
        warm = Plan("native", studio.jobs_address, min(50, size.watchers[0]), load.jobs, SHARED)
        load.watch("warm", warm, 0.1)
        idle = load.idle(size.seconds)
        for name, plan in plans(size, studio, load.jobs):
            told(name)
            heard[name] = load.watch(name, plan, size.seconds)
        name = poll_name(size.pollers)
        told(name)
        heard[name] = load.poll(name, size.pollers, size.seconds)
        written = load.end()
    return Run(
        created, start_us, heard, idle, written["took_us"], written["late_us"], os.getloadavg()[0]
    )


def plans(size: Size, studio: Studio, jobs: Sequence[str]) -> Iterator[tuple[str, Plan]]:
    """Yield who watches, by name."""
    native, web = studio.jobs_address, studio.web_address
    for count in size.watchers:
        yield native_name(count), Plan("native", native, count, jobs, SHARED)
    most = size.watchers[0]
    yield f"{native_name(most)}, a connection each", Plan("native", native, most, jobs)
    for count in size.watchers:
        yield web_name(count), Plan("web", web, count, jobs)
    for kind, address in (("native", native), ("web", web)):
        plan = Plan(kind, address, size.of_all, interval_ms=ALL_FRAMES_MS)
        yield all_name(kind, size.of_all), plan


def native_name(count: int) -> str:
    """Return what watchers of one job each are called, by gRPC."""
    return f"gRPC, {count}"


def web_name(count: int) -> str:
    """Return what watchers of one job each are called, through Envoy."""
    return f"Envoy, {count}"


def all_name(kind: str, count: int) -> str:
    """Return what watchers of all jobs are called."""
    return f"{'gRPC' if kind == 'native' else 'Envoy'}, {count} of all jobs"


def poll_name(count: int) -> str:
    """Return what those who ask are called."""
    return f"REST each second, {count}"


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the number of values."""
    return {"n": len(values), "p50": percentile(values, 0.5), "p99": percentile(values, 0.99)}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of them does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def median(runs: Sequence[Run], figure: Callable[[Run], float]) -> float:
    """Return a figure's median over the runs."""
    return statistics.median(map(figure, runs))


def median_of(runs: Sequence[Run], name: str, figure: Callable[[Heard], float]) -> float:
    """Return the median over the runs of a figure of what clients of one kind heard."""
    return statistics.median(figure(run.heard[name]) for run in runs)


def age_ms(runs: Sequence[Run], name: str, share: float) -> float:
    """Return how old news was for clients of one kind."""
    return median_of(runs, name, lambda heard: percentile(heard.age_us, share)) / 1000
