"""`musicgen generate`: a track from words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from musicgen.cli import making
from musicgen.cli.saving_options import Output, output_options
from musicgen.cli.shell import Shell, run_async, studio_options
from musicgen.cli.values import Length, parse_options
from musicgen.client import specs


@click.command(
    epilog="""\b
Examples:
  musicgen generate "warm lofi hip hop, 82 bpm, rainy night" --duration 60 -o out.flac
  musicgen generate "solo piano, slow" --duration 2m --seed 7 -o piano.mp3
  musicgen generate "synthwave" --option tempo_bpm=100 --detach
  musicgen generate "calm rain" --duration 30 -o - | ffplay -autoexit -
  musicgen generate --plan plan.json -o again.flac
  musicgen tracks show 4k2j9x --json | jq .track.recipe.decisions.plan > plan.json

Without -o the track stays in the studio's library. Ctrl-C cancels the job;
a second Ctrl-C leaves at once.
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
@click.option("--detach", is_flag=True, help="Print the job's id and leave it running.")
@output_options
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
    detach: bool,
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
        options=parsed,
    )
    run_async(making.make(shell, "Generating", spec, output, detach=detach))
