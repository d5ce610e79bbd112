"""What `generate` and `loop` share: a job makes a track, and the track is saved."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from musicgen.api.jobs.v1 import job_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.cli.display import display_for
from musicgen.cli.exits import FileNotFound
from musicgen.cli.jsonable import job_to_json, track_to_json
from musicgen.cli.output import clock, print_json, say
from musicgen.cli.saving_options import Output
from musicgen.cli.shell import Shell
from musicgen.cli.work import Interrupts, Worker
from musicgen.errors import InvalidLyrics

Spec = job_pb2.JobSpec | Callable[[Worker], Awaitable[job_pb2.JobSpec]]
"""What to make; or what finds it out, when files must be sent first."""


async def make(shell: Shell, label: str, spec: Spec, output: Output, *, detach: bool) -> None:
    """Run the job, save its track if that is asked for, and print what was made."""
    output.check(as_json=shell.json)
    async with shell.studio() as studio:
        with Interrupts() as interrupts, display_for(as_json=shell.json) as display:
            worker = Worker(studio, display, interrupts)
            ready = spec if isinstance(spec, job_pb2.JobSpec) else await spec(worker)
            if detach:
                job = await worker.submit(ready)
                track, saved = None, None
            else:
                job = await worker.run(ready, label)
                track = await worker.track_of(job)
                saved = None
                if output.path is not None:
                    try:
                        _, saved = await worker.save(
                            track.track_id, output.path, output.format, overwrite=output.force
                        )
                    except BaseException:
                        display.note(
                            f"The track itself is safe: `musicgen export {track.track_id}`."
                        )
                        raise
    _print(shell, job, track, saved)


def _print(
    shell: Shell,
    job: job_pb2.Job,
    track: track_pb2.Track | None,
    saved: dict[str, Any] | None,
) -> None:
    if shell.json:
        print_json(
            {
                "job": job_to_json(job),
                "track": track_to_json(track) if track else None,
                "output": saved,
            }
        )
    elif track is None:
        say("The job runs on; `musicgen watch` with its id follows it.")
        print(job.job_id)
    elif saved is None:
        say(describe(track))
        print(track.track_id)
    else:
        say(describe(track))
        if saved["path"] != "-":
            print(saved["path"])


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


def read_lyrics(file: Path) -> str:
    """Read lyrics. Raises NotFound, InvalidLyrics."""
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise FileNotFound(f"The lyrics {file} can't be read ({error.strerror}).") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidLyrics(
            f"The lyrics {file} are not valid UTF-8 text (byte {error.start}).",
            remedy="Save the file as UTF-8.",
        ) from error
