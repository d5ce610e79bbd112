from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.client.conftest import Musicgen
from tests.contract.client.scripted_studio import ScriptedStudio

pytestmark = pytest.mark.contract


def events(text: str) -> list[dict[str, Any]]:
    """Read a line an event."""
    return [json.loads(line) for line in text.splitlines()]


def later(*steps: Callable[[], object], after_s: float = 0.3) -> threading.Thread:
    """Take steps in another thread, each a while after the one before."""

    def take() -> None:
        for step in steps:
            threading.Event().wait(after_s)
            step()

    thread = threading.Thread(target=take)
    thread.start()
    return thread


def test_an_event_tells_its_kind_job_and_rev(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """Each on a line of its own, in order; revs without gaps from the snapshot on."""
    assert musicgen("queue", "pause").exit_code == 0
    musicgen("generate", "flaky ENGINE_CRASHED", "--detach")
    resuming = later(lambda: studio.run(studio.jobs.pause("all", paused=False)))
    told = events(musicgen("watch", "--job", "job1", "--json").stdout)
    resuming.join()
    first, *others = (event for event in told if event["type"] != "queue")
    assert first["type"] == "snapshot"
    (known,) = first["jobs"]
    assert {event["type"] for event in others} == {"changed", "progressed"}
    assert {event["job_id"] for event in others} == {"job1"}
    revs = [event["rev"] for event in others]
    assert revs == list(range(known["rev"] + 1, known["rev"] + 1 + len(revs)))
    assert [event["job"]["rev"] for event in others] == revs
    states = [event["job"]["state"] for event in others if event["type"] == "changed"]
    assert states == ["running", "queued", "running", "succeeded"]


def test_a_batch_is_watched_to_its_end(musicgen: Musicgen) -> None:
    """Only its jobs are told; the exit code is 1 if one of them failed."""
    musicgen("generate", "hang", "--detach")
    musicgen("generate", "rain", "--candidates", "2", "--detach")
    result = musicgen("watch", "--batch", "batch1", "--json")
    assert result.exit_code == 0
    told = {event["job_id"] for event in events(result.stdout)[1:]}
    assert told == {"job2", "job3"}
    musicgen("batch", "-", "--detach", input='{"prompt": "fail DISK_FULL"}\n{"prompt": "rain"}\n')
    assert musicgen("watch", "--batch", "batch2", "--batch", "batch1").exit_code == 1


def test_until_done_ends_when_nothing_is_left(musicgen: Musicgen) -> None:
    """What had failed before doesn't count; what fails meanwhile does."""
    assert musicgen("watch", "--until-done").exit_code == 0  # there is nothing at all
    musicgen("generate", "fail DISK_FULL")
    musicgen("generate", "rain", "--detach")
    musicgen("generate", "rain", "--detach")
    result = musicgen("watch", "--until-done", "--json")
    assert result.exit_code == 0
    assert {event["job_id"] for event in events(result.stdout)[1:]} == {"job2", "job3"}
    musicgen("generate", "fail DISK_FULL", "--detach")
    assert musicgen("watch", "--until-done").exit_code == 1


def test_pauses_are_told(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """The snapshot has the paused queues; then each change is a line."""
    assert musicgen("queue", "pause", "generate.composer").exit_code == 0
    musicgen("generate", "rain", "--detach")
    resuming = later(
        lambda: studio.run(studio.jobs.pause("all", paused=True)),
        lambda: studio.run(studio.jobs.pause("all", paused=False)),
        lambda: studio.run(studio.jobs.pause("generate.composer", paused=False)),
    )
    first, *others = events(musicgen("watch", "job1", "--json").stdout)
    resuming.join()
    assert first["paused_queues"] == ["generate.composer"]
    assert [event for event in others if event["type"] == "queue"] == [
        {"type": "queue", "queue": "all", "paused": True},
        {"type": "queue", "queue": "all", "paused": False},
        {"type": "queue", "queue": "generate.composer", "paused": False},
    ]


def test_a_break_is_told_once_and_so_is_its_end(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """However often it was tried in vain."""
    musicgen("generate", "hang", "--detach")
    acting = later(
        studio.stop,
        lambda: None,
        lambda: None,
        studio.start,
        lambda: None,
        lambda: None,
        lambda: os.kill(os.getpid(), signal.SIGINT),
    )
    result = musicgen("watch", "job1", "--json")
    acting.join()
    types = [event["type"] for event in events(result.stdout)]
    assert (types.count("disconnected"), types.count("reconnected")) == (1, 1)
    assert types.index("disconnected") < types.index("reconnected")
    assert result.exit_code == 130


@pytest.mark.parametrize(("args", "code"), [((), 0), (("job1",), 1)])
def test_a_watch_that_nobody_reads_ends_though_nothing_happens(
    musicgen: Musicgen, studio: ScriptedStudio, args: tuple[str, ...], code: int
) -> None:
    """Well, if it is one without an outcome; and without a word."""
    assert musicgen("queue", "pause").exit_code == 0
    musicgen("generate", "rain", "--detach")
    command = [sys.executable, "-m", "musicgen.cli", "watch", *args, "--json"]
    command += ["--address", studio.endpoint.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watching:
        assert watching.stdout
        assert watching.stderr
        assert b"snapshot" in watching.stdout.readline()  # as it comes, not when a buffer is full
        watching.stdout.close()
        begun_s = time.monotonic()
        assert watching.wait(10) == code
        assert time.monotonic() - begun_s < 5
        assert watching.stderr.read() == b""
