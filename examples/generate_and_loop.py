"""Makes a track, loops it to an hour, and saves the loop, with the SDK.

musicgen up                                  # in another terminal
python examples/generate_and_loop.py "minimal techno, 120 bpm" loop.flac
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.jobs.v1 import job_pb2
from musicgen.client import Studio, saving, specs
from musicgen.errors import StudioError

TRACK_S = 60.0
LOOP_S = 3600.0


def show(job: job_pb2.Job) -> None:
    """Print how far a job has come, each time that it changed."""
    if job.HasField("progress"):
        print(f"\r{job.progress.fraction:4.0%}  {job.progress.stage:<12}", end="", flush=True)


async def main(prompt: str, target: Path) -> None:
    """Make, loop, export, save."""
    async with Studio() as studio:
        made = await studio.run(specs.generate(prompt, duration_s=TRACK_S, seed=7), show)
        track = await studio.get_track(made.result.track_ids[0])
        print(f"\r“{track.title}” in {track.musical_key or 'no key'}")

        source = audio_pb2.AudioRef(track_id=track.track_id)
        looped = await studio.run(specs.loop(source, LOOP_S), show)
        exported = await studio.run(specs.export(looped.result.track_ids[0], "flac"), show)
        with saving(target, overwrite=True) as file:
            await studio.download(exported.result.downloads[0], file)
        print(f"\r{target} is an hour long.")


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
    except StudioError as error:
        sys.exit(f"{error.message}\n{error.remedy}")
