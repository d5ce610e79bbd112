"""Watched jobs on the terminal."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli.display import bar_of
from musicgen.cli.job_facts import age, describe, share_of
from musicgen.cli.jsonable import job_state
from musicgen.cli.output import STYLES, console, printable
from musicgen.cli.queue_order import order, places, seconds_until, told_place
from musicgen.client.queueing import ALL_QUEUES
from musicgen.client.view import TERMINAL_STATES
from musicgen.client.watch import Update

MOST_SHOWN = 20
"""Jobs that the table holds: what runs, what waits in the order in which it starts, then what
ended, the newest first."""


_COLUMNS = {"JOB": 0, "STATE": 0, "AGE": 76, "DONE": 0, "NOW": 0, "LEFT": 76, "WHAT": 60}
"""The columns, and how wide a terminal must be for each."""


class LiveTable:
    """The watched jobs, redrawn in place."""

    def __init__(self, *, all_jobs: bool = True) -> None:
        """`all_jobs` says that every job is watched, so that places in the queues are known."""
        self._all_jobs = all_jobs
        self._live = Live(console=console(), auto_refresh=False)

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, update: Update) -> None:
        """Draw the jobs as they now are."""
        jobs = list(update.view.jobs.values())
        place = places(jobs) if self._all_jobs else {}
        lines: list[Any] = [_table(jobs, place, self._live.console.width)]
        lines += [Text(text, "yellow") for text in _banners(update.view.paused_queues)]
        if update.disconnected:
            lines.append(Text(f"{update.disconnected.message} Reconnecting …", "yellow"))
        self._live.update(Group(*lines), refresh=True)


def _banners(paused: Collection[str]) -> list[str]:
    if ALL_QUEUES in paused:
        return ["All queues are paused: `musicgen queue resume`."]
    return [f"{queue} is paused: `musicgen queue resume {queue}`." for queue in sorted(paused)]


def _position(job: job_pb2.Job) -> tuple[int, Any]:
    if job.state in TERMINAL_STATES:
        return 2, -job.create_time.ToNanoseconds()
    if job.state == job_pb2.Job.STATE_QUEUED:
        return 1, order(job)
    return 0, job.start_time.ToNanoseconds()


def _now(job: job_pb2.Job, place: int | None) -> str:
    if job.state == job_pb2.Job.STATE_RUNNING:
        return str(bar_of(job)["stage"])
    if seconds_until(job):
        when = job.not_before_time.ToDatetime(UTC).astimezone()
        return f"again at {when:%H:%M:%S} ({job.attempt + 1} of {job.max_attempts})"
    return told_place(place).removesuffix(" in line") if place else ""


def _table(jobs: list[job_pb2.Job], place: dict[str, int], width: int) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    shown = [heading for heading, at_least in _COLUMNS.items() if width >= at_least]
    for heading in shown:
        ratio = 1 if heading in ("NOW", "WHAT") else None
        # An id that is cut off is of no use.
        least = max((len(job.job_id) for job in jobs), default=0) if heading == "JOB" else None
        table.add_column(heading, no_wrap=True, overflow="ellipsis", ratio=ratio, min_width=least)
    for job in sorted(jobs, key=_position)[:MOST_SHOWN]:
        bar, state = bar_of(job), job_state(job)
        cells = {
            "JOB": Text(job.job_id),
            "STATE": Text(state, STYLES.get(state, "")),
            "AGE": Text(age(job)),
            "DONE": Text(share_of(job)),
            "NOW": Text(
                printable(_now(job, place.get(job.job_id))), "cyan" if state == "running" else ""
            ),
            "LEFT": Text(bar["eta"].removesuffix(" left"), "dim"),
            "WHAT": Text(printable(describe(job))),
        }
        table.add_row(*(cells[heading] for heading in shown))
    if len(jobs) > MOST_SHOWN:
        table.add_row(f"and {len(jobs) - MOST_SHOWN} more")
    return table
