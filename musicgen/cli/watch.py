"""`musicgen watch`: jobs, live."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable

import click

from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli.exits import Exit
from musicgen.cli.job_facts import describe
from musicgen.cli.jsonable import job_state, job_to_json
from musicgen.cli.live_table import LiveTable
from musicgen.cli.output import print_json, printable
from musicgen.cli.reader import reader_left, silence_stdout
from musicgen.cli.shell import Shell, run_async, studio_options
from musicgen.client.studio import Studio
from musicgen.client.view import TERMINAL_STATES, Kind
from musicgen.client.watch import Update
from musicgen.errors import JobNotFound

FIRST_CONTACT_S = 3.0
"""How long the studio may be out of reach at the start; later it may for ever."""


@click.command(
    epilog="""\b
Examples:
  musicgen watch
  musicgen watch 4k2j9x
  musicgen watch --batch 9p5q2r
  musicgen watch --until-done && echo all is made
  musicgen watch --json | jq -c '[.type, .job_id, .rev, .job.state, .job.progress.fraction]'

With jobs or batches named it ends when all of those have ended: 0 if all succeeded, 1 if any
did not, 3 if one is not there. --until-done does so with all that are there: then those count
that end meanwhile. Else it goes on until Ctrl-C. It survives restarts of the studio.
""",
)
@click.argument("named", nargs=-1, metavar="[JOB]...")
@click.option("--job", "jobs", multiple=True, metavar="JOB", help="The same as an argument.")
@click.option("--batch", "batches", multiple=True, metavar="BATCH", help="All of this batch.")
@click.option("--until-done", is_flag=True, help="End when no job is left to be done.")
@studio_options
@click.pass_obj
def watch(
    shell: Shell,
    *,
    named: tuple[str, ...],
    jobs: tuple[str, ...],
    batches: tuple[str, ...],
    until_done: bool,
) -> int:
    """Follow all jobs, or the JOBs and batches named, as they change. With --json: a line an
    event."""
    watched = Watched(tuple(dict.fromkeys(named + jobs)), batches, until_done=until_done)
    return run_async(_until_unread(shell, watched))


class Watched:
    """What is watched, how far it is, and when that is enough."""

    def __init__(
        self, job_ids: tuple[str, ...], batch_ids: tuple[str, ...], *, until_done: bool
    ) -> None:
        self.job_ids = job_ids
        self.batch_ids = batch_ids
        self.everything = not job_ids and not batch_ids
        self.ends = until_done or not self.everything
        self._ended: dict[str, job_pb2.Job] = {}
        self._begun = False

    def note(self, update: Update) -> bool:
        """Take note of an update, and say whether it was the last one. Raises JobNotFound."""
        for change in update.changes:
            job = change.job
            # Of all jobs, only those that end from now on are a matter of this watch.
            ends_now = self._begun and change.kind is not Kind.DELETED
            if job.state in TERMINAL_STATES and (ends_now or not self.everything):
                self._ended[job.job_id] = job
        if update.disconnected or not update.view.synced:
            return False
        self._begun = True
        jobs = update.view.jobs
        for job_id in self.job_ids:
            if job_id not in jobs and job_id not in self._ended:
                raise JobNotFound(f"There is no job {job_id}.")
        return self.ends and all(job.state in TERMINAL_STATES for job in jobs.values())

    async def outcome(self, studio: Studio) -> Exit:
        """Say how it ended. A batch remembers jobs whose records are gone."""
        counts = [(await studio.batch(batch_id)).counts for batch_id in self.batch_ids]
        failed = any(count.failed or count.cancelled for count in counts) or any(
            job.state != job_pb2.Job.STATE_SUCCEEDED for job in self._ended.values()
        )
        return Exit.FAILED if failed else Exit.OK


async def _until_unread(shell: Shell, watched: Watched) -> int:
    """Watch to the end, or until nobody reads the output any more: that is an end like any
    other if there is no outcome to wait for."""
    watching = asyncio.ensure_future(_watch(shell, watched))
    unread = asyncio.ensure_future(reader_left())
    try:
        await asyncio.wait({watching, unread}, return_when=asyncio.FIRST_COMPLETED)
        if not watching.done():
            raise BrokenPipeError
        return watching.result()
    except BrokenPipeError:
        silence_stdout()
        return Exit.FAILED if watched.ends else Exit.OK
    finally:
        for task in (watching, unread):
            task.cancel()
        await asyncio.wait({watching, unread})


async def _watch(shell: Shell, watched: Watched) -> int:

    async with shell.studio() as studio:
        for batch_id in watched.batch_ids:
            await studio.batch(batch_id)  # one that isn't there is no empty one
        updates = studio.watch(watched.job_ids, batch_ids=watched.batch_ids)
        async with contextlib.aclosing(updates):
            if shell.json:
                await _follow(updates, watched, Events().show)
            elif sys.stdout.isatty():
                with LiveTable(all_jobs=watched.everything) as table:
                    await _follow(updates, watched, table.show)
            else:
                await _follow(updates, watched, Lines().show)
        return await watched.outcome(studio)


async def _follow(
    updates: AsyncIterator[Update], watched: Watched, show: Callable[[Update], None]
) -> None:
    """Show updates until that is enough."""
    begun_s = time.monotonic()
    async for update in updates:
        if update.disconnected and not update.view.synced:
            if time.monotonic() - begun_s > FIRST_CONTACT_S:
                raise update.disconnected
            continue
        show(update)
        if watched.note(update):
            return


class Events:
    """Prints a JSON object a line for all that happens."""

    def __init__(self) -> None:
        self._away = False

    def show(self, update: Update) -> None:
        """Print it."""
        if update.disconnected:
            error = update.disconnected
            if not self._away:
                print_json(
                    {"type": "disconnected", "reason": error.reason, "message": error.message}
                )
            self._away = True
            return
        if update.reconnected and self._away:
            print_json({"type": "reconnected"})
        self._away = False
        if update.synced:
            jobs = [job_to_json(job) for job in update.view.jobs.values()]
            paused = sorted(update.view.paused_queues)
            print_json({"type": "snapshot", "jobs": jobs, "paused_queues": paused})
            return
        for change in update.changes:
            job = change.job
            print_json(
                {
                    "type": change.kind.value,
                    "job_id": job.job_id,
                    "rev": job.rev,
                    "job": job_to_json(job),
                }
            )
        for each in update.queues:
            print_json({"type": "queue", "queue": each.queue, "paused": each.paused})


class Lines:
    """Prints a line for each new state; a log needs no progress."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}

    def show(self, update: Update) -> None:
        """Print what is new."""
        for change in update.changes:
            job_id = change.job.job_id
            if change.kind is Kind.DELETED:
                self._states.pop(job_id, None)
                self._print("deleted", change.job)
            elif self._states.get(job_id) != (state := job_state(change.job)):
                self._states[job_id] = state
                self._print(state, change.job)

    @staticmethod
    def _print(state: str, job: job_pb2.Job) -> None:
        print(f"{job.job_id}\t{state}\t{printable(describe(job))}", flush=True)
