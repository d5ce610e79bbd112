from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client.conftest import Musicgen
from tests.contract.client.scripted_jobs import STEPS
from tests.contract.client.scripted_studio import ScriptedStudio

pytestmark = pytest.mark.contract


def jobs_of(musicgen: Musicgen, *args: str) -> list[dict[str, Any]]:
    """List jobs as a script does."""
    found: list[dict[str, Any]] = json.loads(musicgen("jobs", *args, "--json").stdout)["jobs"]
    return found


def test_jobs_lists_all_pages_newest_first(musicgen: Musicgen) -> None:
    """Pages are joined; states and a limit narrow the list."""
    for prompt in ("rain", "fail DISK_FULL", "snow"):
        musicgen("generate", prompt)
    assert [job["job_id"] for job in jobs_of(musicgen)] == ["job3", "job2", "job1"]
    (failed,) = jobs_of(musicgen, "--state", "failed")
    assert failed["error"]["reason"] == "DISK_FULL"
    assert len(jobs_of(musicgen, "--limit", "1")) == 1


def test_jobs_for_scripts_without_json_are_tab_separated(musicgen: Musicgen) -> None:
    """A pipe gets plain lines: no headings, no cut-off columns, no control characters."""
    musicgen("generate", "rain \x1b[31m" + "x" * 300)
    (line,) = musicgen("jobs").stdout.splitlines()
    cells = line.split("\t")
    assert cells[:2] == ["job1", "succeeded"]
    assert cells[-1].endswith("x" * 300)
    assert "\x1b" not in line


def test_a_job_is_shown_cancelled_retried_and_deleted(musicgen: Musicgen) -> None:
    """Each subcommand does its one thing."""
    musicgen("generate", "hang", "--detach")
    assert json.loads(musicgen("jobs", "cancel", "job1", "--json").stdout)["job"]["state"] in {
        "cancelling",
        "cancelled",
    }
    assert musicgen("watch", "job1").exit_code == 1
    shown = musicgen("jobs", "show", "job1").stdout
    assert "cancelled" in shown
    retried = json.loads(musicgen("jobs", "retry", "job1", "--json").stdout)["job"]
    assert retried["retry_of"] == "job1"
    assert json.loads(musicgen("jobs", "delete", "job1", "--json").stdout) == {"deleted": "job1"}
    assert musicgen("jobs", "show", "job1").exit_code == 3
    assert musicgen("jobs", "delete", "job2").exit_code == 2  # it still runs


