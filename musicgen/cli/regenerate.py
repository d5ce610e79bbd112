"""`musicgen regenerate`: parts of a track anew, and all else as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli import making
from musicgen.cli.saving_options import Output, output_options
from musicgen.cli.shell import Shell, priority_option, run_async, studio_options
from musicgen.cli.values import Part, parse_options
from musicgen.cli.work import Worker
from musicgen.client import specs


@click.command(
    epilog="""\b
Examples:
  musicgen regenerate 4k2j9x --part 12.5-20
  musicgen regenerate 4k2j9x --part 0-8 --part 1:05-1:20 --part 90- --seed 8 -o better.flac
  musicgen regenerate 4k2j9x --part 40-52 --lyrics-file corrected.lrc --json

What is not given is as in the track's recipe: prompt, lyrics with their times, engine, options.
--prompt also replaces music that the track's style was taken from. The new track knows the one
that it was made from, which stays. Ctrl-C cancels the job; a second Ctrl-C leaves at once.
""",
)
@click.argument("track_id", metavar="TRACK")
@click.option(
    "--part",
    "parts",
    type=Part(),
    multiple=True,
    required=True,
    help="Make this part anew, such as 12.5-20, 1:05-1:20 or 90- (to the end); can be repeated, "
    "in order.",
)
@click.option("--prompt", help="Another description of the music.")
@click.option(
    "--lyrics-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Other words, those of the whole piece, in UTF-8; - is stdin.",
)
@click.option("--engine", default="", help="Default: the one that made the track.")
@click.option(
    "--seed", type=click.IntRange(0, (1 << 32) - 1), help="Same seed, same part. Default: drawn."
)
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="One of the engine's own."
)
@click.option("--detach", is_flag=True, help="Print the job's id and leave it running.")
@output_options
@priority_option
@studio_options
@click.pass_obj
def regenerate(
    shell: Shell,
    *,
    track_id: str,
    parts: tuple[tuple[float, float | None], ...],
    prompt: str | None,
    lyrics_file: Path | None,
    engine: str,
    seed: int | None,
    options: tuple[str, ...],
    detach: bool,
    output: Output,
) -> None:
    """Make parts of TRACK anew, with an engine that can; outside of them and of their seams
    each sample stays as it is."""
    lyrics = making.read_lyrics(lyrics_file) if lyrics_file else None
    given: dict[str, Any] = parse_options(options)

    async def spec(worker: Worker) -> job_pb2.JobSpec:
        return specs.regenerate(
            await worker.studio.get_track(track_id),
            parts,
            prompt=prompt,
            lyrics=lyrics,
            engine=engine,
            seed=seed,
            options=given,
        )

    run_async(making.make(shell, "Regenerating", spec, output, detach=detach))
