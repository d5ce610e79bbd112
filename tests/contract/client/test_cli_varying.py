from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client.conftest import Musicgen
from tests.contract.client.scripted_studio import ScriptedStudio
from tests.contract.client.test_cli_making import CONTENT, error_of
from tests.unit.cli.test_plans import PLAN, RECIPE

pytestmark = pytest.mark.contract


@pytest.fixture
def planned(studio: ScriptedStudio) -> str:
    """Return the id of a track that the composer made."""
    track = studio.library.tracks["track1"]
    track.recipe.Clear()
    track.recipe.update(RECIPE)
    return track.track_id


def with_plan(**changes: Any) -> bytes:
    """Return a plan's file with some values changed."""
    return json.dumps({**PLAN, **changes}).encode()


def generated(studio: ScriptedStudio, number: int = 1) -> Any:
    """Return the spec of a job."""
    return studio.jobs.jobs[f"job{number}"].spec.generate


def test_vary_makes_the_piece_anew_in_a_layer(
    musicgen: Musicgen, studio: ScriptedStudio, planned: str, tmp_path: Path
) -> None:
    """The plan, prompt and seed are the track's; the layer's seed is the one given."""
    result = musicgen("vary", planned, "--layer", "lead", "--seed", "9", "-o", "new.flac")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "new.flac\n", "")
    assert (tmp_path / "new.flac").read_bytes() == CONTENT
    spec = generated(studio)
    assert spec.parent_track_id == planned
    assert dict(spec.parameters.options["seeds"]) == {"lead": 9}
    assert spec.parameters.seed == 7
    assert spec.parameters.options["plan"]["title"] == "Night track1 (new melody)"


def test_vary_makes_several_each_with_seeds_of_its_own(
    musicgen: Musicgen, planned: str, tmp_path: Path
) -> None:
    """Files are numbered; without --layer all but plan and sounds is new."""
    result = musicgen("vary", planned, "--count", "2", "-o", "take.mp3", "--json")
    assert result.exit_code == 0, result.stderr
    made = json.loads(result.stdout)["variations"]
    assert [one["output"]["path"] for one in made] == ["take-1.mp3", "take-2.mp3"]
    assert {path.name for path in tmp_path.iterdir()} == {"take-1.mp3", "take-2.mp3", "home"}
    assert [one["job"]["state"] for one in made] == ["succeeded", "succeeded"]
    specs = [one["job"]["spec"] for one in made]
    assert all(spec["parent_track_id"] == planned for spec in specs)
    seeds = [spec["parameters"]["options"]["seeds"] for spec in specs]
    assert [sorted(one) for one in seeds] == [["drums", "harmony", "lead"]] * 2
    assert seeds[0] != seeds[1]
    titles = [spec["parameters"]["options"]["plan"]["title"] for spec in specs]
    assert titles[1] == "Night track1 (new harmony, drums, melody 2)"


def test_vary_counts_on_from_a_seed_and_leaves_detached(
    musicgen: Musicgen, studio: ScriptedStudio, planned: str
) -> None:
    """A seed makes the whole series again; --detach prints a job a line."""
    top = str((1 << 32) - 1)
    args = ("--layer", "drums", "--seed", top, "--count", "2", "--detach")
    result = musicgen("vary", planned, *args)
    assert (result.exit_code, result.stdout) == (0, "job1\njob2\n")
    drums = [generated(studio, n).parameters.options["seeds"]["drums"] for n in (1, 2)]
    assert drums == [int(top), 0]