def test_watch_of_a_job_ends_with_it(musicgen: Musicgen) -> None:
    """A line an event, in order, to the end; the exit code tells how it ended."""
    musicgen("generate", "rain", "--detach")
    result = musicgen("watch", "job1", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert lines[0]["type"] == "snapshot"
    revs = [line["job"]["rev"] for line in lines[1:]]
    assert revs == sorted(set(revs))
    assert lines[-1]["job"]["state"] == "succeeded"


def test_watch_tells_what_can_be_heard(musicgen: Musicgen) -> None:
    """A line an event for programs, with where each preview is; for a log only states."""
    musicgen("generate", "heard", "--detach")
    lines = [json.loads(line) for line in musicgen("watch", "job1", "--json").stdout.splitlines()]
    assert {"changed", "progressed", "previewed"} == {line["type"] for line in lines[1:]}
    previews = [line["job"]["previews"] for line in lines[1:] if line["type"] == "previewed"][-1]
    assert [preview["path"] for preview in previews] == [
        f"/v1/artifacts/job1/1/preview-{number}.flac" for number in range(STEPS)
    ]
    assert [preview["start_frame"] for preview in previews] == [0, 1000, 2000, 3000]
    assert lines[-1]["job"]["previews"] == []
    musicgen("generate", "heard", "--detach")
    states = [line.split("\t")[1] for line in musicgen("watch", "job2").stdout.splitlines()]
    assert len(states) == len(set(states))


def test_watch_of_a_failed_job_exits_1(musicgen: Musicgen) -> None:
    """Plain lines tell each state once."""
    musicgen("generate", "fail DISK_FULL", "--detach")
    result = musicgen("watch", "job1")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "job1\tfailed\tfail DISK_FULL"


def test_watch_of_nothing_that_exists_is_not_found(musicgen: Musicgen) -> None:
    """An unknown job is said to be unknown; it is not waited for."""
    assert musicgen("watch", "nonesuch").exit_code == 3


def test_watch_of_all_goes_on_until_ctrl_c(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """Also through a restart of the studio, which it reports."""

    def restart() -> None:
        while not studio.jobs.cursors:
            threading.Event().wait(0.01)
        threading.Event().wait(0.1)
        studio.stop()
        threading.Event().wait(0.3)
        seen = len(studio.jobs.cursors)
        studio.start()
        while len(studio.jobs.cursors) == seen:
            threading.Event().wait(0.01)
        threading.Event().wait(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    musicgen("generate", "rain")
    thread = threading.Thread(target=restart)
    thread.start()
    result = musicgen("watch", "--json")
    thread.join()
    types = [json.loads(line)["type"] for line in result.stdout.splitlines()]
    assert types[0] == "snapshot"
    assert "disconnected" in types
    assert result.exit_code == 130


def test_tracks_are_listed_shown_edited_and_deleted(
    musicgen: Musicgen, studio: ScriptedStudio
) -> None:
    """The library from the command line."""
    tracks = json.loads(musicgen("tracks", "--json").stdout)["tracks"]
    assert [track["track_id"] for track in tracks] == ["track1", "track2", "track3"]
    assert len(musicgen("tracks", "--query", "track2").stdout.splitlines()) == 1
    assert "82 bpm" in musicgen("tracks", "show", "track1").stdout
    assert "\x1b" not in musicgen("tracks", "show", "track1").stdout
    edited = musicgen(
        "tracks", "edit", "track1", "--title", "Rainy", "--tag", "sleep", "--tag", "rain",
        "--clear", "year", "--json",
    )  # fmt: skip
    track = json.loads(edited.stdout)["track"]
    assert (track["title"], track["tags"], track["year"]) == ("Rainy", ["sleep", "rain"], None)
    assert musicgen("tracks", "edit", "track1").exit_code == 2
    assert musicgen("tracks", "edit", "track1", "--year", "1", "--clear", "year").exit_code == 2
    assert musicgen("tracks", "delete", "track1").exit_code == 2  # nobody is there to ask
    assert "track1" in studio.library.tracks
    assert musicgen("tracks", "delete", "track1", "--yes").exit_code == 0
    assert "track1" not in studio.library.tracks


def test_engines_name_their_options(musicgen: Musicgen) -> None:
    """What can be asked of an engine is in both forms."""
    (engine,) = json.loads(musicgen("engines", "--json").stdout)["engines"]
    assert (engine["name"], engine["state"], engine["max_duration_s"]) == ("composer", "ready", 600)
    assert "tempo_bpm" in musicgen("engines").stdout


def test_health_exits_1_while_a_part_is_down(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """Scripts need not read the answer."""
    assert musicgen("health").exit_code == 0
    studio.system.detail = "no disk"
    result = musicgen("health", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["components"] == [
        {"name": "looper", "serving": False, "detail": "no disk"}
    ]


def test_a_studio_that_asks_for_a_key_gets_it(
    musicgen: Musicgen, studio: ScriptedStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key comes from the environment; without it the remedy says so."""
    studio.system.api_key = "k" * 20
    monkeypatch.delenv("MUSICGEN_API_KEY", raising=False)
    refused = json.loads(musicgen("health", "--json").stderr)["error"]
    assert (refused["reason"], refused["exit_code"]) == ("UNAUTHENTICATED", 2)
    assert "MUSICGEN_API_KEY" in refused["remedy"]
    monkeypatch.setenv("MUSICGEN_API_KEY", "k" * 20)
    assert musicgen("health").exit_code == 0
    monkeypatch.setenv("MUSICGEN_API_KEY", "secret\n")
    assert "secret" not in musicgen("health").stderr


def test_something_else_at_the_address_is_no_studio(
    musicgen: Musicgen, studio: ScriptedStudio
) -> None:
    """An address of plain HTTP gives words and exit code 4, no stack of bytes."""
    result = musicgen("engines", "--address", studio.http.url)
    assert result.exit_code == 4
    assert "Traceback" not in result.stderr


def test_doctor_names_every_finding(musicgen: Musicgen) -> None:
    """The real checks of this machine, in both forms; the exit code is their sum."""
    result = musicgen("doctor", "--json")
    answer = json.loads(result.stdout)
    assert {"python", "disk", "valkey", "envoy"} <= {item["name"] for item in answer["findings"]}
    failed = any(item["verdict"] == "failed" for item in answer["findings"])
    assert result.exit_code == int(failed) == int(not answer["healthy"])
    assert "python" in musicgen("doctor").stdout


def test_a_reader_that_has_seen_enough_is_no_error(musicgen: Musicgen) -> None:
    """`musicgen tracks | head -1` ends without a traceback."""
    assert musicgen("tracks").exit_code == 0  # the studio answers
    command = f"{sys.executable} -m musicgen.cli tracks --json | true"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert ended.stderr == ""


def test_files_beside_a_track_are_listed_and_saved(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path
) -> None:
    """`show` names them; `files` saves all of them, checked, and overwrites none unasked."""
    contents = {"score.mid": b"MThd" * 99, "stem-drums.flac": b"fLaC" * 999}
    track = studio.library.tracks["track1"]
    for name, content in contents.items():
        path = f"/v1/tracks/track1/files/{name}"
        studio.http.made[path] = content
        track.files.add(
            name=name, label=name.upper(), path=path, size_bytes=len(content),
            media_type="audio/midi", sha256=hashlib.sha256(content).hexdigest(),
        )  # fmt: skip
    assert "SCORE.MID (score.mid, 396 B)" in musicgen("tracks", "show", "track1").stdout
    shown = json.loads(musicgen("tracks", "show", "track1", "--json").stdout)["track"]["files"]
    assert [file["name"] for file in shown] == list(contents)

    studio.http.faults.break_downloads_at = [100]
    saved = musicgen("tracks", "files", "track1", "-o", "new/folder")
    assert saved.stdout.splitlines() == [f"new/folder/{name}" for name in contents]
    folder = tmp_path / "new" / "folder"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents

    assert musicgen("tracks", "files", "track1", "-o", "new/folder").exit_code == 2
    track.files[0].sha256 = "0" * 64
    again = ("tracks", "files", "track1", "-o", "new/folder", "--force", "--json")
    assert musicgen(*again).exit_code != 0  # other bytes than the studio said
    assert (folder / "score.mid").read_bytes() == contents["score.mid"]
    track.files[0].sha256 = hashlib.sha256(contents["score.mid"]).hexdigest()
    (first, second) = json.loads(musicgen(*again).stdout)["files"]
    assert (first["path"], second["label"]) == ("new/folder/score.mid", "STEM-DRUMS.FLAC")
    assert sorted(path.name for path in folder.iterdir()) == sorted(contents)

    track.files[1].name = "../../escaped"
    assert musicgen("tracks", "files", "track1", "-o", "deep/er").exit_code == 0
    assert (tmp_path / "deep" / "er" / "escaped").is_file()
    none = musicgen("tracks", "files", "track2", "-o", "none", "--json")
    assert json.loads(none.stdout) == {"files": []}
    assert musicgen("tracks", "files", "gone", "-o", "none").exit_code == 3
    assert not (tmp_path / "none").exists()
