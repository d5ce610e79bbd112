from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from musicgen.api.jobs.v1 import job_pb2
from tests.contract.client.conftest import Musicgen
from tests.contract.client.scripted_studio import ScriptedStudio

pytestmark = pytest.mark.contract

CONTENT = bytes(range(256)) * 4000


def error_of(result: Result) -> dict[str, Any]:
    """Return the error that a command printed as JSON, which is all of its stderr."""
    error: dict[str, Any] = json.loads(result.stderr)["error"]
    assert error["exit_code"] == result.exit_code
    assert result.stdout == ""
    return error


def interrupt_once_running(studio: ScriptedStudio, *, twice: bool = False) -> threading.Thread:
    """Press Ctrl-C as soon as a job runs, and once more when that has cancelled it."""

    def press_when(holds: Callable[[job_pb2.Job], bool]) -> None:
        while not any(holds(job) for job in list(studio.jobs.jobs.values())):
            threading.Event().wait(0.01)
        threading.Event().wait(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    def press() -> None:
        press_when(lambda job: job.attempt > 0)
        if twice:
            # Two signals at once would count as one.
            press_when(lambda job: job.state == job.STATE_CANCELLING)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


def test_generate_saves_the_exported_file(musicgen: Musicgen, tmp_path: Path) -> None:
    """The file is the export job's, saved whole, and its path is all of stdout."""
    result = musicgen("generate", "rain", "--duration", "60", "--seed", "7", "-o", "out.flac")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "out.flac\n", "")
    assert (tmp_path / "out.flac").read_bytes() == CONTENT
    assert {path.name for path in tmp_path.iterdir()} == {"out.flac", "home"}


def test_generate_sends_what_was_asked_for(musicgen: Musicgen, tmp_path: Path) -> None:
    """Every option reaches the studio in its own type."""
    (tmp_path / "words.txt").write_text("la la\nlö", encoding="utf-8")
    result = musicgen(
        "generate", "rain", "--duration", "1m30s", "--seed", "0", "--engine", "composer",
        "--lyrics-file", "words.txt", "--option", "tempo_bpm=82", "--option", "key=A minor",
        "--json",
    )  # fmt: skip
    spec = json.loads(result.stdout)["job"]["spec"]
    parameters = spec["parameters"]
    assert spec["engine"] == "composer"
    assert parameters["duration_seconds"] == 90
    assert parameters["seed"] == 0
    assert parameters["lyrics"] == "la la\nlö"
    assert parameters["options"] == {"tempo_bpm": 82, "key": "A minor"}


def test_generate_json_describes_job_track_and_file(musicgen: Musicgen) -> None:
    """A script gets one document with everything."""
    result = musicgen("generate", "rain", "-o", "out.mp3", "--json")
    answer = json.loads(result.stdout)
    assert answer["job"]["state"] == "succeeded"
    assert answer["track"]["track_id"] == answer["job"]["track_ids"][0]
    assert answer["track"]["audio"]["duration_s"] == 60.0
    assert answer["output"] == {
        "path": "out.mp3",
        "format": "mp3",
        "size_bytes": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
    }


def test_generate_to_stdout_is_only_audio(musicgen: Musicgen) -> None:
    """With -o - nothing but the file's bytes is on stdout."""
    result = musicgen("generate", "rain", "-o", "-")
    assert result.exit_code == 0
    assert result.stdout_bytes == CONTENT


def test_generate_without_output_prints_the_track(musicgen: Musicgen) -> None:
    """The track stays in the library, and its id is the answer."""
    result = musicgen("generate", "rain")
    assert (result.exit_code, result.stdout) == (0, "track1\n")


