from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client.conftest import Musicgen
from tests.contract.client.scripted_studio import ScriptedStudio
from tests.contract.client.test_cli_making import error_of

pytestmark = pytest.mark.contract


def lines(*told: Any) -> str:
    """Return a file of these lines."""
    return "".join(json.dumps(one) + "\n" for one in told)


RAIN = lines({"prompt": "rain"}, {"prompt": "snow"}, {"prompt": "wind"})


def test_each_line_is_a_job_and_the_tracks_are_printed_in_their_order(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path
) -> None:
    """A batch with a low priority, unless a line says otherwise."""
    told = ({"prompt": "rain", "duration": "1m30s", "seed": 7}, {"prompt": "snow"})
    full = {"generate": {"parameters": {"prompt": "wind", "durationSeconds": 20}}}
    (tmp_path / "night.jsonl").write_text(lines(*told, {**full, "priority": "high"}))
    result = musicgen("batch", "night.jsonl")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "track1\ntrack2\ntrack3\n", "")
    jobs = list(studio.jobs.jobs.values())
    assert [job.priority for job in jobs] == [job.PRIORITY_LOW for job in jobs[:2]] + [
        jobs[2].PRIORITY_HIGH
    ]
    parameters = [job.spec.generate.parameters for job in jobs]
    assert [one.prompt for one in parameters] == ["rain", "snow", "wind"]
    assert [one.duration_seconds for one in parameters] == [90, 0, 20]
    assert parameters[0].seed == 7
    assert {job.batch_id for job in jobs} == {"batch1"}
    assert studio.jobs.masks == [
        ["batch_id", "progress", "result", "error", "attempt", "end_time"]
    ]  # thousands of jobs are not sent whole


def test_a_batch_for_scripts(musicgen: Musicgen) -> None:
    """One document with the counters, and what came of each line; 1 if a line failed."""
    told = lines({"prompt": "rain"}) + "\n" + lines({"prompt": "fail DISK_FULL"})
    result = musicgen("batch", "-", "--json", input=told)
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    (batch,) = answer["batches"]
    assert (batch["counts"]["succeeded"], batch["counts"]["failed"]) == (1, 1)
    assert batch["end_time"]
    rain, full = answer["jobs"]
    assert (rain["line"], rain["state"], rain["track_ids"]) == (1, "succeeded", ["track1"])
    assert (full["line"], full["error"]["reason"]) == (3, "DISK_FULL")
    failed = musicgen("batch", "-", input=told)
    assert failed.stdout == "track1\n"
    assert "line 3, job job2 failed: It failed: DISK_FULL." in failed.stderr


