"""`musicgen loop`: a piece of audio, repeated without a seam."""

from __future__ import annotations

from datetime import datetime, time

import click

from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli import making
from musicgen.cli.loop_values import TimeOfDay, length_until
from musicgen.cli.saving_options import Output, output_options
from musicgen.cli.shell import Shell, priority_option, run_async, studio_options
from musicgen.cli.source import Source
from musicgen.cli.values import Length, Points
from musicgen.cli.work import Worker
from musicgen.client import specs
from musicgen.loop_limits import MAX_CYCLES

_ENDINGS = ("cut", "fade", "outro")


@click.command(
    epilog="""\b
Examples:
  musicgen loop out.flac --length 1h -o hour.flac
  musicgen loop 4k2j9x --length 2:30:00 -o evening.mp3
  musicgen loop 4k2j9x --until 07:00 --fade 30 -o night.opus
  musicgen loop 4k2j9x --cycles 3 --ending outro -o longer.flac
  musicgen loop take.wav --length 90m --points 44100:441000 --snap -o loop.wav

\b
`musicgen loops SOURCE` lists the cycles that can be found, for --points.
All formats but OGG take seconds for hours of music: the cycle is encoded once.
""",
)
@click.argument("source")
@click.option(
    "--length",
    "length_s",
    type=Length(),
    help="One minute to ten hours: seconds, or 90m, 1h30m, 2:30:00.",
)
@click.option(
    "--until",
    type=TimeOfDay(),
    metavar="HH:MM",
    help="Until the clock here next shows this, counted from when it is asked for.",
)
@click.option(
    "--cycles",
    type=click.IntRange(1, MAX_CYCLES),
    help="Play the cycle so often; ten hours in all at most.",
)
@click.option(
    "--points",
    type=Points(),
    metavar="START:END",
    help="The cycle, in frames: first, and first after it. Default: the track's own, else the "
    "best that is found.",
)
@click.option("--snap", is_flag=True, help="Move the end of --points, by 50 ms at most, to fit.")
@click.option(
    "--fold-tail",
    is_flag=True,
    help="Add what rings on after --points to their start, where `loops` says so.",
)
@click.option(
    "--crossfade-ms",
    type=float,
    help="Crossfade at the seam, 0 to 500. Default: the shortest that measures clean.",
)
@click.option("--skip-intro", is_flag=True, help="Begin with the cycle.")
@click.option(
    "--ending",
    type=click.Choice(_ENDINGS),
    help="Stop where the length is reached, fade out, or end as the source does. Default: cut.",
)
@click.option(
    "--fade", "fade_s", type=float, metavar="SECONDS", help="Fade out so long, 0.01 to 60."
)
@click.option("--detach", is_flag=True, help="Print the job's id and leave it running.")
@output_options
@priority_option
@studio_options
@click.pass_obj
def loop(
    shell: Shell,
    *,
    source: str,
    length_s: float | None,
    until: time | None,
    cycles: int | None,
    points: tuple[int, int] | None,
    snap: bool,
    fold_tail: bool,
    crossfade_ms: float | None,
    skip_intro: bool,
    ending: str | None,
    fade_s: float | None,
    detach: bool,
    output: Output,
) -> None:
    """Repeat SOURCE without an audible seam: to a length, until a time of day, or for a
    number of cycles. SOURCE is a local audio file, which is sent to the studio, or the id of
    a track."""
    if sum(extent is not None for extent in (length_s, until, cycles)) != 1:
        raise click.UsageError("Say how long: one of --length, --until and --cycles.")
    if snap and points is None:
        raise click.UsageError("--snap moves --points; without them the best cycle is found.")
    if fold_tail and points is None:
        raise click.UsageError(
            "--fold-tail goes with --points; without them it is done if need be."
        )
    if fold_tail and crossfade_ms is not None:
        raise click.UsageError("--fold-tail does not go with --crossfade-ms.")
    if fade_s is not None and ending not in (None, "fade"):
        raise click.UsageError(f"--fade does not go with --ending {ending}.")
    if until:
        length_until(until, datetime.now())  # refused before anything is sent
    what = Source(source)

    async def spec(worker: Worker) -> job_pb2.JobSpec:
        audio = await what.send(worker)
        return specs.loop(
            audio,
            # A file may have taken a while to send.
            length_until(until, datetime.now()) if until else length_s,
            cycles=cycles,
            points=points,
            snap_points=snap,
            fold_tail=fold_tail,
            crossfade_ms=crossfade_ms,
            skip_intro=skip_intro,
            ending="fade" if fade_s is not None else ending or "",
            fade_s=fade_s,
            format=output.format,
        )

    run_async(making.make(shell, "Looping", spec, output, detach=detach))
