"""`musicgen jobs`: what was asked for and how it went."""

from __future__ import annotations

from dataclasses import dataclass

import click

from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli.each import ask_each
from musicgen.cli.job_facts import age, describe, print_job, share_of, told_counts
from musicgen.cli.jsonable import STATES, batch_to_json, job_state, job_to_json
from musicgen.cli.output import print_json, print_table
from musicgen.cli.queue_order import place_of
from musicgen.cli.shell import PRIORITIES, Shell, studio_options
from musicgen.client.studio import Studio


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  musicgen jobs
  musicgen jobs --state failed --json | jq -r '.jobs[].error.reason'
  musicgen jobs show 4k2j9x
  musicgen jobs cancel 4k2j9x 7m3n8y
  musicgen jobs cancel --batch 9p5q2r
  musicgen jobs move 4k2j9x --first
""",
)
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@studio_options
@click.pass_context
def jobs(ctx: click.Context, states: tuple[str, ...], limit: int) -> None:
    """List the jobs, newest first; or show, move, cancel, retry or delete one."""
    if ctx.invoked_subcommand is None:
        _list(ctx.ensure_object(Shell), states, limit)


def _list(shell: Shell, states: tuple[str, ...], limit: int) -> None:

    async def first(studio: Studio) -> list[job_pb2.Job]:
        found: list[job_pb2.Job] = []
        wanted = [job_pb2.Job.State.Value(f"STATE_{state.upper()}") for state in states]
        async for job in studio.list_jobs(wanted):
            found.append(job)
            if len(found) == limit:
                break
        return found

    found = shell.ask(first)
    if shell.json:
        print_json({"jobs": [job_to_json(job) for job in found]})
        return
    print_table(
        ("JOB", "STATE", "DONE", "AGE", "KIND", "WHAT"),
        (
            (
                job.job_id,
                job_state(job),
                share_of(job),
                age(job),
                job.spec.WhichOneof("kind") or "",
                describe(job),
            )
            for job in found
        ),
        stretch=5,
        spare=(4, 3, 2),
        empty="There are no jobs yet: `musicgen generate` makes one.",
    )


@jobs.command()
@click.argument("job_id", metavar="JOB")
@studio_options
@click.pass_obj
def show(shell: Shell, job_id: str) -> None:
    """Show one job: its place in the queue while it waits, and every attempt that failed."""

    async def found(studio: Studio) -> Placed:
        return await _placed(studio, await studio.get_job(job_id))

    _print(shell, shell.ask(found))


@jobs.command(
    epilog="""\b
Examples:
  musicgen jobs cancel 4k2j9x
  musicgen jobs cancel 4k2j9x 7m3n8y
  musicgen jobs cancel --batch 9p5q2r
"""
)
@click.argument("job_ids", nargs=-1, metavar="[JOB]...")
@click.option("--batch", "batch_ids", multiple=True, metavar="BATCH", help="All of this batch.")
@studio_options
@click.pass_obj
def cancel(shell: Shell, job_ids: tuple[str, ...], batch_ids: tuple[str, ...]) -> None:
    """Ask jobs to stop: a waiting one does at once, a running one within about a second."""
    if not job_ids and not batch_ids:
        raise click.UsageError("Say what to stop: a JOB, or --batch BATCH.")
    with ask_each(shell) as asked:
        stopped = asked.of(job_ids, lambda studio, job_id: studio.cancel_job(job_id))
        batches = asked.of(batch_ids, lambda studio, batch_id: studio.cancel_batch(batch_id))
        if len(job_ids) == 1 and not batch_ids:
            for job in stopped:
                _print(shell, Placed(job))
        elif shell.json:
            print_json(
                {
                    "jobs": [job_to_json(job) for job in stopped],
                    "batches": [batch_to_json(batch) for batch in batches],
                }
            )
        else:
            for job in stopped:
                print(f"{job.job_id}\t{job_state(job)}")
            for batch in batches:
                print(f"{batch.batch_id}\t{told_counts(batch.counts)}")


@jobs.command(
    epilog="""\b
Examples:
  musicgen jobs move 4k2j9x --first
  musicgen jobs move 4k2j9x --before 7m3n8y
  musicgen jobs move 4k2j9x --priority low

The more urgent come first, whatever their places; --first is that of the job's own priority.
With --priority alone it goes to the end of those.
"""
)
@click.argument("job_id", metavar="JOB")
@click.option("--first", is_flag=True, help="To the start.")
@click.option("--last", is_flag=True, help="To the end.")
@click.option("--before", default="", metavar="JOB", help="Right before this one.")
@click.option("--after", default="", metavar="JOB", help="Right after this one.")
@click.option("--priority", type=click.Choice(PRIORITIES), help="How urgent it is from now on.")
@studio_options
@click.pass_obj
def move(
    shell: Shell,
    *,
    job_id: str,
    first: bool,
    last: bool,
    before: str,
    after: str,
    priority: str | None,
) -> None:
    """Move JOB, which waits, to another place in its queue, or make it more or less urgent."""
    given = sum(map(bool, (first, last, before, after)))
    if given > 1 or not (given or priority):
        raise click.UsageError(
            "Say where to: one of --first, --last, --before JOB and --after JOB, or --priority."
        )

    async def moved(studio: Studio) -> Placed:
        job = await studio.move_job(
            job_id, priority=priority or "", before=before, after=after, first=first, last=last
        )
        return await _placed(studio, job)

    _print(shell, shell.ask(moved))


@jobs.command()
@click.argument("job_id", metavar="JOB")
@studio_options
@click.pass_obj
def retry(shell: Shell, job_id: str) -> None:
    """Do the work of a failed or cancelled job again, as a new job."""
    _print(shell, Placed(shell.ask(lambda studio: studio.retry_job(job_id))))


@jobs.command()
@click.argument("job_id", metavar="JOB")
@studio_options
@click.pass_obj
def delete(shell: Shell, job_id: str) -> None:
    """Delete the record of an ended job; its tracks stay."""
    shell.ask(lambda studio: studio.delete_job(job_id))
    if shell.json:
        print_json({"deleted": job_id})


@dataclass(frozen=True, slots=True)
class Placed:
    """A job, and its place in its queue if that was asked for."""

    job: job_pb2.Job
    place: int | None = None
    paused: bool = False


async def _placed(studio: Studio, job: job_pb2.Job) -> Placed:
    return Placed(job, *await place_of(studio, job))


def _print(shell: Shell, found: Placed) -> None:
    if shell.json:
        print_json({"job": job_to_json(found.job), "place": found.place})
    else:
        print_job(found.job, found.place, paused=found.paused)
