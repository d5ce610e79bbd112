"""`musicgen queue`: what waits, in which order, and whether it may start."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from musicgen.api.jobs.v1 import job_pb2, queue_pb2, queue_service_pb2
from musicgen.cli.job_facts import age, describe
from musicgen.cli.jsonable import job_priority, job_to_json, queue_to_json
from musicgen.cli.output import ago, print_json, print_table, say
from musicgen.cli.queue_order import order, places, seconds_until
from musicgen.cli.shell import Shell, studio_options
from musicgen.client.queueing import ALL_QUEUES
from musicgen.client.studio import Studio

LIMIT = 20

Listed = (
    queue_service_pb2.ListQueuesResponse
    | queue_service_pb2.PauseQueueResponse
    | queue_service_pb2.ResumeQueueResponse
)
"""How the queues are; the contract says it three times in the same way."""


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  musicgen queue
  musicgen queue pause                      # running jobs go on, no other starts
  musicgen queue resume
  musicgen queue pause generate.diffrhythm
  musicgen queue --json | jq '.queues[] | select(.paused) | .queue'

A worker takes the most urgent job of its queues; of those, the first in line. `musicgen jobs
move` changes a job's place or priority. A pause lasts until it is lifted, restarts included.
""",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=LIMIT,
    show_default=True,
    help="Waiting jobs to list.",
)
@studio_options
@click.pass_context
def queue(ctx: click.Context, limit: int) -> None:
    """Show the queues, and what waits in the order in which it starts; or pause or resume."""
    if ctx.invoked_subcommand is None:
        _show(ctx.ensure_object(Shell), limit)


@queue.command()
@click.argument("name", metavar="[QUEUE]", default=ALL_QUEUES)
@studio_options
@click.pass_obj
def pause(shell: Shell, name: str) -> None:
    """Let the jobs of QUEUE wait (default: of all), until it is resumed. Those that are
    running go on; new ones are accepted."""
    _tell(shell, shell.ask(lambda studio: studio.pause_queue(name)))


@queue.command()
@click.argument("name", metavar="[QUEUE]", default=ALL_QUEUES)
@studio_options
@click.pass_obj
def resume(shell: Shell, name: str) -> None:
    """Let the jobs of QUEUE start again (default: of all, but for those queues that were
    paused by their own names)."""
    _tell(shell, shell.ask(lambda studio: studio.resume_queue(name)))


def _show(shell: Shell, limit: int) -> None:

    async def ask(studio: Studio) -> tuple[Listed, list[job_pb2.Job]]:
        listed = await studio.queues()
        waiting = [job async for job in studio.list_jobs([job_pb2.Job.STATE_QUEUED])]
        return listed, sorted(waiting, key=order)

    listed, waiting = shell.ask(ask)
    place, shown = places(waiting), waiting[:limit]
    if shell.json:
        described = _described(listed)
        jobs = [{**job_to_json(job), "place": place.get(job.job_id)} for job in shown]
        print_json({**described, "waiting": jobs})
        return
    _print(listed)
    if not waiting:
        return
    print()
    print_table(
        ("#", "JOB", "PRIORITY", "AGE", "QUEUE", "WHAT"),
        (
            (
                str(place.get(job.job_id) or f"in {seconds_until(job):.0f} s"),
                job.job_id,
                job_priority(job) or "",
                age(job),
                job.queue,
                describe(job),
            )
            for job in shown
        ),
        stretch=5,
        spare=(3, 4, 2),
        empty="",
    )
    if len(waiting) > limit:
        say(f"and {len(waiting) - limit} more; --limit shows them")


def _tell(shell: Shell, listed: Listed) -> None:
    if shell.json:
        print_json(_described(listed))
    else:
        _print(listed)


def _described(listed: Listed) -> dict[str, object]:
    return {
        "queues": [queue_to_json(queue) for queue in listed.queues],
        "all_paused": listed.all_paused,
    }


def _print(listed: Listed) -> None:
    print_table(
        ("QUEUE", "STATE", "WAITING", "DELAYED", "RUNNING", "OLDEST"),
        map(_row, listed.queues),
        stretch=0,
        spare=(5, 3),
        empty="There are no queues: nothing was ever asked for, and no worker is there.",
    )
    if listed.all_paused and sys.stdout.isatty():
        say("All queues are paused: `musicgen queue resume` lets their jobs start again.")


def _row(queue: queue_pb2.Queue) -> Sequence[str]:
    oldest = queue.oldest_wait.ToSeconds() if queue.HasField("oldest_wait") else None
    return (
        queue.queue,
        "paused" if queue.paused else "open",
        str(queue.waiting),
        str(queue.delayed),
        str(queue.running),
        "" if oldest is None else ago(oldest),
    )
