"""`musicgen watch`: jobs, live."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli.display import bar_of
from musicgen.cli.exits import Exit
from musicgen.cli.jobs import age, describe, share_of
from musicgen.cli.jsonable import job_state, job_to_json
from musicgen.cli.output import STYLES, console, print_json, printable
from musicgen.cli.shell import Shell, run_async, studio_options
from musicgen.client.view import TERMINAL_STATES, Kind
from musicgen.client.watch import Update
from musicgen.errors import JobNotFound

FIRST_CONTACT_S = 3.0
"""How long the studio may be out of reach at the start; later it may for ever."""

MOST_SHOWN = 20
"""Jobs that a live table holds: those under way first, then the newest."""


@click.command(
    epilog="""\b
Examples:
  musicgen watch
  musicgen watch 4k2j9x
  musicgen watch --json | jq -c '[.type, .job.job_id, .job.state, .job.progress.fraction]'

With JOBs it ends when all of them have ended: 0 if all succeeded, 1 if any did not,
3 if one is not there. Without, it goes on until Ctrl-C. It survives restarts of the studio.
""",
)
@click.argument("job_ids", nargs=-1, metavar="[JOB]...")
@studio_options
@click.pass_obj
def watch(shell: Shell, job_ids: tuple[str, ...]) -> int:
    """Follow all jobs, or the JOBs named, as they change. With --json: a line an event."""
    return run_async(_watch(shell, job_ids))


async def _watch(shell: Shell, job_ids: tuple[str, ...]) -> int:

    async with shell.studio() as studio, contextlib.aclosing(studio.watch(job_ids)) as updates:
        if shell.json:
            jobs = await _follow(updates, job_ids, _print_events)
        elif sys.stdout.isatty():
            with LiveTable() as table:
                jobs = await _follow(updates, job_ids, table.show)
        else:
            jobs = await _follow(updates, job_ids, _print_lines)
    succeeded = all(job.state == type(job).STATE_SUCCEEDED for job in jobs)
    return Exit.OK if succeeded else Exit.FAILED


async def _follow(
    updates: AsyncIterator[Update], job_ids: tuple[str, ...], show: Callable[[Update], None]
) -> list[job_pb2.Job]:
    """Show updates until all of `job_ids` have ended; return them as they ended."""
    ended: dict[str, job_pb2.Job] = {}
    begun_s = time.monotonic()
    async for update in updates:
        if update.disconnected and not update.view.synced:
            if time.monotonic() - begun_s > FIRST_CONTACT_S:
                raise update.disconnected
            continue
        show(update)
        for change in update.changes:
            if change.kind is not Kind.DELETED and change.job.state in TERMINAL_STATES:
                ended[change.job.job_id] = change.job
        if not job_ids or not update.view.synced:
            continue
        known = {**update.view.jobs, **ended}
        for job_id in job_ids:
            if job_id not in known:
                raise JobNotFound(f"There is no job {job_id}.")
        if all(job_id in ended for job_id in job_ids):
            break
    return [ended[job_id] for job_id in job_ids]


def _print_events(update: Update) -> None:

    if update.disconnected:
        error = update.disconnected
        print_json({"type": "disconnected", "reason": error.reason, "message": error.message})
        return
    if update.synced:
        jobs = [job_to_json(job) for job in update.view.jobs.values()]
        print_json({"type": "snapshot", "jobs": jobs})
        return
    for change in update.changes:
        print_json({"type": change.kind.value, "job": job_to_json(change.job)})


def _print_lines(update: Update) -> None:
    """Print a line for each new state; a log needs no progress."""
    for change in update.changes:
        if change.kind in (Kind.CHANGED, Kind.DELETED):
            state = "deleted" if change.kind is Kind.DELETED else job_state(change.job)
            print(f"{change.job.job_id}\t{state}\t{printable(describe(change.job))}", flush=True)


class LiveTable:
    """The watched jobs on the terminal, redrawn in place."""

    def __init__(self) -> None:

        self._live = Live(console=console(), auto_refresh=False)

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, update: Update) -> None:
        """Draw the jobs as they now are."""
        lines: list[Any] = [_table(list(update.view.jobs.values()))]
        if update.disconnected:
            lines.append(Text(f"{update.disconnected.message} Reconnecting …", "yellow"))
        self._live.update(Group(*lines), refresh=True)


def _table(jobs: list[job_pb2.Job]) -> Any:

    def urgency(job: job_pb2.Job) -> tuple[bool, int]:
        return job.state in TERMINAL_STATES, -job.create_time.ToNanoseconds()

    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    for heading in ("JOB", "STATE", "AGE", "DONE"):
        table.add_column(heading, no_wrap=True)
    table.add_column("NOW", no_wrap=True, overflow="ellipsis", max_width=32)
    table.add_column("LEFT", no_wrap=True)
    table.add_column("WHAT", no_wrap=True, overflow="ellipsis", ratio=1)
    for job in sorted(jobs, key=urgency)[:MOST_SHOWN]:
        bar, state = bar_of(job), job_state(job)
        table.add_row(
            job.job_id,
            Text(state, STYLES.get(state, "")),
            age(job),
            share_of(job),
            Text(printable(bar["stage"] if state == "running" else ""), "cyan"),
            Text(bar["eta"].removesuffix(" left"), "dim"),
            Text(printable(describe(job))),
        )
    if len(jobs) > MOST_SHOWN:
        table.add_row(f"and {len(jobs) - MOST_SHOWN} more")
    return table