def test_detach_prints_the_job_and_leaves(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """The job goes on; the command does not wait for it."""
    result = musicgen("generate", "hang", "--detach")
    assert (result.exit_code, result.stdout) == (0, "job1\n")
    assert not studio.jobs.jobs["job1"].HasField("end_time")


def test_an_existing_file_is_refused_before_any_work(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path
) -> None:
    """Nothing is overwritten without --force, and no job is made in vain."""
    (tmp_path / "out.flac").write_text("precious")
    refused = musicgen("generate", "rain", "-o", "out.flac", "--json")
    assert refused.exit_code == 2
    assert "--force" in error_of(refused)["remedy"]
    assert studio.jobs.created == 0
    assert (tmp_path / "out.flac").read_text() == "precious"
    assert musicgen("generate", "rain", "-o", "out.flac", "--force").exit_code == 0
    assert (tmp_path / "out.flac").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("out.aiff", "UNSUPPORTED_FORMAT"),
        ("out", "UNSUPPORTED_FORMAT"),
        ("nowhere/out.flac", "INVALID_FIELD"),
        ("home.flac/", "INVALID_FIELD"),
        ("-", "INVALID_FIELD"),
    ],
)
def test_a_bad_output_is_refused_before_any_work(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path, output: str, reason: str
) -> None:
    """A name that can't be saved costs no minute of work."""
    (tmp_path / "home.flac").mkdir()
    result = musicgen("generate", "rain", "-o", output, "--json")
    assert (result.exit_code, error_of(result)["reason"]) == (2, reason)
    assert studio.jobs.created == 0


