"""The order in which jobs start, and a job's place in it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from musicgen.api.jobs.v1 import job_pb2
from musicgen.client.studio import Studio

PLACING = ("job_id", "state", "queue", "priority", "rank", "not_before_time")
"""The fields of a job that its place depends on."""


def order(job: job_pb2.Job) -> tuple[str, bool, int, int]:
    """Sort waiting jobs by this: queue by queue, those first that start first. Those that wait
    for the delay before their next attempt come after those that could start."""
    return job.queue, seconds_until(job) > 0, -job.priority, job.rank


def places(jobs: Iterable[job_pb2.Job]) -> dict[str, int]:
    """Return the place, from 1, that each of the waiting jobs has in its queue; none for what
    does not wait or can't start yet."""
    found: dict[str, int] = {}
    counted: dict[str, int] = {}
    queued = (job for job in jobs if job.state == job_pb2.Job.STATE_QUEUED)
    for job in sorted(queued, key=order):
        if not seconds_until(job):
            counted[job.queue] = found[job.job_id] = counted.get(job.queue, 0) + 1
    return found


def told_place(place: int) -> str:
    """Say a place in words."""
    if place == 1:
        return "next"
    ending = "th" if place // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending} in line"


def seconds_until(job: job_pb2.Job) -> float:
    """Return how long a job still waits before its next attempt may start; 0 if it may."""
    if job.state != job_pb2.Job.STATE_QUEUED or not job.HasField("not_before_time"):
        return 0.0
    return max(0.0, job.not_before_time.ToNanoseconds() / 1e9 - time.time())


async def place_of(studio: Studio, job: job_pb2.Job) -> tuple[int | None, bool]:
    """Ask for the place of a job in its queue, and whether that is paused; None and False if
    it does not wait there."""
    if job.state != job_pb2.Job.STATE_QUEUED:
        return None, False
    waiting = [
        other
        async for other in studio.list_jobs([job_pb2.Job.STATE_QUEUED], fields=PLACING)
        if other.queue == job.queue
    ]
    queues = (await studio.queues()).queues
    paused = any(queue.paused for queue in queues if queue.queue == job.queue)
    return places(waiting).get(job.job_id), paused
