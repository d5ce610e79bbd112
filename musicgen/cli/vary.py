"""`musicgen vary`: the same piece, in part made anew."""

from __future__ import annotations

import secrets

import click

from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli import making
from musicgen.cli.saving_options import Output, numbered, output_options
from musicgen.cli.shell import Shell, priority_option, run_async, studio_options
from musicgen.cli.work import Worker
from musicgen.client import plans, specs

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
@priority_option
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

    async def series(worker: Worker) -> list[tuple[str, job_pb2.JobSpec]]:
        track = await worker.studio.get_track(track_id)
        plan = plans.plan_of(track).plan
        known = plans.layers_of(await worker.studio.list_engines())
        chosen = plans.chosen_layers(known, layers, plan)
        pieces = []
        for index in range(count):
            drawn = secrets.randbits(32) if seed is None else (seed + index) % (1 << 32)
            title = plans.variation_title(track.title, chosen, index + 1 if count > 1 else None)
            spec = specs.vary(track, dict.fromkeys(chosen, drawn), title=title)
            label = f"Variation {index + 1} of {count}" if count > 1 else "Varying"
            pieces.append((label, spec))
        return pieces

    outputs = numbered(output, count, "--count")
    run_async(making.make_several(shell, "variations", series, outputs, detach=detach))