def test_the_same_lines_make_nothing_twice(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """Run again they are found, however they are laid out; --run makes them anew."""
    studio.faults.lost_replies = 2
    assert musicgen("batch", "-", "--detach", input=RAIN).stdout == "batch1\n"
    again = RAIN.replace(": ", ":   ") + "\n\n"
    assert musicgen("batch", "-", input=again).stdout == "track1\ntrack2\ntrack3\n"
    assert studio.jobs.created == 3
    assert musicgen("batch", "-", "--detach", "--run", "2", input=RAIN).stdout == "batch2\n"
    assert musicgen("batch", "-", "--detach", "--priority", "normal", input=RAIN).exit_code == 0
    assert list(studio.jobs.batches) == ["batch1", "batch2", "batch3"]


def test_many_lines_are_several_batches_and_a_full_queue_tells_how_to_go_on(
    musicgen: Musicgen, studio: ScriptedStudio
) -> None:
    """500 lines each; what was accepted stays so, and the next run adds the rest."""
    assert musicgen("queue", "pause").exit_code == 0
    many = lines(*({"prompt": f"rain {number}"} for number in range(1001)))
    studio.jobs.room = 600
    error = error_of(musicgen("batch", "-", "--detach", "--json", input=many))
    assert (error["reason"], error["exit_code"]) == ("QUEUE_FULL", 5)
    assert "500 jobs" in error["message"]
    assert error["metadata"]["batch_ids"] == "batch1"
    assert "again" in error["remedy"]
    studio.jobs.room = 2000
    assert musicgen("batch", "-", "--detach", input=many).stdout == "batch1\nbatch2\nbatch3\n"
    assert [batch.size for batch in studio.jobs.batches.values()] == [500, 500, 1]
    prompts = [job.spec.generate.parameters.prompt for job in list(studio.jobs.jobs.values())]
    assert prompts == [f"rain {number}" for number in range(1001)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "There is no line"),
        ("\n \n", "There is no line"),
        ("rain", "line 1: It is not valid JSON"),
        (lines({"prompt": "rain"}) + "{", "line 2: It is not valid JSON"),
        (lines({"prompt": ""}), "line 1: The prompt is empty"),
        (lines({}), "line 1: The prompt is empty"),
        (lines([1]), "line 1: It is not valid JSON (it is no object)"),
        (lines({"prompt": 7}), "line 1: prompt must be text"),
        (lines({"prompt": "x", "seed": "7"}), "line 1: seed must be a whole number"),
        (lines({"prompt": "x", "seed": -1}), "line 1: seed must be 0 to"),
        (lines({"prompt": "x", "duration": True}), "line 1: duration must be seconds"),
        (lines({"prompt": "x", "duration": "long"}), "line 1: 'long' is no length"),
        (lines({"prompt": "x", "duration": -1}), "line 1: duration_seconds must be a positive"),
        ('{"prompt": "x", "duration": NaN}\n', "line 1: It is not valid JSON (NaN"),
        (lines({"prompt": "x", "length": 3}), "line 1: 'length' is not known here"),
        (lines({"prompt": "x", "options": []}), "line 1: options must be an object"),
        (lines({"prompt": "x", "priority": "urgent"}), "line 1: priority must be one of"),
        (lines({"prompt": "x", "priority": 3}), "line 1: priority must be one of"),
        (lines({"prompt": "\udcff"}), "line 1: The prompt is not valid"),
        (lines({"loop": {"nonesuch": 1}}), "line 1: It is no job"),
        (lines({"loop": {}, "export": {}}), "line 1: It is no job"),
        (lines({"loop": {}, "prompt": "x"}), "line 1: It is no job"),
        (lines({"prompt": "rain"}, {"prompt": ""}, {"x": 1}), "2 of 3 lines are wrong; the first"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_nothing_is_asked_for(
    musicgen: Musicgen, studio: ScriptedStudio, text: str, fault: str
) -> None:
    """With what is wrong in it, and exit code 2."""
    error = error_of(musicgen("batch", "-", "--json", input=text))
    assert error["exit_code"] == 2
    assert fault in error["message"]
    assert error["remedy"]
    assert studio.jobs.created == 0


def test_bytes_that_are_no_text_are_refused(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path
) -> None:
    """The line is named; a file that isn't there is not found."""
    (tmp_path / "bad.jsonl").write_bytes(b'{"prompt": "rain"}\n{"prompt": "\xff"}\n')
    assert "line 2" in error_of(musicgen("batch", "bad.jsonl", "--json"))["message"]
    assert musicgen("batch", "nonesuch.jsonl").exit_code == 3
    assert studio.jobs.created == 0


def test_what_the_studio_refuses_names_the_line(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """In the message and in the fields; the batch is not accepted in part."""
    told = "\n" + lines({"prompt": "rain"}, {"prompt": "snow", "duration": "11h"})
    error = error_of(musicgen("batch", "-", "--json", input=told))
    assert error["message"].startswith("line 3: The composer makes up to")
    assert error["fields"] == {
        "line 3 spec.generate.parameters.duration_seconds": "must be 5 to 600"
    }
    assert studio.jobs.created == 0


def test_ctrl_c_leaves_the_jobs_and_says_how_to_come_back(
    musicgen: Musicgen, studio: ScriptedStudio
) -> None:
    """The jobs go on; the same command follows them again."""

    def press() -> None:
        while not studio.jobs.cursors:
            threading.Event().wait(0.01)
        threading.Event().wait(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    assert musicgen("queue", "pause").exit_code == 0
    pressing = threading.Thread(target=press)
    pressing.start()
    error = error_of(musicgen("batch", "-", "--json", input=RAIN))
    pressing.join()
    assert (error["exit_code"], error["reason"]) == (130, "CANCELLED")
    assert "musicgen watch --batch batch1" in error["remedy"]
    assert "musicgen batches cancel batch1" in error["remedy"]
    assert musicgen("queue", "resume").exit_code == 0
    assert musicgen("batch", "-", input=RAIN).stdout == "track1\ntrack2\ntrack3\n"
    assert studio.jobs.created == 3