@pytest.mark.parametrize("output", [[], ["-o", "take.flac"]])
def test_what_was_made_before_a_failure_is_told(
    musicgen: Musicgen, studio: ScriptedStudio, planned: str, output: list[str]
) -> None:
    """One document on stdout with what there is, then the error on stderr."""
    studio.faults.failing_jobs = {"job3"}
    args = ("--count", "3", *output)
    result = musicgen("vary", planned, *args, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["error"]["reason"] == "ENGINE_CRASHED"
    made = json.loads(result.stdout)["variations"]
    paths = [one["output"] and one["output"]["path"] for one in made]
    assert paths == (["take-1.flac", "take-2.flac", None] if output else [None, None, None])
    assert all(one["track"]["track_id"] in one["job"]["track_ids"] for one in made[:2])
    assert (made[2]["job"]["state"], made[2]["track"]) == ("failed", None)


@pytest.mark.parametrize("command", [["generate", "rain"], ["vary", "track1"]])
@pytest.mark.usefixtures("planned")
def test_a_track_whose_file_fails_is_told(
    musicgen: Musicgen, studio: ScriptedStudio, command: list[str]
) -> None:
    """It is in the library, and a script must know its id."""
    studio.faults.wrong_bytes = True
    result = musicgen(*command, "-o", "out.flac", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["error"]["reason"] == "CHECKSUM_MISMATCH"
    told = json.loads(result.stdout)
    made = told["variations"][0] if "variations" in told else told
    assert made["track"]["track_id"] == "track1"
    assert made["output"] is None


def test_people_read_what_was_made_before_a_failure(
    musicgen: Musicgen, studio: ScriptedStudio, planned: str
) -> None:
    """Each variation is told as soon as it is there."""
    studio.faults.failing_jobs = {"job2"}
    result = musicgen("vary", planned, "--count", "2")
    assert (result.exit_code, result.stdout) == (1, "track1\n")
    assert "ENGINE_CRASHED" in result.stderr


@pytest.mark.parametrize(
    ("args", "code", "refusal"),
    [
        (["track2"], 2, "INVALID_FIELD: Track track2 has no plan"),
        (["nonesuch"], 3, "TRACK_NOT_FOUND: "),
        (["track1", "--layer", "melody"], 2, "INVALID_FIELD: There is no layer 'melody'"),
        (["track1", "--layer", "title"], 2, "INVALID_FIELD: There is no layer 'title'"),
        (["track1", "--layer", "bass"], 2, "INVALID_FIELD: The piece has no bass"),
        (["track1", "--layer", "texture"], 2, "INVALID_FIELD: The piece has no background"),
        (["track1", "--count", "0"], 2, "USAGE: "),
        (["track1", "--count", "2", "-o", "-"], 2, "INVALID_FIELD: stdout can carry only one"),
        (["track1", "--seed", "-1"], 2, "USAGE: "),
        (["track1", "-o", "out.aiff"], 2, "UNSUPPORTED_FORMAT: "),
    ],
)
@pytest.mark.usefixtures("planned")
def test_what_cannot_vary_is_refused_before_any_work(
    musicgen: Musicgen, studio: ScriptedStudio, args: list[str], code: int, refusal: str
) -> None:
    """A message that says what is wrong, a remedy, an exit code, and no job."""
    result = musicgen("vary", *args, "--json")
    error = error_of(result)
    assert result.exit_code == code
    assert f"{error['reason']}: {error['message']}".startswith(refusal)
    assert error["remedy"]
    assert studio.jobs.created == 0


def test_generate_takes_a_plan_with_its_prompt_and_seed(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path
) -> None:
    """What is given on the command line wins over what the file says."""
    told = {"prompt": "rain", "seed": 3, "plan": PLAN}
    (tmp_path / "plan.json").write_text(json.dumps(told))
    assert musicgen("generate", "--plan", "plan.json").exit_code == 0
    parameters = generated(studio).parameters
    assert (parameters.prompt, parameters.seed) == ("rain", 3)
    assert parameters.duration_seconds == 24.5
    assert parameters.options["plan"]["tempo_bpm"] == 120
    args = ("wind", "--seed", "4", "--option", "key=D")
    assert musicgen("generate", *args, "--plan", "-", input=json.dumps(PLAN)).exit_code == 0
    parameters = generated(studio, 2).parameters
    assert (parameters.prompt, parameters.seed, parameters.duration_seconds) == ("wind", 4, 24.5)
    assert parameters.options["key"] == "D"
    assert parameters.options["plan"]["metre"] == "4/4"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "INVALID_FIELD"),
        (b"{", "INVALID_FIELD"),
        (b"\xff\xfe\xff", "INVALID_FIELD"),
        (b"[" * 100_000, "INVALID_FIELD"),
        (b"[]", "INVALID_FIELD"),
        (b"null", "INVALID_FIELD"),
        (b"7", "INVALID_FIELD"),
        (b'"plan"', "INVALID_FIELD"),
        (b'{"plan": {}}', "INVALID_FIELD"),
        (b'{"plan": []}', "INVALID_FIELD"),
        (with_plan(tempo_bpm=10**400), "INVALID_FIELD"),
        (with_plan(tempo_bpm=10**4000), "INVALID_FIELD"),
        (b'{"sections": [], "tempo_bpm": ' + b"1" * 5_000 + b"}", "INVALID_FIELD"),
        (with_plan(tempo_bpm=math.nan), "INVALID_FIELD"),
        (with_plan(tempo_bpm=math.inf), "INVALID_FIELD"),
        (b'{"sections": [], "tempo_bpm": 1e999}', "INVALID_FIELD"),
        (with_plan(parts={"lead": "\udcff"}), "INVALID_FIELD"),
        (with_plan(**{"\udcff": 1}), "INVALID_FIELD"),
        (with_plan(title="\udcff"), "INVALID_PROMPT"),
        (b'{"sections": ' + b"[" * 300 + b"]" * 300 + b"}", "INVALID_FIELD"),
        (json.dumps({"seed": "7", "plan": PLAN}).encode(), "INVALID_FIELD"),
        (json.dumps({"seed": -1, "plan": PLAN}).encode(), "INVALID_FIELD"),
        (json.dumps({"seed": 10**400, "plan": PLAN}).encode(), "INVALID_FIELD"),
        (json.dumps({"prompt": "\udcff", "plan": PLAN}).encode(), "INVALID_PROMPT"),
    ],
    ids=lambda value: repr(value)[:30] if isinstance(value, bytes) else "",
)
def test_a_file_that_is_no_plan_is_refused(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path, data: bytes, reason: str
) -> None:
    """With what to do about it, and never with a traceback."""
    (tmp_path / "plan.json").write_bytes(data)
    result = musicgen("generate", "--plan", "plan.json", "--json")
    error = error_of(result)
    assert (result.exit_code, error["reason"]) == (2, reason)
    assert error["remedy"]
    assert studio.jobs.created == 0


