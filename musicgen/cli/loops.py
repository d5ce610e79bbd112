"""`musicgen loops`: the cycles of a piece of audio, for choosing one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import click

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli.exits import WorkFailed
from musicgen.cli.jsonable import job_to_json
from musicgen.cli.loop_values import PointsFile
from musicgen.cli.loops_found import loops_to_json, points_options, print_loops
from musicgen.cli.output import print_json, say
from musicgen.cli.shell import Shell, priority_option, run_async, studio_options
from musicgen.cli.source import Source
from musicgen.cli.values import Length
from musicgen.cli.work import Worker, working
from musicgen.client import specs
from musicgen.client.saving import check_target
from musicgen.errors import ArtifactNotFound, InvalidField, NoLoopFound, StudioError
from musicgen.loop_limits import MAX_CANDIDATES


@dataclass(frozen=True, slots=True)
class Saving:
    """What to keep of an analysis."""

    points: tuple[Path, ...]
    seams: Path | None
    force: bool

    def check(self) -> None:
        """Raise InvalidField now if something could not be saved later."""
        for path in self.points:
            check_target(path, overwrite=self.force)
        if self.seams is not None and self.seams.exists() and not self.seams.is_dir():
            raise InvalidField(
                f"{self.seams} is no folder.",
                remedy="Name a folder for --save-seams; it is made if need be.",
                fields={"save-seams": "must be a folder"},
            )


@click.command(
    epilog="""\b
Examples:
  musicgen loops 4k2j9x
  musicgen loops take.wav --min-length 8 --max-length 2m --save-points take.txt
  musicgen loops 4k2j9x --save-seams seams/      # a few seconds of each seam, to listen to
  musicgen loops 4k2j9x --json | jq -r '.loops[0] | "\\(.start_frame):\\(.end_frame)"'

\b
FRAMES goes to `musicgen loop --points`. SCORE (0 to 1) is how alike the music is at both
ends, TIMING how far off the beat the seam may be; up to a CLICK of 1 a bare cut is no sharper
than the music, above it there is a crossfade. What rings into its start needs --fold-tail.
If nothing would repeat well the exit code is 1, and the nearest miss is told.
""",
)
@click.argument("source")
@click.option(
    "--max",
    "most",
    type=click.IntRange(1, MAX_CANDIDATES),
    default=5,
    show_default=True,
    help="How many to list.",
)
@click.option("--min-length", "min_s", type=Length(), help="Shortest cycle wanted. Default: 2 s.")
@click.option("--max-length", "max_s", type=Length(), help="Longest cycle wanted.")
@click.option(
    "--save-points",
    "points",
    type=PointsFile(),
    metavar="FILE",
    multiple=True,
    help="Save the points as .json, .csv, .txt (labels for Audacity) or .cue; can be repeated.",
)
@click.option(
    "--save-seams",
    "seams",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Save a few seconds of each seam here.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@priority_option
@studio_options
@click.pass_obj
def loops(
    shell: Shell,
    *,
    source: str,
    most: int,
    min_s: float | None,
    max_s: float | None,
    points: tuple[Path, ...],
    seams: Path | None,
    force: bool,
) -> None:
    """Find the cycles of SOURCE that repeat without an audible seam, best first. SOURCE is a
    local audio file, which is sent to the studio, or the id of a track."""
    saving = Saving(points, seams, force)
    saving.check()
    what = Source(source)

    async def find() -> tuple[job_pb2.Job, list[str]]:
        async with working(shell) as worker:
            audio = await what.send(worker)
            spec = specs.find_loops(audio, max_candidates=most, min_s=min_s, max_s=max_s)
            try:
                job = await worker.run(spec, "Finding loops")
            except WorkFailed as failed:
                _hint(failed.error, source)
                raise
            return job, await _save(worker, job, saving)

    job, saved = run_async(find())
    found = loops_to_json(job.result.analysis)
    if shell.json:
        print_json({"job": job_to_json(job), "loops": found, "saved": saved})
        return
    print_loops(found)
    for path in saved:
        say(f"Saved {path}")
    if found:
        best = points_options(found[0])
        say(f"To use one: musicgen loop {source} {best} --length 1h -o hour.flac")


async def _save(worker: Worker, job: job_pb2.Job, saving: Saving) -> list[str]:
    """Save what is asked for. Returns the files' paths."""
    wanted: list[tuple[audio_pb2.Artifact, Path]] = []
    for target in saving.points:
        suffix = target.suffix.lower()
        made = [d for d in job.result.downloads if d.file_name.lower().endswith(suffix)]
        if not made:
            raise ArtifactNotFound(f"Job {job.job_id} made no {suffix} file.")
        wanted.append((made[0].artifact, target))
    if saving.seams is not None:
        await asyncio.to_thread(saving.seams.mkdir, parents=True, exist_ok=True)
        seams = [found.seam for found in job.result.analysis.candidates if found.HasField("seam")]
        # Only a name, wherever the studio's answer may point to.
        wanted += [(seam, saving.seams / Path(seam.key).name) for seam in seams]
    for _, target in wanted:
        check_target(target, overwrite=saving.force)
    for artifact, target in wanted:
        await worker.fetch(artifact, target, overwrite=saving.force)
    return [str(target) for _, target in wanted]


def _hint(error: StudioError, source: str) -> None:
    """Say how to use the nearest miss all the same, where there is one."""
    start, end = (error.metadata.get(f"best_{name}_frame", "") for name in ("start", "end"))
    if isinstance(error, NoLoopFound) and start and end:
        error.remedy = (
            f"The nearest miss is {start}:{end}; to use it all the same: "
            f"`musicgen loop {source} --points {start}:{end} --snap --length 1h -o hour.flac`."
        )
