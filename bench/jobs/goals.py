"""What must hold, and how far it does: a line each, medians over the runs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from bench.jobs.runs import (
    Run,
    Size,
    age_ms,
    all_name,
    median,
    median_of,
    native_name,
    percentile,
    poll_name,
    web_name,
)

NATIVE_MS, WEB_MS, ALL_MS = 25.0, 60.0, 150.0
CPU_US, EACH_KB = 250.0, 30.0
FRESHER, FRESHER_LEAST = 300.0, 100.0


def line(name: str, goal: str, result: str, *, holds: bool) -> str:
    """Format a line of the summary."""
    return f"{'ok   ' if holds else 'FAILS'} {name:17} {goal:20} {result}"


def lines(runs: Sequence[Run], size: Size) -> Iterator[str]:
    """Yield a line a goal."""
    most = size.watchers[0]
    for text, name, limit_ms in (
        (f"{most}, gRPC", native_name(most), NATIVE_MS),
        (f"{most}, Envoy", web_name(most), WEB_MS),
        (f"all × {size.of_all}, gRPC", all_name("native", size.of_all), ALL_MS),
        (f"all × {size.of_all}, Envoy", all_name("web", size.of_all), ALL_MS),
    ):
        p99_ms = age_ms(runs, name, 0.99)
        yield line(text, f"p99 < {limit_ms:g} ms", f"{p99_ms:.1f} ms", holds=p99_ms < limit_ms)
    for text, name in (("CPU, gRPC", native_name(most)), ("CPU, Envoy", web_name(most))):
        cpu_us = median_of(runs, name, lambda heard: heard.cpu_us())
        yield line(text, f"≤ {CPU_US:g} us each", f"{cpu_us:.0f} us", holds=cpu_us <= CPU_US)
    each_kb = 1.024 * median_of(runs, native_name(most), lambda heard: heard.each_kib)
    yield line("memory", f"≤ {EACH_KB:g} kB each", f"{each_kb:.1f} kB", holds=each_kb <= EACH_KB)
    yield from _freshness(runs, size)
    faults = sum(one.faults for run in runs for one in run.heard.values())
    yield line("faults", "none", str(faults), holds=not faults)


def _freshness(runs: Sequence[Run], size: Size) -> Iterator[str]:
    """Compare with as many who ask once a second, through Envoy."""
    poll, count = poll_name(size.pollers), size.pollers
    # What the disk takes is in all ages: nobody can hear of what isn't written yet.
    write_ms = median(runs, lambda run: percentile(run.write_us, 0.5)) / 1000
    asked_ms = age_ms(runs, poll, 0.5)
    for text, name in (
        ("fresher, gRPC", native_name(count)),
        ("fresher, Envoy", web_name(count)),
    ):
        heard_ms = age_ms(runs, name, 0.5)
        times = asked_ms / heard_ms
        since = (asked_ms - write_ms) / max(0.001, heard_ms - write_ms)
        at_most = age_ms(runs, poll, 0.99) / age_ms(runs, name, 0.99)
        result = f"{times:.0f} × (p99 {at_most:.0f} ×); {since:.0f} × once it is on the disk"
        goal = f"≥ {FRESHER:g} ×, least {FRESHER_LEAST:g}"
        yield line(text, goal, result, holds=times >= FRESHER)
    watch_us, poll_us = (
        statistics.median(run.heard[one].cpu_us(run.idle, envoy=True) for run in runs)
        for one in (web_name(count), poll)
    )
    result = f"{watch_us:.0f} us, the poll's {poll_us:.0f} us"
    yield line("CPU for each news", "< the poll's", result, holds=watch_us < poll_us)
