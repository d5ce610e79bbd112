from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.client.conftest import Musicgen
from tests.contract.client.scripted_studio import ScriptedStudio
from tests.contract.client.test_cli_making import error_of

pytestmark = pytest.mark.contract


def answer(musicgen: Musicgen, *args: str) -> dict[str, Any]:
    """Run a command as a script does, which succeeds."""
    result = musicgen(*args, "--json")
    assert result.exit_code == 0, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def waiting(musicgen: Musicgen) -> list[str]:
    """Return the jobs that wait, in order."""
    return [job["job_id"] for job in answer(musicgen, "queue")["waiting"]]


@pytest.fixture
def paused(musicgen: Musicgen) -> Musicgen:
    """Pause all queues, and let four jobs wait: two normal ones, a low and a high one."""
    assert musicgen("queue", "pause").exit_code == 0
    for priority in ("normal", "normal", "low", "high"):
        args = ("generate", "rain", "--detach", "--priority", priority)
        assert musicgen(*args).exit_code == 0
    return musicgen


def test_what_waits_is_listed_in_the_order_in_which_it_starts(paused: Musicgen) -> None:
    """The most urgent come first, then those that came first; each with its place."""
    told = answer(paused, "queue")
    assert [job["job_id"] for job in told["waiting"]] == ["job4", "job1", "job2", "job3"]
    assert [job["place"] for job in told["waiting"]] == [1, 2, 3, 4]
    assert [job["priority"] for job in told["waiting"]] == ["high", "normal", "normal", "low"]
    (queue,) = told["queues"]
    assert queue == {
        "queue": "generate.composer", "paused": True, "waiting": 4, "delayed": 0, "running": 0,
        "oldest_wait_s": 5.0,
    }  # fmt: skip
    assert told["all_paused"] is True
    lines = paused("queue", "--limit", "1").stdout.splitlines()
    assert lines[0] == "generate.composer\tpaused\t4\t0\t0\t5s"
    assert lines[2].split("\t")[:3] == ["1", "job4", "high"]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("args", "order"),
    [
        (["job2", "--first"], ["job4", "job2", "job1", "job3"]),
        (["job1", "--last"], ["job4", "job2", "job1", "job3"]),
        (["job2", "--before", "job1"], ["job4", "job2", "job1", "job3"]),
        (["job1", "--after", "job2"], ["job4", "job2", "job1", "job3"]),
        (["job3", "--priority", "high"], ["job4", "job3", "job1", "job2"]),
        (["job3", "--priority", "high", "--first"], ["job3", "job4", "job1", "job2"]),
    ],
)
def test_a_waiting_job_is_moved(paused: Musicgen, args: list[str], order: list[str]) -> None:
    """To a place, to another priority, or both; the answer has its new place."""
    told = answer(paused, "jobs", "move", *args)
    assert waiting(paused) == order
    assert told["place"] == order.index(args[0]) + 1


def test_a_job_tells_its_place_priority_and_queue(paused: Musicgen) -> None:
    """In words, and only while it waits."""
    shown = paused("jobs", "show", "job1").stdout
    assert "priority     normal" in shown
    assert "queue        generate.composer, paused" in shown
    assert "place        2nd in line" in shown
    assert "place        next" in paused("jobs", "show", "job4").stdout
    assert paused("queue", "resume").exit_code == 0
    assert paused("watch", "job1").exit_code == 0
    assert "place" not in paused("jobs", "show", "job1").stdout
    assert answer(paused, "jobs", "show", "job1")["place"] is None


def test_every_attempt_that_failed_is_shown(musicgen: Musicgen) -> None:
    """Who had it, how long, and why it came to nothing."""
    assert musicgen("generate", "flaky ENGINE_CRASHED").exit_code == 0
    shown = musicgen("jobs", "show", "job1").stdout
    assert "attempt      2 of 3" in shown
    line = next(line for line in shown.splitlines() if line.startswith("attempt 1"))
    assert line.startswith("attempt 1    scripted, 0.0 s: It failed once.")
    (attempt,) = answer(musicgen, "jobs", "show", "job1")["job"]["attempts"]
    assert (attempt["attempt"], attempt["worker"]) == (1, "scripted")
    assert attempt["error"]["reason"] == "ENGINE_CRASHED"
    assert attempt["start_time"] <= attempt["end_time"]


