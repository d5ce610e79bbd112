"""`musicgen generate`: a track from words."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import click

from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli import making
from musicgen.cli.saving_options import Output, numbered, output_options
from musicgen.cli.shell import Shell, priority_option, run_async, studio_options
from musicgen.cli.style_options import Style, style_options
from musicgen.cli.values import Length, parse_options
from musicgen.cli.work import Worker
from musicgen.client import specs

MOST_CANDIDATES = 8


@click.command(
    epilog="""\b
Examples:
  musicgen generate "warm lofi hip hop, 82 bpm, rainy night" --duration 60 -o out.flac
  musicgen generate "solo piano, slow" --duration 2m --seed 7 -o piano.mp3
  musicgen generate "synthwave" --option tempo_bpm=100 --detach
  musicgen generate "calm rain" --duration 30 -o - | ffplay -autoexit -
  musicgen generate "soul, slow" --engine diffrhythm --lyrics-file words.lrc --duration 95
  musicgen generate "soul" --engine diffrhythm --style-file like-this.mp3 --option steps=16
  musicgen generate "soul" --engine diffrhythm --candidates 4 --seed 1 -o take.flac
  musicgen generate --plan plan.json -o again.flac
  musicgen tracks show 4k2j9x --json | jq .track.recipe.decisions.plan > plan.json

Without -o the track stays in the studio's library. Ctrl-C cancels the job;
a second Ctrl-C leaves at once. `musicgen engines` tells which options an engine has, such as
--option model=NAME.
With --candidates 4, -o take.flac saves take-1.flac to take-4.flac, of the seeds 1 to 4.
""",
)
@click.argument("prompt", required=False)
@click.option(
    "--duration",
    "duration_s",
    type=Length(),
    help="Seconds, or 90m, 1h30m, 2:30. Default: the engine's.",
)
@click.option("--seed", type=click.IntRange(0, (1 << 32) - 1), help="Same seed, same music.")
@click.option("--engine", default="", help="Default: composer; `musicgen engines` lists them.")
@click.option(
    "--lyrics-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Text to sing, in UTF-8; - is stdin.",
)
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="One of the engine's own."
)
@click.option(
    "--plan",
    "plan_file",
    metavar="FILE",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A plan of the composer as JSON, edited or not; it decides, the length too. PROMPT "
    "and --seed are the plan's unless they are given. - is stdin.",
)
@click.option(
    "--candidates",
    type=click.IntRange(1, MOST_CANDIDATES),
    default=1,
    show_default=True,
    help="Make so many to choose from, each with the next seed.",
)
@click.option("--detach", is_flag=True, help="Print the job's id and leave it running.")
@style_options
@output_options
@priority_option
@studio_options
@click.pass_obj
def generate(
    shell: Shell,
    *,
    prompt: str | None,
    duration_s: float | None,
    seed: int | None,
    engine: str,
    lyrics_file: Path | None,
    options: tuple[str, ...],
    plan_file: Path | None,
    candidates: int,
    detach: bool,
    style: Style,
    output: Output,
) -> None:
    """Make a track from PROMPT, a description of the music, or from a plan."""
    parsed: dict[str, Any] = parse_options(options)
    if plan_file:
        if "plan" in parsed:
            raise click.UsageError("--plan and --option plan=… say the same.")
        if duration_s is not None:
            raise click.UsageError(
                "--duration and --plan contradict: the plan decides the length. Leave out "
                "--duration, or change the bars of the plan's sections."
            )
        told = making.read_plan(plan_file)
        parsed["plan"] = told.plan
        prompt = told.prompt if prompt is None else prompt
        seed = told.seed if seed is None else seed
        duration_s = told.duration_s
    elif prompt is None:
        raise click.UsageError("Missing argument 'PROMPT'.")
    spec = specs.generate(
        prompt,
        duration_s=duration_s,
        seed=seed,
        engine=engine,
        lyrics=making.read_lyrics(lyrics_file) if lyrics_file else "",
        options=style.options(parsed),
    )

    async def styled(worker: Worker) -> job_pb2.JobSpec:
        if music := await style.send(worker):
            spec.generate.style_audio.CopyFrom(music)
        return spec

    async def series(worker: Worker) -> list[tuple[str, job_pb2.JobSpec]]:
        return _candidates(await styled(worker), candidates)

    if candidates == 1:
        run_async(making.make(shell, "Generating", styled, output, detach=detach))
        return
    outputs = numbered(output, candidates, "--candidates")
    run_async(making.make_several(shell, "candidates", series, outputs, detach=detach))


def _candidates(spec: job_pb2.JobSpec, count: int) -> list[tuple[str, job_pb2.JobSpec]]:
    """Return the same spec with the seeds that follow each other from its own on, which is
    drawn if there is none."""
    parameters = spec.generate.parameters
    first = parameters.seed if parameters.HasField("seed") else secrets.randbits(32)
    pieces = []
    for index in range(count):
        one = job_pb2.JobSpec()
        one.CopyFrom(spec)
        one.generate.parameters.seed = seed = (first + index) % (1 << 32)
        pieces.append((f"Candidate {index + 1} of {count}, seed {seed}", one))
    return pieces
