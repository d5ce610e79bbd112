"""The tables: a line for each kind of client, medians over the runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.jobs.creating import Creating
from bench.jobs.runs import Run, age_ms, median, median_of, percentile

HEAD = (
    f"{'clients':32} {'news/s':>7} {'age p50':>9} {'p99 ms':>8} {'us CPU: jobs':>13} {'Envoy':>6}"
    f" {'kB each':>8} {'faults':>7}"
)
MEMORY_FROM = 100
"""Clients; of fewer the growth tells nothing."""


def accepting(runs: Sequence[Run]) -> Iterator[str]:
    """Describe how jobs are accepted and start."""
    for fsync in runs[0].created:
        yield _created(fsync, [run.created[fsync] for run in runs])
    half, most = _percentiles_ms([run.start_us for run in runs])
    yield f"submit → start, a real runner  p50 {half:6.2f}  p99 {most:6.2f} ms"


def _created(fsync: str, found: Sequence[Creating]) -> str:
    half, most = _percentiles_ms([one.took_us for one in found])
    middle = sorted(found, key=lambda one: one.a_second)[len(found) // 2]
    return (
        f"accepted, appendfsync {fsync:8} p50 {half:6.2f}  p99 {most:6.2f} ms;"
        f" by {middle.at_once} at once {middle.a_second:4.0f}/s, {middle.cpu_us:.0f} us CPU each"
    )


def watching(runs: Sequence[Run]) -> Iterator[str]:
    """Describe what clients learnt and what that cost."""
    yield HEAD
    for name, first in runs[0].heard.items():
        jobs_us = median_of(runs, name, lambda heard: heard.cpu_us())
        both_us = median_of(runs, name, lambda heard: heard.cpu_us(envoy=True))
        rate = median_of(runs, name, lambda heard: heard.news / heard.wall_s)
        each_kb = median_of(runs, name, lambda heard: heard.each_kib) * 1.024
        memory = f"{each_kb:.1f}" if first.clients >= MEMORY_FROM and each_kb > 0 else "–"
        faults = sum(run.heard[name].faults for run in runs)
        yield (
            f"{name:32} {rate:7.0f} {age_ms(runs, name, 0.5):9.2f} {age_ms(runs, name, 0.99):8.2f}"
            f" {jobs_us:13.0f} {both_us - jobs_us:6.0f} {memory:>8} {faults:7}"
        )
    half, most = _percentiles_ms([run.write_us for run in runs])
    _, late = _percentiles_ms([run.late_us for run in runs])
    yield (
        f"of each age the write, to the disk, takes p50 {half:.2f}  p99 {most:.2f} ms;"
        f" it begins up to {late:.2f} ms late (p99)"
    )
    jobs, valkey = (
        median(runs, lambda run: run.idle.jobs_s),
        median(runs, lambda run: run.idle.valkey_s),
    )
    yield (
        f"while nobody watches jobs takes {jobs:.1%} and Valkey {valkey:.1%} of a core;"
        f" load average {median(runs, lambda run: run.load):.1f}"
    )


def _percentiles_ms(found: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Return the median and the 99th percentile, of each run, in the median of the runs."""
    halves, mosts = (
        sorted(percentile(one, share) for one in found)[len(found) // 2] / 1000
        for share in (0.5, 0.99)
    )
    return halves, mosts
