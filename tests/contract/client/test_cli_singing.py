"""Styles, candidates, parts made anew and checks of lyrics from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from musicgen.cli.lyrics import show
from tests.contract.client.conftest import Musicgen
from tests.contract.client.scripted_studio import ScriptedStudio
from tests.contract.client.test_cli_making import CONTENT, error_of, interrupt_once_running
from tests.unit.cli.test_display import Screen, screen
from tests.unit.cli.test_regenerating import RECIPE

pytestmark = pytest.mark.contract

__all__ = ["screen"]
STYLE = [0.5, -0.25] * 256


@pytest.fixture
def sung(studio: ScriptedStudio) -> str:
    """Return the id of a track that an engine sang."""
    track = studio.library.tracks["track1"]
    track.recipe.Clear()
    track.recipe.update(RECIPE)
    return track.track_id


def generated(studio: ScriptedStudio, number: int = 1) -> Any:
    """Return the spec of a job."""
    return studio.jobs.jobs[f"job{number}"].spec.generate


def test_a_style_from_a_file_of_music(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path
) -> None:
    """It is sent once, however many candidates take their style from it."""
    (tmp_path / "like.mp3").write_bytes(CONTENT)
    args = ("generate", "soul", "--style-file", "like.mp3", "--candidates", "2")
    assert musicgen(*args).exit_code == 0
    uploads = {generated(studio, n).style_audio.upload_id for n in (1, 2)}
    assert [bytes(studio.http.uploads[one]) for one in uploads] == [CONTENT]


def test_a_style_from_a_track_or_numbers(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path
) -> None:
    """A track is named; numbers are an option of the engine, beside its others."""
    assert musicgen("generate", "soul", "--style-track", "track2").exit_code == 0
    assert generated(studio).style_audio.track_id == "track2"
    (tmp_path / "style.json").write_text(json.dumps(STYLE))
    args = ("generate", "soul", "--option", "steps=16", "--style")
    assert musicgen(*args, "style.json").exit_code == 0
    assert musicgen(*args, "-", input=json.dumps(STYLE)).exit_code == 0
    for number in (2, 3):
        options = generated(studio, number).parameters.options
        assert list(options["style"]) == STYLE
        assert options["steps"] == 16
        assert not generated(studio, number).HasField("style_audio")


def test_candidates_have_seeds_that_follow_each_other(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path
) -> None:
    """Each is a job and a file of its own, and one document tells them all."""
    top = (1 << 32) - 1
    args = ("--candidates", "3", "--seed", str(top), "-o", "take.flac", "--json")
    result = musicgen("generate", "soul", *args)
    assert result.exit_code == 0, result.stderr
    made = json.loads(result.stdout)["candidates"]
    assert [one["job"]["spec"]["parameters"]["seed"] for one in made] == [top, 0, 1]
    assert [one["output"]["path"] for one in made] == [f"take-{n}.flac" for n in (1, 2, 3)]
    assert len({one["track"]["track_id"] for one in made}) == 3
    assert (tmp_path / "take-3.flac").read_bytes() == CONTENT
    assert studio.jobs.created == 6  # three of them export


def test_candidates_without_a_seed(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """The first one is drawn, and the ids are printed as they come."""
    result = musicgen("generate", "soul", "--candidates", "2", "--detach")
    assert (result.exit_code, result.stdout) == (0, "job1\njob2\n")
    first, second = (generated(studio, n).parameters.seed for n in (1, 2))
    assert second == (first + 1) % (1 << 32)
    assert musicgen("generate", "soul", "--candidates", "2", "--detach").exit_code == 0
    assert generated(studio, 3).parameters.seed != first


def test_candidates_that_fail_or_are_stopped(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """One that fails takes nothing of the others away; Ctrl-C cancels all."""
    studio.faults.failing_jobs = {"job2"}
    failed = musicgen("generate", "soul", "--candidates", "3", "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stderr)["error"]["reason"] == "ENGINE_CRASHED"
    made = json.loads(failed.stdout)["candidates"]
    assert [one["job"]["state"] for one in made] == ["succeeded", "failed", "succeeded"]
    assert [one["track"] is None for one in made] == [False, True, False]
    assert {one["job"]["batch_id"] for one in made} == {"batch1"}
    pressing = interrupt_once_running(studio)
    assert musicgen("generate", "hang", "--candidates", "3").exit_code == 130
    pressing.join()
    stopped = [studio.jobs.jobs[f"job{number}"] for number in (4, 5, 6)]
    assert all(job.state == job.STATE_CANCELLED for job in stopped)
    assert studio.jobs.created == 6


def test_a_candidate_that_cannot_be_saved_ends_the_others(
    musicgen: Musicgen, studio: ScriptedStudio
) -> None:
    """Nobody waits for them any more; none of them runs on unseen."""
    studio.faults.wrong_bytes = True
    args = ("--candidates", "2", "-o", "take.flac", "--json")
    result = musicgen("generate", "soul", *args)
    assert result.exit_code == 1
    assert json.loads(result.stderr)["error"]["reason"] == "CHECKSUM_MISMATCH"
    made = json.loads(result.stdout)["candidates"]
    assert made[0]["track"]["track_id"] == "track1"
    jobs = studio.jobs.jobs.values()
    assert not any(job.state in {job.STATE_QUEUED, job.STATE_RUNNING} for job in jobs)


def test_regenerate_asks_for_what_the_track_was(
    musicgen: Musicgen, studio: ScriptedStudio, sung: str, tmp_path: Path
) -> None:
    """The parts anew, all else as in the recipe; the new track has the old one as its
    parent."""
    args = ("--part", "12.5-20", "--part", "1:05-", "--seed", "9", "-o", "new.flac", "--json")
    result = musicgen("regenerate", sung, *args)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["job"]["spec"]["edit"] == {
        "source": {"track_id": sung},
        "regenerate": [{"start_seconds": 12.5, "end_seconds": 20.0}, {"start_seconds": 65.0}],
    }
    assert (tmp_path / told["output"]["path"]).read_bytes() == CONTENT
    spec = generated(studio)
    assert (spec.engine, spec.parent_track_id, spec.parameters.seed) == ("singer", sung, 9)
    assert spec.parameters.lyrics == RECIPE["decisions"]["lyrics"]
    assert "2 parts of track1 anew: soul" in musicgen("jobs").stdout


def test_regenerate_with_other_words(
    musicgen: Musicgen, studio: ScriptedStudio, sung: str, tmp_path: Path
) -> None:
    """What is given takes the place of what the recipe says."""
    (tmp_path / "words.lrc").write_text("[00:00.00]lo", encoding="utf-8")
    args = ("--lyrics-file", "words.lrc", "--prompt", "jazz", "--option", "steps=8")
    result = musicgen("regenerate", sung, "--part", "0-8", *args)
    assert (result.exit_code, result.stdout) == (0, "track1\n")
    parameters = generated(studio).parameters
    assert (parameters.lyrics, parameters.prompt) == ("[00:00.00]lo", "jazz")
    assert parameters.options["steps"] == 8
    assert not generated(studio).HasField("style_audio")


def test_check_lists_what_is_found(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """By line, for scripts as tab-separated lines; without an error the exit code is 0."""
    args = ("--engine", "singer", "--duration", "1m35s", "--option", "model=base")
    result = musicgen("lyrics", "check", "-", *args, input="la\nwarning\nnote")
    assert result.exit_code == 0
    cells = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line[:2] for line in cells] == [["2", "warning"], ["3", "note"]]
    assert cells[0][3] == "Sing it."
    assert "\x1b" not in result.stdout
    (asked,) = studio.inference.checked
    assert asked.parameters.duration_seconds == 95
    assert asked.parameters.options["model"] == "base"
    assert musicgen("lyrics", "check", "-", "--engine", "singer", input="la").stdout == ""


@pytest.mark.parametrize(("words", "code"), [("la\nerror", 1), ("la\nwarning", 0), ("", 0)])
def test_check_exits_1_for_words_that_are_not_sung(
    musicgen: Musicgen, words: str, code: int
) -> None:
    """However the answer is printed."""
    args = ("lyrics", "check", "-", "--engine", "singer")
    assert musicgen(*args, input=words).exit_code == code
    timed = musicgen(*args, "--timed", input=words)
    lines = [f"[00:{n:02}.00]{line}" for n, line in enumerate(words.splitlines())]
    assert (timed.exit_code, timed.stdout) == (code, "\n".join(lines) + "\n")
    answer = musicgen(*args, "--json", input=words)
    assert answer.exit_code == code
    told = json.loads(answer.stdout)
    assert told["timed_lyrics"].splitlines() == lines
    assert [found["severity"] for found in told["findings"]] == words.split()[1:]


def test_findings_for_people(screen: Screen) -> None:
    """With what helps beneath what is wrong, however long that is."""
    terminal = screen()
    finding = {"line": 3, "severity": "error", "message": "no " * 60, "remedy": "Sing\x1b it."}
    show([finding, {**finding, "line": 0, "severity": "note", "remedy": ""}])
    show([])
    text = " ".join(terminal.text().split())
    assert text.startswith("LINE SEVERITY WHAT 3 error no no")
    assert text.count("no") == 121
    assert "Sing\N{REPLACEMENT CHARACTER} it." in text
    assert " all note no" in text
    assert text.endswith("Every line can be sung as it stands.")


BAD: list[tuple[list[str], int, str]] = [
    (["generate", "x", "--style-track", "a", "--style-file", "like.mp3"], 2, "USAGE"),
    (["generate", "x", "--style", "style.json", "--option", "style=[1]"], 2, "USAGE"),
    (["generate", "x", "--style-file", "nonesuch.mp3"], 3, "FILE_NOT_FOUND"),
    (["generate", "x", "--style", "nonesuch.npy"], 3, "FILE_NOT_FOUND"),
    (["generate", "x", "--style", "like.mp3"], 2, "INVALID_FIELD"),
    (["generate", "x", "--style-track", "\udcff"], 2, "INVALID_FIELD"),
    (["generate", "x", "--candidates", "9"], 2, "USAGE"),
    (["generate", "x", "--candidates", "0"], 2, "USAGE"),
    (["generate", "x", "--candidates", "2", "-o", "-"], 2, "INVALID_FIELD"),
    (["regenerate", "track1"], 2, "USAGE"),
    (["regenerate", "track1", "--part", "8-5"], 2, "INVALID_FIELD"),
    (["regenerate", "track1", "--part", "soon"], 2, "INVALID_FIELD"),
    (["regenerate", "track2", "--part", "0-8"], 2, "INVALID_FIELD"),
    (["regenerate", "nonesuch", "--part", "0-8"], 3, "TRACK_NOT_FOUND"),
    (["regenerate", "track1", "--part", "0-8", "--lyrics-file", "no.txt"], 3, "FILE_NOT_FOUND"),
    (["regenerate", "track1", "--part", "0-8", "--engine", "none"], 3, "MODEL_NOT_FOUND"),
    (["lyrics", "check", "words.txt"], 2, "USAGE"),
    (["lyrics", "check", "nonesuch.txt", "--engine", "singer"], 3, "FILE_NOT_FOUND"),
    (["lyrics", "check", "like.mp3", "--engine", "singer"], 2, "INVALID_LYRICS"),
    (["lyrics", "check", "words.txt", "--engine", "none"], 3, "MODEL_NOT_FOUND"),
    (["lyrics", "check", "words.txt", "--engine", "singer", "--duration", "0"], 2, "INVALID_FIELD"),
]


@pytest.mark.parametrize("case", BAD)
@pytest.mark.usefixtures("sung")
def test_bad_input(
    musicgen: Musicgen,
    studio: ScriptedStudio,
    tmp_path: Path,
    case: tuple[list[str], int, str],
) -> None:
    """An exit code, a reason, and what to do; and no job for it."""
    args, code, reason = case
    (tmp_path / "like.mp3").write_bytes(b"\xff\xfb" * 100)
    (tmp_path / "style.json").write_text(json.dumps(STYLE))
    (tmp_path / "words.txt").write_text("la")
    result = musicgen(*args, "--json")
    error = error_of(result)
    assert (result.exit_code, error["reason"]) == (code, reason), error
    assert error["message"]
    assert error["remedy"]
    assert studio.jobs.created == 0


def test_tracks_show_says_what_made_it(musicgen: Musicgen, sung: str) -> None:
    """The model, what it was computed on and with, and how it made do with memory."""
    shown = musicgen("tracks", "show", sung).stdout
    facts = dict(line.split(maxsplit=1) for line in shown.splitlines() if line.strip())
    wanted = ("model", "device", "precision", "memory")
    assert [facts[name] for name in wanted] == ["base", "cuda", "float16", "offload"]
    others = musicgen("tracks", "show", "track2").stdout
    assert "memory" not in others
