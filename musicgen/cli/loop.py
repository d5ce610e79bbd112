"""`musicgen loop`: a piece of audio, repeated without a seam."""

from __future__ import annotations

from pathlib import Path

import click

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli import making
from musicgen.cli.exits import FileNotFound
from musicgen.cli.saving_options import Output, output_options
from musicgen.cli.shell import Shell, run_async, studio_options
from musicgen.cli.values import Length, Points
from musicgen.cli.work import Worker
from musicgen.client import specs
from musicgen.client.specs import checked_text


@click.command(
    epilog="""\b
Examples:
  musicgen loop out.flac --length 1h -o hour.flac
  musicgen loop 4k2j9x --length 2:30:00 -o evening.mp3
  musicgen loop take.wav --length 90m --points 44100:441000 -o loop.wav
""",
)
@click.argument("source")
@click.option(
    "--length",
    "length_s",
    type=Length(),
    required=True,
    help="One minute to ten hours: seconds, or 90m, 1h30m, 2:30:00.",
)
@click.option(
    "--points",
    type=Points(),
    metavar="START:END",
    help="The cycle, in frames: first, and first after it. Default: the best that is found.",
)
@click.option("--crossfade-ms", type=float, help="Crossfade at the seam, 0 to 500. Default: 30.")
@click.option("--detach", is_flag=True, help="Print the job's id and leave it running.")
@output_options
@studio_options
@click.pass_obj
def loop(
    shell: Shell,
    *,
    source: str,
    length_s: float,
    points: tuple[int, int] | None,
    crossfade_ms: float | None,
    detach: bool,
    output: Output,
) -> None:
    """Repeat SOURCE to a length, without an audible seam. SOURCE is a local audio file,
    which is sent to the studio, or the id of a track."""
    file = Path(source) if Path(source).is_file() else None
    if file is None and not source.isalnum():  # no id of a track looks like that
        raise FileNotFound(f"There is no file {source!r}.")

    async def spec(worker: Worker) -> job_pb2.JobSpec:
        if file:
            audio = await worker.upload(file)
        else:
            audio = audio_pb2.AudioRef(track_id=checked_text("source", source))
        return specs.loop(audio, length_s, points=points, crossfade_ms=crossfade_ms)

    run_async(making.make(shell, "Looping", spec, output, detach=detach))
