"""`musicgen export`: a track as a file with its tags."""

from __future__ import annotations

import click

from musicgen.cli.jsonable import job_to_json
from musicgen.cli.output import print_json
from musicgen.cli.saving_options import Output, output_options
from musicgen.cli.shell import Shell, priority_option, run_async, studio_options
from musicgen.cli.work import working


@click.command(
    epilog="""\b
Examples:
  musicgen export 4k2j9x -o "Rainy Night.mp3"
  musicgen export 4k2j9x --format wav -o - | aplay
""",
)
@click.argument("track_id", metavar="TRACK")
@output_options
@priority_option
@studio_options
@click.pass_obj
def export(shell: Shell, track_id: str, output: Output) -> None:
    """Save a track with its tags, in any of the formats. Without -o the file gets the
    track's title as its name."""
    run_async(_export(shell, track_id, output))


async def _export(shell: Shell, track_id: str, output: Output) -> None:

    output.check(as_json=shell.json)
    async with working(shell) as worker:
        job, saved = await worker.save(track_id, output.path, output.format, overwrite=output.force)
    if shell.json:
        print_json({"job": job_to_json(job), "output": saved})
    elif output.path != "-":
        print(saved["path"])
