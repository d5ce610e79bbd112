"""How long until something can be heard: from the request to the first preview, and its bytes.

    make bench-first-sound

Needs a running studio (MUSICGEN_GATEWAY). Asks for a piece of each family through Envoy, as any
client does: CreateJob, WatchJobs, then GET of the first preview. The first piece of all is not
counted: it starts the engine's caches.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
import urllib.request

from musicgen.api.jobs.v1 import job_pb2
from musicgen.client import Studio, specs

FAMILIES = (
    "lofi", "house", "techno", "synthwave", "trap", "hip hop", "drum and bass", "jazz",
    "bossa nova", "latin", "reggae", "funk", "rock", "pop", "folk", "solo piano", "cinematic",
    "ambient", "chiptune", "study beats", "sleep", "meditation", "rain",
)  # fmt: skip


async def first_sound(studio: Studio, address: str, prompt: str, seconds: float) -> float:
    """Return the seconds from the request until the first preview's bytes are here."""
    begun_s = time.monotonic()
    heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def fetch(key: str) -> float:
        with urllib.request.urlopen(f"http://{address}/v1/{key}", timeout=5) as answer:
            answer.read()
        return time.monotonic() - begun_s

    async def on_preview(key: str) -> None:
        heard.set_result(await asyncio.to_thread(fetch, key))

    tasks: list[asyncio.Task[None]] = []

    def on_job(job: job_pb2.Job) -> None:
        if job.previews and not tasks:
            tasks.append(asyncio.create_task(on_preview(job.previews[0].artifact.key)))

    await studio.run(specs.generate(prompt, duration_s=seconds, seed=1), on_job)
    return await heard


async def measure(address: str, seconds: float) -> None:
    """Ask for each family and print the figures."""
    times_s: list[float] = []
    async with Studio(address) as studio:
        await first_sound(studio, address, "warm-up", seconds)
        for family in FAMILIES:
            times_s.append(await first_sound(studio, address, family, seconds))
            print(f"{family:16} {times_s[-1]:5.2f} s", flush=True)
    print(
        f"request -> first sound  n={len(times_s)}  p50 {statistics.median(times_s):.2f} s  "
        f"max {max(times_s):.2f} s   goal 1.5 s"
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default=os.environ.get("MUSICGEN_GATEWAY", "127.0.0.1:8400"))
    parser.add_argument("--seconds", type=float, default=180.0)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.address, arguments.seconds))


if __name__ == "__main__":
    main()