def test_one_queue_is_paused_and_resumed(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """By its name; what is of another queue goes on."""
    told = answer(musicgen, "queue", "pause", "generate.composer")
    assert told["queues"][0]["paused"] is True
    assert told["all_paused"] is False
    assert musicgen("generate", "rain", "--detach").exit_code == 0
    assert musicgen("export", "track1", "-o", "out.flac").exit_code == 0
    assert waiting(musicgen) == ["job1"]
    told = answer(musicgen, "queue", "resume", "generate.composer")
    assert told["queues"][1]["paused"] is False
    assert studio.jobs.paused == set()
    assert musicgen("watch", "job1").exit_code == 0


def test_several_jobs_are_cancelled_and_one_that_is_not_there_is_told(paused: Musicgen) -> None:
    """What can be cancelled is; the refusal of another comes after it."""
    result = paused("jobs", "cancel", "job1", "nonesuch", "job2", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stderr)["error"]["reason"] == "JOB_NOT_FOUND"
    told = json.loads(result.stdout)
    assert [job["state"] for job in told["jobs"]] == ["cancelled", "cancelled"]
    assert told["batches"] == []
    lines = paused("jobs", "cancel", "job3", "job4").stdout.splitlines()
    assert lines == ["job3\tcancelled", "job4\tcancelled"]


def test_batches_are_listed_shown_and_cancelled(musicgen: Musicgen) -> None:
    """All pages, newest first; with the states of their jobs."""
    assert musicgen("queue", "pause").exit_code == 0
    for _ in range(3):
        assert musicgen("generate", "rain", "--candidates", "2", "--detach").exit_code == 0
    told = answer(musicgen, "batches")["batches"]
    assert [batch["batch_id"] for batch in told] == ["batch3", "batch2", "batch1"]
    assert told[0]["size"] == 2
    assert told[0]["counts"]["queued"] == 2
    assert answer(musicgen, "batches", "list", "--limit", "1")["batches"] == told[:1]
    assert musicgen("batches").stdout.splitlines()[0].split("\t")[2:] == ["2", "2 queued"]
    shown = answer(musicgen, "batches", "show", "batch2")
    assert [job["job_id"] for job in shown["jobs"]] == ["job3", "job4"]
    assert shown["batch"]["end_time"] is None
    assert "batch        batch2" in musicgen("jobs", "show", "job3").stdout
    (ended,) = answer(musicgen, "batches", "cancel", "batch2")["batches"]
    assert ended["counts"]["cancelled"] == 2
    told = answer(musicgen, "jobs", "cancel", "--batch", "batch1", "--batch", "batch3")
    assert [batch["counts"]["cancelled"] for batch in told["batches"]] == [2, 2]
    assert "states       2 cancelled" in musicgen("batches", "show", "batch1").stdout


def test_detached_candidates_are_one_batch(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """Their ids are printed in the order of their seeds, with the priority asked for."""
    args = ("--candidates", "3", "--seed", "4", "--priority", "low", "--detach", "--json")
    made = json.loads(musicgen("generate", "hang", *args).stdout)["candidates"]
    assert [one["job"]["job_id"] for one in made] == ["job1", "job2", "job3"]
    assert [one["job"]["spec"]["parameters"]["seed"] for one in made] == [4, 5, 6]
    assert {one["job"]["priority"] for one in made} == {"low"}
    assert list(studio.jobs.batches) == ["batch1"]


@pytest.mark.parametrize(
    "command",
    [
        ["generate", "rain"],
        ["loop", "track1", "--length", "1h"],
        ["loops", "track1"],
        ["export", "track1", "-o", "out.flac"],
        ["models", "verify", "tiny"],
        ["engines", "setup", "singer"],
    ],
)
def test_each_command_that_makes_a_job_takes_a_priority(
    musicgen: Musicgen, studio: ScriptedStudio, command: list[str]
) -> None:
    """And what it saves afterwards is as urgent."""
    musicgen(*command, "--priority", "high")
    jobs = list(studio.jobs.jobs.values())
    assert jobs
    assert all(job.priority == job.PRIORITY_HIGH for job in jobs)


@pytest.mark.parametrize(
    ("args", "code", "reason"),
    [
        (["jobs", "move", "job1"], 2, "USAGE"),
        (["jobs", "move", "job1", "--first", "--last"], 2, "USAGE"),
        (["jobs", "move", "job1", "--priority", "urgent"], 2, "USAGE"),
        (["jobs", "move", "nonesuch", "--first"], 3, "JOB_NOT_FOUND"),
        (["jobs", "move", "job1", "--before", "nonesuch"], 3, "JOB_NOT_FOUND"),
        (["jobs", "move", "job1", "--before", "job4"], 2, "INVALID_FIELD"),
        (["jobs", "move", "\udcff", "--first"], 2, "INVALID_FIELD"),
        (["jobs", "cancel"], 2, "USAGE"),
        (["queue", "pause", "nonesuch"], 3, "QUEUE_NOT_FOUND"),
        (["queue", "resume", "\udcff"], 2, "INVALID_FIELD"),
        (["batches", "show", "nonesuch"], 3, "BATCH_NOT_FOUND"),
        (["batches", "cancel"], 2, "USAGE"),
        (["watch", "--batch", "nonesuch"], 3, "BATCH_NOT_FOUND"),
        (["generate", "rain", "--priority", "urgent"], 2, "USAGE"),
    ],
)
def test_what_cannot_be_done_gets_reason_remedy_and_exit_code(
    paused: Musicgen, args: list[str], code: int, reason: str
) -> None:
    """As with every command."""
    error = error_of(paused(*args, "--json"))
    assert (error["exit_code"], error["reason"]) == (code, reason)
    assert error["message"]
    assert error["remedy"]


def test_a_job_that_runs_cannot_be_moved(musicgen: Musicgen) -> None:
    """The refusal says so."""
    musicgen("generate", "rain")
    error = error_of(musicgen("jobs", "move", "job1", "--first", "--json"))
    assert (error["exit_code"], error["reason"]) == (2, "JOB_NOT_WAITING")


def test_help_has_examples(musicgen: Musicgen) -> None:
    """For each command of the queue."""
    for command in (["queue"], ["batch"], ["batches"], ["jobs", "move"], ["jobs", "cancel"]):
        helped = musicgen(*command, "--help").stdout
        assert f"musicgen {' '.join(command)} " in helped.partition("Examples:")[2]
