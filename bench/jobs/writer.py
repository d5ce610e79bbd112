"""Tells progress of many jobs at an even rate, as their workers would: a process of its own.

    python -m bench.jobs.writer REDIS_URL QUEUE JOBS EVENTS_PER_S

Claims JOBS jobs of the queue, says "ready", and goes on until its input ends. Each progress
carries the time just before it was written (CLOCK_MONOTONIC, in nanoseconds) as its detail.
Then it says how long its writes took, in microseconds, and how late it was.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from musicgen.api.progress.v1 import progress_pb2
from services.jobs.records import Claim
from services.jobs.store import JobStore

STEPS = 1_000_000
LEASE_S = 3600.0


async def write(url: str, queue: str, jobs: int, rate: float) -> dict[str, list[int]]:
    """Write until the input ends; return what the writes took, and how late each began."""
    store = JobStore.connect(url)
    claims = [await store.claim("bench", [queue], LEASE_S) for _ in range(jobs)]
    held = [claim for claim in claims if claim is not None]
    if len(held) != jobs:
        raise SystemExit(f"there are only {len(held)} jobs to claim")
    print("ready", flush=True)
    took_us: list[int] = []
    late_us: list[int] = []
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    running: set[asyncio.Task[None]] = set()
    start_s = time.monotonic()
    number = 0
    while not ended.done():
        due_s = start_s + number / rate
        await asyncio.sleep(due_s - time.monotonic())
        late_us.append(int((time.monotonic() - due_s) * 1e6))
        task = asyncio.create_task(_tell(store, held[number % jobs], number // jobs, took_us))
        running.add(task)
        task.add_done_callback(running.discard)
        number += 1
    await asyncio.gather(*running)
    await store.close()
    return {"took_us": took_us, "late_us": late_us}


async def _tell(store: JobStore, claim: Claim, step: int, took_us: list[int]) -> None:
    begin_ns = time.monotonic_ns()
    progress = progress_pb2.Progress(
        stage="render", step=step, steps=STEPS, fraction=step / STEPS, detail=str(begin_ns)
    )
    await store.beat(claim, LEASE_S, progress.SerializeToString())
    took_us.append((time.monotonic_ns() - begin_ns) // 1000)


def main() -> None:
    """Read the arguments and write."""
    url, queue, jobs, rate = sys.argv[1:]
    print(json.dumps(asyncio.run(write(url, queue, int(jobs), float(rate)))))


if __name__ == "__main__":
    main()
