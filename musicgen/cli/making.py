"""What commands share that make tracks: a job makes it, and it is saved."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musicgen.api.jobs.v1 import job_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.cli.display import Display, display_for
from musicgen.cli.exits import FileNotFound
from musicgen.cli.jsonable import job_to_json, track_to_json
from musicgen.cli.output import clock, print_json, say
from musicgen.cli.saving_options import Output
from musicgen.cli.shell import Shell
from musicgen.cli.values import read_json
from musicgen.cli.work import Interrupts, Worker
from musicgen.client import plans, styles
from musicgen.errors import InvalidField, InvalidLyrics

Spec = job_pb2.JobSpec | Callable[[Worker], Awaitable[job_pb2.JobSpec]]
"""What to make; or what finds it out, when files must be sent first."""

Series = Callable[[Worker], Awaitable[Sequence[tuple[str, job_pb2.JobSpec]]]]
"""Finds out what to make one after the other, and what each is called meanwhile."""


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
        async with shell.studio() as studio:
            with Interrupts() as interrupts, display_for(as_json=shell.json) as display:
                worker = Worker(studio, display, interrupts)
                ready = spec if isinstance(spec, job_pb2.JobSpec) else await spec(worker)
                await run(
                    worker, display, label, ready, output, detach=detach, everything=everything
                )
    finally:
        if shell.json and everything:
            print_json(everything[0].to_json())
    if not shell.json:
        everything[0].tell()


async def make_several(
    shell: Shell, key: str, series: Series, outputs: Sequence[Output], *, detach: bool
) -> None:
    """Do as `make` for each of a series, one after the other; as JSON one document with all
    under `key`."""
    for output in outputs:
        output.check(as_json=shell.json)
    everything: list[Made] = []
    try:
        async with shell.studio() as studio:
            with Interrupts() as interrupts, display_for(as_json=shell.json) as display:
                worker = Worker(studio, display, interrupts)
                pieces = await series(worker)
                for (label, spec), output in zip(pieces, outputs, strict=True):
                    made = await run(
                        worker, display, label, spec, output, detach=detach, everything=everything
                    )
                    if not shell.json:
                        made.tell()
    finally:
        # What was made before something failed is not lost.
        if shell.json and everything:
            print_json({key: [made.to_json() for made in everything]})


async def run(
    worker: Worker,
    display: Display,
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
    if detach:
        return made
    made.track = await worker.track_of(job)
    if output.path is None:
        return made
    track_id = made.track.track_id
    try:
        _, made.saved = await worker.save(
            track_id, output.path, output.format, overwrite=output.force
        )
    except BaseException:
        display.note(f"The track itself is safe: `musicgen export {track_id}`.")
        raise
    return made


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
        told = read_json(_read(file, "plan"))
    except ValueError as error:
        raise InvalidField(
            f"The plan {file} is not valid JSON ({error}).",
            remedy="Correct the file; a comma or a bracket is the usual cause.",
            fields={"plan": "must be JSON"},
        ) from error
    return plans.read_plan(told)


def read_style(file: Path) -> list[float]:
    """Read a style. Raises FileNotFound, InvalidField."""
    return styles.read_style(_read(file, "style"))


def read_lyrics(file: Path) -> str:
    """Read lyrics. Raises FileNotFound, InvalidLyrics."""
    data = _read(file, "lyrics")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidLyrics(
            f"The lyrics {file} are not valid UTF-8 text (byte {error.start}).",
            remedy="Save the file as UTF-8.",
        ) from error


def _read(file: Path, what: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise FileNotFound(f"The {what} {file} can't be read ({error.strerror}).") from error
