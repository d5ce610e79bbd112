"""What commands share that make tracks: a job makes it, and it is saved."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musicgen.api.jobs.v1 import job_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.cli.exits import FileNotFound, WorkFailed
from musicgen.cli.jsonable import job_to_json, track_to_json
from musicgen.cli.output import clock, print_json, say
from musicgen.cli.saving_options import Output
from musicgen.cli.shell import Shell
from musicgen.cli.values import read_json
from musicgen.cli.work import Worker, working
from musicgen.client import plans, styles
from musicgen.client.jobs import succeeded
from musicgen.errors import Cancelled, InvalidField, InvalidLyrics, StudioError

Spec = job_pb2.JobSpec | Callable[[Worker], Awaitable[job_pb2.JobSpec]]
"""What to make; or what finds it out, when files must be sent first."""

Series = Callable[[Worker], Awaitable[Sequence[tuple[str, job_pb2.JobSpec]]]]
"""Finds out what to make together, and what each is called meanwhile."""


@dataclass(slots=True)
class Made:
    """What has come of a job so far; `track` is None if it was left running."""

    job: job_pb2.Job
    track: track_pb2.Track | None = None
    saved: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Describe it for `--json`."""
        return {
            "job": job_to_json(self.job),
            "track": track_to_json(self.track) if self.track else None,
            "output": self.saved,
        }

    def tell(self) -> None:
        """Print the file, else the track, else the job."""
        if self.track is None:
            say("The job runs on; `musicgen watch` with its id follows it.")
            print(self.job.job_id)
        elif self.saved is None:
            say(describe(self.track))
            print(self.track.track_id)
        else:
            say(describe(self.track))
            if self.saved["path"] != "-":
                print(self.saved["path"])


async def make(shell: Shell, label: str, spec: Spec, output: Output, *, detach: bool) -> None:
    """Run the job, save its track if that is asked for, and print what was made; as JSON also
    when not all of it went well."""
    output.check(as_json=shell.json)
    everything: list[Made] = []
    try:
        async with working(shell) as worker:
            ready = spec if isinstance(spec, job_pb2.JobSpec) else await spec(worker)
            await run(worker, label, ready, output, detach=detach, everything=everything)
    finally:
        if shell.json and everything:
            print_json(everything[0].to_json())
    if not shell.json:
        everything[0].tell()


async def make_several(
    shell: Shell, key: str, series: Series, outputs: Sequence[Output], *, detach: bool
) -> None:
    """Do as `make` for several that are one batch; as JSON one document with all under `key`,
    in their order. One that fails takes nothing of the others away; what it failed with is
    raised when all have ended."""
    for output in outputs:
        output.check(as_json=shell.json)
    everything: list[Made] = []
    try:
        async with working(shell) as worker:
            pieces = await series(worker)
            if detach:
                everything += await _accept(worker, [spec for _, spec in pieces])
            else:
                tell = None if shell.json else Made.tell
                await _run_all(worker, pieces, outputs, everything, tell)
    finally:
        # What was made before something failed is not lost.
        if shell.json and everything:
            print_json({key: [made.to_json() for made in everything]})
    if detach and not shell.json:
        first = everything[0].job
        which = f"--batch {first.batch_id}" if first.batch_id else first.job_id
        say(f"It goes on by itself: `musicgen watch {which}`.")
        for made in everything:
            print(made.job.job_id)


async def _run_all(
    worker: Worker,
    pieces: Sequence[tuple[str, job_pb2.JobSpec]],
    outputs: Sequence[Output],
    everything: list[Made],
    tell: Callable[[Made], None] | None,
) -> None:
    """Run a batch, and save each track as soon as it is its turn."""
    if len(pieces) == 1:
        ((label, spec),) = pieces
        made = await run(worker, label, spec, outputs[0], detach=False, everything=everything)
        if tell:
            tell(made)
        return
    failures: list[WorkFailed | Cancelled] = []
    async with contextlib.aclosing(worker.run_all(pieces)) as jobs:
        for (label, _), output in zip(pieces, outputs, strict=True):
            made = Made(await anext(jobs))
            everything.append(made)
            try:
                _check(made.job)
            except (WorkFailed, Cancelled) as failed:
                failures.append(failed)
                worker.display.note(f"{label}: {failed}")
                continue
            await keep(worker, made, output)
            if tell:
                tell(made)
    if failures:
        raise failures[0]


