"""`musicgen batches`: jobs that were accepted together."""

from __future__ import annotations

import click

from musicgen.api.jobs.v1 import batch_pb2, job_pb2
from musicgen.cli.each import ask_each
from musicgen.cli.job_facts import age, describe, share_of, told_counts
from musicgen.cli.jsonable import batch_to_json, job_state, job_to_json
from musicgen.cli.output import print_facts, print_json, print_table
from musicgen.cli.shell import Shell, studio_options
from musicgen.client.studio import Studio

LIMIT = 50


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  musicgen batches
  musicgen batches show 9p5q2r
  musicgen batches show 9p5q2r --json | jq -r '.jobs[].track_ids[]'
  musicgen batches cancel 9p5q2r

`musicgen batch` and `musicgen generate --candidates` make batches; `musicgen watch --batch`
follows one.
""",
)
@studio_options
@click.pass_context
def batches(ctx: click.Context) -> None:
    """List the batches, newest first; or show or cancel one."""
    if ctx.invoked_subcommand is None:
        _list(ctx.ensure_object(Shell), LIMIT)


@batches.command(name="list")
@click.option("--limit", type=click.IntRange(1), default=LIMIT, show_default=True)
@studio_options
@click.pass_obj
def list_batches(shell: Shell, limit: int) -> None:
    """List the batches, newest first."""
    _list(shell, limit)


def _list(shell: Shell, limit: int) -> None:

    async def first(studio: Studio) -> list[batch_pb2.JobBatch]:
        found: list[batch_pb2.JobBatch] = []
        async for batch in studio.batches():
            found.append(batch)
            if len(found) == limit:
                break
        return found

    found = shell.ask(first)
    if shell.json:
        print_json({"batches": [batch_to_json(batch) for batch in found]})
        return
    print_table(
        ("BATCH", "AGE", "JOBS", "STATES"),
        (
            (batch.batch_id, age(batch), str(batch.size), told_counts(batch.counts))
            for batch in found
        ),
        stretch=3,
        spare=(1,),
        empty="There are no batches yet: `musicgen batch FILE` makes one.",
    )


@batches.command()
@click.argument("batch_id", metavar="BATCH")
@studio_options
@click.pass_obj
def show(shell: Shell, batch_id: str) -> None:
    """Show one batch and its jobs."""

    async def ask(studio: Studio) -> tuple[batch_pb2.JobBatch, list[job_pb2.Job]]:
        batch = await studio.batch(batch_id)
        newest_first = [job async for job in studio.list_jobs(batch_ids=[batch_id])]
        return batch, newest_first[::-1]

    batch, jobs = shell.ask(ask)
    described = batch_to_json(batch)
    if shell.json:
        print_json({"batch": described, "jobs": [job_to_json(job) for job in jobs]})
        return
    print_facts(
        (
            ("batch", batch.batch_id),
            ("jobs", str(batch.size)),
            ("states", told_counts(batch.counts)),
            ("created", described["create_time"] or ""),
            ("ended", described["end_time"] or ""),
        )
    )
    print()
    print_table(
        ("JOB", "STATE", "DONE", "WHAT"),
        ((job.job_id, job_state(job), share_of(job), describe(job)) for job in jobs),
        stretch=3,
        spare=(2,),
        empty="The records of its jobs are gone; their tracks are in the library.",
    )


@batches.command()
@click.argument("batch_ids", nargs=-1, required=True, metavar="BATCH...")
@studio_options
@click.pass_obj
def cancel(shell: Shell, batch_ids: tuple[str, ...]) -> None:
    """Ask all jobs of batches that have not ended to stop."""
    with ask_each(shell) as asked:
        stopped = asked.of(batch_ids, lambda studio, batch_id: studio.cancel_batch(batch_id))
        if shell.json:
            print_json({"batches": [batch_to_json(batch) for batch in stopped]})
        else:
            for batch in stopped:
                print(f"{batch.batch_id}\t{told_counts(batch.counts)}")
