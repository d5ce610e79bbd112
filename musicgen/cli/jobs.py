"""`musicgen jobs`: what was asked for and how it went."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli.jsonable import job_state, job_to_json
from musicgen.cli.output import print_facts, print_json, print_table
from musicgen.cli.shell import Shell, studio_options
from musicgen.client.studio import Studio

STATES = ("queued", "running", "cancelling", "succeeded", "failed", "cancelled")


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  musicgen jobs
  musicgen jobs --state failed --json | jq -r '.jobs[].error.reason'
  musicgen jobs show 4k2j9x
  musicgen jobs cancel 4k2j9x
""",
)
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@studio_options
@click.pass_context
def jobs(ctx: click.Context, states: tuple[str, ...], limit: int) -> None:
    """List the jobs, newest first; or show, cancel, retry or delete one."""
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
        empty="There are no jobs yet: `musicgen generate` makes one.",
    )


@jobs.command()
@click.argument("job_id", metavar="JOB")
@studio_options
@click.pass_obj
def show(shell: Shell, job_id: str) -> None:
    """Show one job."""
    _print(shell, shell.ask(lambda studio: studio.get_job(job_id)))


@jobs.command()
@click.argument("job_id", metavar="JOB")
@studio_options
@click.pass_obj
def cancel(shell: Shell, job_id: str) -> None:
    """Ask a job to stop."""
    _print(shell, shell.ask(lambda studio: studio.cancel_job(job_id)))


@jobs.command()
@click.argument("job_id", metavar="JOB")
@studio_options
@click.pass_obj
def retry(shell: Shell, job_id: str) -> None:
    """Do the work of a failed or cancelled job again, as a new job."""
    _print(shell, shell.ask(lambda studio: studio.retry_job(job_id)))


@jobs.command()
@click.argument("job_id", metavar="JOB")
@studio_options
@click.pass_obj
def delete(shell: Shell, job_id: str) -> None:
    """Delete the record of an ended job; its tracks stay."""
    shell.ask(lambda studio: studio.delete_job(job_id))
    if shell.json:
        print_json({"deleted": job_id})


def _print(shell: Shell, job: job_pb2.Job) -> None:

    described = job_to_json(job)
    if shell.json:
        print_json({"job": described})
        return
    progress, error = described["progress"], described["error"] or {}
    facts: dict[str, Any] = {
        "job": job.job_id,
        "state": described["state"],
        "kind": described["kind"],
        "what": describe(job),
        "progress": f"{progress['fraction']:.0%} {progress['stage']}" if progress else "",
        "attempt": f"{job.attempt} of {job.max_attempts}" if job.attempt else "",
        "tracks": ", ".join(job.result.track_ids),
        "files": ", ".join(download.file_name for download in job.result.downloads),
        "error": error.get("message"),
        "remedy": error.get("remedy"),
        "reason": error.get("reason"),
        "created": described["create_time"],
        "started": described["start_time"],
        "ended": described["end_time"],
        "retry of": job.retry_of,
    }
    print_facts((name, str(value or "")) for name, value in facts.items())


def describe(job: job_pb2.Job) -> str:
    """Say in a few words what a job is to do."""
    spec, said = job.spec, ""
    match spec.WhichOneof("kind"):
        case "generate":
            said = spec.generate.parameters.prompt
            if spec.generate.HasField("edit"):
                count = len(spec.generate.edit.regenerate)
                parts = "a part" if count == 1 else f"{count} parts"
                said = f"{parts} of {_name_of(spec.generate.edit.source)} anew: {said}"
        case "loop":
            extent = (
                f"{spec.loop.cycles} times"
                if spec.loop.cycles
                else f"for {spec.loop.length_seconds:g} s"
            )
            said = f"{_name_of(spec.loop.source)} {extent}"
        case "find_loops":
            said = f"loops of {_name_of(spec.find_loops.source)}"
        case "export":
            said = spec.export.track_id
        case "install_model":
            said = spec.install_model.model
        case "verify_model":
            said = spec.verify_model.model
        case "setup_engine":
            said = spec.setup_engine.engine
    return said


def _name_of(source: audio_pb2.AudioRef) -> str:
    which = source.WhichOneof("source")
    return getattr(source, which) if which else ""


def share_of(job: job_pb2.Job) -> str:
    """Return the share that is done, if it was measured or is known."""
    if job.state == job.STATE_SUCCEEDED:
        return "100%"
    return f"{job.progress.fraction:.0%}" if job.HasField("progress") else ""


def age(job: job_pb2.Job) -> str:
    """Return how long ago a job was accepted."""
    if not job.HasField("create_time"):
        return ""
    since = datetime.now(UTC) - job.create_time.ToDatetime(UTC)
    seconds = max(0, int(since.total_seconds()))
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length_s:
            return f"{seconds // length_s}{unit}"
    return f"{seconds}s"