async def _accept(worker: Worker, wanted: Sequence[job_pb2.JobSpec]) -> list[Made]:
    if len(wanted) == 1:
        return [Made(await worker.submit(wanted[0]))]
    accepted = await worker.submit_all(wanted)
    batch_id = accepted.batch.batch_id
    jobs = {job.job_id: job async for job in worker.studio.list_jobs(batch_ids=[batch_id])}
    return [Made(jobs[job_id]) for job_id in accepted.job_ids if job_id in jobs]


def _check(job: job_pb2.Job) -> None:
    """Raise WorkFailed or Cancelled unless an ended job succeeded."""
    try:
        succeeded(job)
    except Cancelled:
        raise
    except StudioError as error:
        raise WorkFailed(error) from error


async def run(
    worker: Worker,
    label: str,
    spec: job_pb2.JobSpec,
    output: Output,
    *,
    detach: bool,
    everything: list[Made],
) -> Made:
    """Run a job, and save its track if that is asked for; with `detach` only have it
    accepted. What comes of it is in `everything` as soon as it is there: what fails later
    takes nothing of it away."""
    job = await (worker.submit(spec) if detach else worker.run(spec, label))
    made = Made(job)
    everything.append(made)
    if not detach:
        await keep(worker, made, output)
    return made


async def keep(worker: Worker, made: Made, output: Output) -> None:
    """Look up the track that a job made, and save it if that is asked for."""
    made.track = await worker.track_of(made.job)
    if output.path is None:
        return
    track_id = made.track.track_id
    try:
        _, made.saved = await worker.save(
            track_id, output.path, output.format, overwrite=output.force
        )
    except BaseException:
        worker.display.note(f"The track itself is safe: `musicgen export {track_id}`.")
        raise


def describe(track: track_pb2.Track) -> str:
    """Say in one line what a track is."""
    audio = track.audio
    parts = [f"“{track.title}”"]
    if audio.sample_rate_hz:
        parts.append(clock(audio.duration_frames / audio.sample_rate_hz))
    if track.HasField("tempo_bpm"):
        parts.append(f"{track.tempo_bpm:g} bpm")
    if track.musical_key:
        parts.append(track.musical_key)
    parts.append(f"track {track.track_id}")
    return ", ".join(parts)


def read_plan(file: Path) -> plans.Planned:
    """Read a plan. Raises FileNotFound, InvalidField."""
    try:
        told = read_json(read_file(file, "plan"))
    except ValueError as error:
        raise InvalidField(
            f"The plan {file} is not valid JSON ({error}).",
            remedy="Correct the file; a comma or a bracket is the usual cause.",
            fields={"plan": "must be JSON"},
        ) from error
    return plans.read_plan(told)


def read_style(file: Path) -> list[float]:
    """Read a style. Raises FileNotFound, InvalidField."""
    return styles.read_style(read_file(file, "style"))


def read_lyrics(file: Path) -> str:
    """Read lyrics. Raises FileNotFound, InvalidLyrics."""
    data = read_file(file, "lyrics")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidLyrics(
            f"The lyrics {file} are not valid UTF-8 text (byte {error.start}).",
            remedy="Save the file as UTF-8.",
        ) from error


def read_file(file: Path, what: str) -> bytes:
    """Read a file, or stdin for "-". Raises FileNotFound, which calls it `what`."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise FileNotFound(f"The {what} {file} can't be read ({error.strerror}).") from error
