from __future__ import annotations

import time

import pytest

from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli.queue_order import order, places, seconds_until, told_place

pytestmark = pytest.mark.unit

Job = job_pb2.Job


def job(
    job_id: str, rank: int, priority: Job.Priority.ValueType = Job.PRIORITY_NORMAL, queue: str = "a"
) -> Job:
    """Make a job that waits."""
    return Job(job_id=job_id, state=Job.STATE_QUEUED, rank=rank, priority=priority, queue=queue)


def test_the_most_urgent_comes_first_then_the_smallest_rank() -> None:
    """In each queue by itself; what runs has no place."""
    running = job("running", 0)
    running.state = Job.STATE_RUNNING
    jobs = [
        job("late", 9),
        job("low", 1, Job.PRIORITY_LOW),
        job("early", -2),
        job("high", 50, Job.PRIORITY_HIGH),
        job("other", 3, queue="b"),
        running,
    ]
    assert places(jobs) == {"high": 1, "early": 2, "late": 3, "low": 4, "other": 1}
    waiting = [each.job_id for each in sorted(jobs[:-1], key=order)]
    assert waiting == ["high", "early", "late", "low", "other"]


def test_a_job_between_attempts_has_no_place_yet() -> None:
    """It comes last, until its delay is over."""
    delayed, due = job("delayed", 1, Job.PRIORITY_HIGH), job("due", 2)
    delayed.not_before_time.FromSeconds(int(time.time()) + 60)
    due.not_before_time.FromSeconds(int(time.time()) - 60)
    assert places([delayed, due, job("new", 3)]) == {"due": 1, "new": 2}
    assert 58 < seconds_until(delayed) <= 60
    assert seconds_until(due) == 0
    assert max([delayed, due], key=order) is delayed


def test_places_in_words() -> None:
    """As people say them."""
    said = [told_place(place) for place in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)]
    assert said[0] == "next"
    ordinals = [words.removesuffix(" in line") for words in said[1:]]
    assert ordinals == ["2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]
