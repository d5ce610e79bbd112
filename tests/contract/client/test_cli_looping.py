"""`musicgen loop` and `musicgen loops` against a small studio."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client.conftest import Musicgen
from tests.contract.client.scripted_studio import ScriptedStudio
from tests.contract.client.test_cli_making import error_of

pytestmark = pytest.mark.contract


def spec_of(musicgen: Musicgen, *args: str) -> dict[str, Any]:
    """Return the spec of the job that a command line makes."""
    result = musicgen(*args, "--detach", "--json")
    assert result.exit_code == 0, result.stderr
    spec: dict[str, Any] = json.loads(result.stdout)["job"]["spec"]
    return spec


def test_every_option_of_a_loop_reaches_the_studio(musicgen: Musicgen) -> None:
    """Points, snapping, ending, fade and format arrive as asked for; nothing else is said."""
    spec = spec_of(
        musicgen, "loop", "track1", "--cycles", "12", "--points", "0:44100", "--snap",
        "--crossfade-ms", "0", "--skip-intro", "--fade", "2.5", "-o", "x.mp3",
    )  # fmt: skip
    assert spec == {
        "source": {"track_id": "track1"},
        "cycles": 12,
        "points": {"end_frame": "44100"},
        "snap_points": True,
        "crossfade_ms": 0.0,
        "skip_intro": True,
        "ending": "ENDING_FADE",
        "fade_seconds": 2.5,
        "format": "AUDIO_FORMAT_MP3",
    }
    assert spec_of(musicgen, "loop", "track1", "--length", "1h", "--ending", "outro") == {
        "source": {"track_id": "track1"},
        "length_seconds": 3600.0,
        "ending": "ENDING_OUTRO",
        "format": "AUDIO_FORMAT_FLAC",
    }


def test_what_rings_on_is_folded_where_loops_says_so(musicgen: Musicgen) -> None:
    """The table names the option that such a cycle needs, and what it asks for arrives."""
    first, second = musicgen("loops", "ringing").stdout.splitlines()
    assert first.endswith("\trings into its start (--fold-tail)")
    assert "--fold-tail" not in second
    spec = spec_of(
        musicgen, "loop", "ringing", "--points", "176400:1587600", "--fold-tail", "--length", "1h"
    )
    assert spec["fold_tail"] is True


def test_a_loop_lasts_until_a_time_of_day(musicgen: Musicgen) -> None:
    """The length is what lies between now and when the clock shows that time."""
    before = datetime.now()
    end = before + timedelta(hours=2)
    length_s = spec_of(musicgen, "loop", "track1", "--until", f"{end:%H:%M:%S}")["length_seconds"]
    passed_s = (datetime.now() - before).total_seconds()
    assert 7199 - passed_s <= length_s <= 7200


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--length", "1h", "--cycles", "3"],
        ["--cycles", "0"],
        ["--length", "1h", "--snap"],
        ["--length", "1h", "--fold-tail"],
        ["--length", "1h", "--points", "0:44100", "--fold-tail", "--crossfade-ms", "5"],
        ["--length", "1h", "--ending", "outro", "--fade", "3"],
        ["--length", "1h", "--ending", "bang"],
        ["--until", "25:00"],
        ["--until", "noon"],
    ],
)
def test_what_contradicts_itself_is_refused_before_any_work(
    musicgen: Musicgen, studio: ScriptedStudio, args: list[str]
) -> None:
    """Nothing is guessed: exit code 2 and what is wrong, and no job."""
    result = musicgen("loop", "track1", *args, "--json")
    assert result.exit_code == 2
    assert error_of(result)["remedy"]
    assert studio.jobs.created == 0


def test_loops_lists_what_was_found(musicgen: Musicgen) -> None:
    """Without a terminal the table is lines of values: rank, times, frames, bars, notes."""
    result = musicgen("loops", "track1")
    assert result.exit_code == 0, result.stderr
    first, second = (line.split("\t") for line in result.stdout.splitlines())
    assert first == [
        "1", "0:04.000", "0:36.000", "176400:1587600", "32.00 s", "16 bars", "0.98", "0.5 ms",
        "0.8", "",
    ]  # fmt: skip
    assert second[-1] == "skips music"


def test_loops_as_json_keep_their_shape(musicgen: Musicgen) -> None:
    """A script gets the candidates with every figure, the job too."""
    answer = json.loads(musicgen("loops", "track1", "--max", "1", "--json").stdout)
    (found,) = answer["loops"]
    assert (found["rank"], found["start_frame"], found["end_frame"]) == (1, 176_400, 1_587_600)
    assert (found["start_s"], found["length_s"]) == (4.0, 32.0)
    assert (found["kind"], found["bars"], found["beats"]) == ("repeat", 16, 64)
    assert (found["tempo_bpm"], found["partial"]) == (120.0, False)
    assert found["seam_path"] == "/v1/artifacts/job1/1/seam-1.flac"
    assert answer["job"]["loops"] == answer["loops"]
    assert answer["job"]["kind"] == "find_loops"
    assert answer["saved"] == []


def test_loops_sends_limits_and_a_file(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path
) -> None:
    """A local file is uploaded; the lengths wanted reach the studio."""
    (tmp_path / "take.wav").write_bytes(b"RIFF" * 100)
    result = musicgen(
        "loops", "take.wav", "--max", "8", "--min-length", "0.5", "--max-length", "1m", "--json"
    )
    spec = json.loads(result.stdout)["job"]["spec"]
    assert bytes(studio.http.uploads[spec.pop("source")["upload_id"]]) == b"RIFF" * 100
    assert spec == {"max_candidates": 8, "min_seconds": 0.5, "max_seconds": 60.0}


def test_points_and_seams_are_saved(musicgen: Musicgen, tmp_path: Path) -> None:
    """Each points file comes by its extension; the seams go to a folder, made if need be."""
    result = musicgen(
        "loops", "track1", "--save-points", "a.csv", "--save-points", "b.TXT",
        "--save-seams", "seams", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "a.csv").read_bytes() == b"loops.csv" * 100
    assert (tmp_path / "b.TXT").read_bytes() == b"loops.txt" * 100
    seams = sorted(path.name for path in (tmp_path / "seams").iterdir())
    assert seams == ["seam-1.flac", "seam-2.flac"]
    saved = json.loads(result.stdout)["saved"]
    assert saved == ["a.csv", "b.TXT", "seams/seam-1.flac", "seams/seam-2.flac"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["track1", "--save-points", "x.xml"], 2),
        (["track1", "--save-points", "there.csv"], 2),
        (["track1", "--save-seams", "there.csv"], 2),
        (["track1", "--max", "9"], 2),
        (["track1", "--min-length", "long"], 2),
        (["nonesuch.wav"], 3),
    ],
)
def test_what_could_not_be_saved_is_refused_before_any_work(
    musicgen: Musicgen, studio: ScriptedStudio, tmp_path: Path, args: list[str], code: int
) -> None:
    """A file that is there is kept, and no job is made in vain."""
    (tmp_path / "there.csv").write_text("precious")
    result = musicgen("loops", *args, "--json")
    assert result.exit_code == code
    assert error_of(result)["remedy"]
    assert studio.jobs.created == 0
    assert (tmp_path / "there.csv").read_text() == "precious"


def test_no_loop_tells_the_nearest_miss(musicgen: Musicgen, studio: ScriptedStudio) -> None:
    """Audio in which nothing repeats well is work that failed, with what comes nearest and
    how to use that all the same."""
    studio.faults.nothing_repeats = True
    result = musicgen("loops", "track1", "--json")
    error = error_of(result)
    assert (result.exit_code, error["reason"]) == (1, "NO_LOOP_FOUND")
    assert error["metadata"]["best_end_frame"] == "441000"
    assert "musicgen loop track1 --points 44100:441000" in error["remedy"]
    plain = musicgen("loops", "track1")
    assert "0.61 of 0.80" in plain.stderr
    assert "44100:441000" in plain.stderr


def test_jobs_say_which_loops_they_are_about(musicgen: Musicgen) -> None:
    """The list of jobs tells a search for loops from a loop, by length or by cycles."""
    musicgen("loops", "track1")
    musicgen("loop", "track2", "--cycles", "3")
    what = [line.split("\t")[-2:] for line in musicgen("jobs").stdout.splitlines()]
    assert what == [["loop", "track2 3 times"], ["find_loops", "loops of track1"]]