@pytest.mark.parametrize(
    ("args", "code", "reason"),
    [
        (["generate", ""], 2, "INVALID_PROMPT"),
        (["generate", "   "], 2, "INVALID_PROMPT"),
        (["generate", "x" * 10_000], 2, "INVALID_PROMPT"),
        (["generate", "rain \udcff"], 2, "INVALID_PROMPT"),
        (["generate", "rain", "--duration", "-5"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--duration", "0"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--duration", "nan"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--duration", "inf"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--duration", "11h"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--engine", "nonesuch"], 3, "MODEL_NOT_FOUND"),
        (["generate", "rain", "--engine", "\udcff"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--seed", "4294967296"], 2, "USAGE"),
        (["generate", "rain", "--option", "tempo"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--option", "a=1", "--option", "a=2"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--option", f"seed=1{'0' * 400}"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--option", "seed=1e999"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--option", f"a={'[' * 300}{']' * 300}"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--option", 'a="\\udcff"'], 2, "INVALID_FIELD"),
        (["generate", "rain", "--option", "a=\udcff"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--option", "\udcff=1"], 2, "INVALID_FIELD"),
        (["generate", "rain", "--lyrics-file", "nonesuch"], 3, "FILE_NOT_FOUND"),
        (["generate", "rain", "--lyrics-file", "latin1.txt"], 2, "INVALID_LYRICS"),
        (["generate", "rain", "--lyrics-file", "huge.txt"], 2, "MESSAGE_TOO_LARGE"),
        (["generate", "rain", "--nonesuch"], 2, "USAGE"),
        (["generate"], 2, "USAGE"),
        (["nonesuch"], 2, "USAGE"),
        (["generate", "fail DISK_FULL"], 5, "DISK_FULL"),
        (["generate", "fail OUT_OF_MEMORY"], 5, "OUT_OF_MEMORY"),
        (["generate", "fail ENGINE_CRASHED"], 1, "ENGINE_CRASHED"),
        (["generate", "fail SERVICE_UNAVAILABLE"], 1, "SERVICE_UNAVAILABLE"),
        (["loop", "track1", "--length", "11h"], 2, "INVALID_FIELD"),
        (["loop", "track1", "--length", "1h", "--points", "9:5"], 2, "INVALID_FIELD"),
        (["loop", "track1"], 2, "USAGE"),
        (["loop", "nonesuch.wav", "--length", "1h"], 3, "FILE_NOT_FOUND"),
        (["jobs", "show", "nonesuch"], 3, "JOB_NOT_FOUND"),
        (["jobs", "show", "\udcff"], 2, "INVALID_FIELD"),
        (["tracks", "show", "nonesuch"], 3, "TRACK_NOT_FOUND"),
        (["jobs", "--address", "nonsense"], 2, "INVALID_FIELD"),
    ],
)
def test_bad_input_gets_reason_remedy_and_exit_code(
    musicgen: Musicgen, tmp_path: Path, args: list[str], code: int, reason: str
) -> None:
    """No traceback, never: an exit code, a reason, and what to do."""
    (tmp_path / "latin1.txt").write_bytes("lö".encode("latin-1"))
    (tmp_path / "huge.txt").write_text("la " * 2_000_000)
    result = musicgen(*args, "--json")
    error = error_of(result)
    assert (result.exit_code, error["reason"]) == (code, reason), error
    assert error["message"]
    assert error["remedy"]


def test_people_read_message_remedy_and_reason(musicgen: Musicgen) -> None:
    """Without --json the same is said in plain lines, and nothing steers the terminal."""
    result = musicgen("generate", "rain", "--engine", "none\x1b[31msuch")
    assert result.exit_code == 3
    assert "Error: There is no engine" in result.stderr
    assert "musicgen engines" in result.stderr
    assert "MODEL_NOT_FOUND" in result.stderr
    assert "\x1b" not in result.stderr


def test_without_a_studio_the_exit_code_is_4(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """The remedy says how to start one."""
    studio.stop()
    result = musicgen("engines", "--json")
    assert result.exit_code == 4
    assert "musicgen up" in error_of(result)["remedy"]


def test_ctrl_c_cancels_the_job(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """The first Ctrl-C asks the studio to cancel, waits for that, and exits 130."""
    pressing = interrupt_once_running(studio)
    result = musicgen("generate", "hang", "-o", "out.flac", "--json")
    pressing.join()
    assert result.exit_code == 130
    assert error_of(result)["reason"] == "CANCELLED"
    job = studio.jobs.jobs["job1"]
    assert job.state == job.STATE_CANCELLED


def test_a_second_ctrl_c_leaves_at_once(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """Whoever does not want to wait for the cancelled job needs not."""
    pressing = interrupt_once_running(studio, twice=True)
    started_s = time.monotonic()
    result = musicgen("generate", "stubborn", "--json")
    pressing.join()
    assert result.exit_code == 130
    assert time.monotonic() - started_s < 3
    job = studio.jobs.jobs["job1"]
    assert job.state == job.STATE_CANCELLING


def test_loop_sends_a_local_file(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path
) -> None:
    """A file is uploaded, resumed where it broke off, and looped as an upload."""
    (tmp_path / "take.wav").write_bytes(CONTENT)
    studio.http.faults.break_uploads_at = [100_000]
    result = musicgen(
        "loop", "take.wav", "--length", "1h", "--points", "0:44100", "-o", "hour.flac", "--json"
    )
    assert result.exit_code == 0, result.stderr
    spec = json.loads(result.stdout)["job"]["spec"]
    assert bytes(studio.http.uploads[spec["source"]["upload_id"]]) == CONTENT
    assert spec["length_seconds"] == 3600
    assert spec["points"]["end_frame"] == "44100"
    assert (tmp_path / "hour.flac").read_bytes() == CONTENT


def test_export_names_the_file_itself(musicgen: Musicgen, tmp_path: Path) -> None:
    """Without -o the studio's name for the file is taken, inside this folder."""
    result = musicgen("export", "track1")
    assert (result.exit_code, result.stdout) == (0, "Rainy Night.flac\n")
    assert (tmp_path / "Rainy Night.flac").read_bytes() == CONTENT


def test_wrong_bytes_are_never_saved(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path
) -> None:
    """What does not have the job's checksum is refused, and leaves no file."""
    studio.faults.wrong_bytes = True
    result = musicgen("export", "track1", "-o", "out.flac", "--json")
    assert (result.exit_code, error_of(result)["reason"]) == (1, "CHECKSUM_MISMATCH")
    assert {path.name for path in tmp_path.iterdir()} == {"home"}