@pytest.mark.parametrize("name", ["nonesuch.json", "home"])
def test_a_plan_that_cannot_be_read_is_not_found(musicgen: Musicgen, name: str) -> None:
    """A file that isn't there, or is a folder."""
    result = musicgen("generate", "--plan", name, "--json")
    assert (result.exit_code, error_of(result)["reason"]) == (3, "FILE_NOT_FOUND")


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("--option", "plan={}"), ("--plan", "--option plan=")),
        (("--duration", "20"), ("--plan", "--duration")),
    ],
)
def test_what_contradicts_a_plan_is_refused(
    musicgen: Musicgen, tmp_path: Path, args: tuple[str, ...], named: tuple[str, ...]
) -> None:
    """Nobody guesses which one is meant; both are named."""
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    result = musicgen("generate", "--plan", "plan.json", *args, "--json")
    error = error_of(result)
    assert (result.exit_code, error["reason"]) == (2, "USAGE")
    assert all(option in error["message"] for option in named)


def test_show_tells_the_plan_of_a_track(musicgen: Musicgen, planned: str) -> None:
    """What was understood, what was ignored, and how the piece goes."""
    shown = musicgen("tracks", "show", planned).stdout
    assert "understood   120 bpm, lofi, warm" in shown
    assert "ignored      purple" in shown
    assert "form         12 bars of 4/4: intro·4 A·8" in shown


def test_help_shows_how_it_is_used(musicgen: Musicgen) -> None:
    """With examples."""
    for command in ("vary", "generate"):
        helped = musicgen(command, "--help").stdout
        assert f"musicgen {command} " in helped.partition("Examples:")[2]
    assert "vary" in musicgen("--help").stdout
