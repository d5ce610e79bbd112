"""`musicgen vary`: the same piece, in part made anew."""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path

import click

from musicgen.cli.display import display_for
from musicgen.cli.making import Made, run
from musicgen.cli.output import print_json
from musicgen.cli.saving_options import Output, output_options
from musicgen.cli.shell import Shell, run_async, studio_options
from musicgen.cli.work import Interrupts, Worker
from musicgen.client import plans, specs
from musicgen.errors import InvalidField

MOST = 20


@click.command(
    epilog="""\b
Examples:
  musicgen vary 4k2j9x
  musicgen vary 4k2j9x --layer lead -o "new melody.flac"
  musicgen vary 4k2j9x --layer drums --layer bass --count 3 -o take.mp3
  musicgen vary 4k2j9x --seed 7 --detach

Without --layer all notes are new; plan and sounds stay. The layers are those of the
composer that sound in the piece: drums, bass, chords, pad, arp, lead (the melody), harmony,
texture, room, sound.
With --count 3, -o take.mp3 saves take-1.mp3, take-2.mp3 and take-3.mp3.
""",
)
@click.argument("track_id", metavar="TRACK")
@click.option("--layer", "layers", multiple=True, help="Make this anew; can be repeated.")
@click.option(
    "--count", type=click.IntRange(1, MOST), default=1, show_default=True, help="How many."
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 32) - 1),
    help="Seed of what is new; the next variation has the next one. Default: drawn.",
)
@click.option("--detach", is_flag=True, help="Print the jobs' ids and leave them running.")
@output_options
@studio_options
@click.pass_obj
def vary(
    shell: Shell,
    *,
    track_id: str,
    layers: tuple[str, ...],
    count: int,
    seed: int | None,
    detach: bool,
    output: Output,
) -> None:
    """Make variations of TRACK, which the composer made: its plan, with some layers anew."""
    outputs = _numbered(output, count)
    for one in outputs:
        one.check(as_json=shell.json)
    run_async(_vary(shell, track_id, layers, seed, outputs, detach=detach))


async def _vary(
    shell: Shell,
    track_id: str,
    wanted: tuple[str, ...],
    seed: int | None,
    outputs: list[Output],
    *,
    detach: bool,
) -> None:
    everything: list[Made] = []
    try:
        async with shell.studio() as studio:
            with Interrupts() as interrupts, display_for(as_json=shell.json) as display:
                worker = Worker(studio, display, interrupts)
                track = await studio.get_track(track_id)
                plan = plans.plan_of(track).plan
                known = plans.layers_of(await studio.list_engines())
                layers = plans.chosen_layers(known, wanted, plan)
                several = len(outputs) > 1
                for index, output in enumerate(outputs):
                    drawn = secrets.randbits(32) if seed is None else (seed + index) % (1 << 32)
                    number = index + 1 if several else None
                    spec = specs.vary(
                        track,
                        dict.fromkeys(layers, drawn),
                        title=plans.variation_title(track.title, layers, number),
                    )
                    label = f"Variation {index + 1} of {len(outputs)}" if several else "Varying"
                    made = await run(
                        worker, display, label, spec, output, detach=detach, everything=everything
                    )
                    if not shell.json:
                        made.tell()
    finally:
        # What was made before something failed is not lost.
        if shell.json and everything:
            print_json({"variations": [made.to_json() for made in everything]})


def _numbered(output: Output, count: int) -> list[Output]:
    """Return where each variation goes. Raises InvalidField if one place can't hold all."""
    if count == 1 or output.path is None:
        return [output] * count
    if output.path == "-":
        raise InvalidField(
            "stdout can carry only one variation.",
            remedy="Leave out --count, or give -o a file name.",
        )
    path = Path(output.path)
    return [
        dataclasses.replace(output, path=str(path.with_stem(f"{path.stem}-{number}")))
        for number in range(1, count + 1)
    ]
