"""Parts made anew, styles from music and checks of lyrics, with an engine of a file."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from musicgen.artifacts import sha256_of
from musicgen.testing.fake_engine import SAMPLE_RATE_HZ, expected_samples
from musicgen.testing.signals import sine
from tests.contract.inference.conftest import engines_file
from tests.e2e.studio import Studio, studio

pytestmark = pytest.mark.e2e

WORDS = f"la\n{'la ' * 20}\n{'la ' * 40}"


@pytest.fixture(scope="module")
def singing() -> Iterator[Studio]:
    """A studio that has the fake engine, too."""
    folder = Path(tempfile.mkdtemp(prefix="mg-sing-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUSICGEN_ENGINES_FILE", str(engines_file(folder / "engines.json")))
        with studio(folder) as running:
            yield running
    shutil.rmtree(folder, ignore_errors=True)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what a command printed as JSON."""
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def pcm(path: Path) -> Any:
    """Return the samples of a file as they are stored."""
    return soundfile.read(path, dtype="int16", always_2d=True)[0]


def test_parts_are_made_anew(singing: Studio, tmp_path: Path) -> None:
    """Of a piece that was sung, parts are sung again with the words it had; outside of them
    each sample of the file is that of the first, and the second knows what it was made from."""
    first, second, words = tmp_path / "first.flac", tmp_path / "second.flac", tmp_path / "w.txt"
    words.write_text("la\nlo")
    made = told(
        singing.cli(
            "generate", "a tone", "--engine", "fake", "--duration", "3", "--seed", "1",
            "--lyrics-file", str(words), "-o", str(first), "--json",
        )
    )  # fmt: skip
    track_id = made["track"]["track_id"]
    anew = told(
        singing.cli(
            "regenerate", track_id, "--part", "1-1.5", "--part", "2.5-", "--seed", "5",
            "-o", str(second), "--json",
        )
    )  # fmt: skip
    before, after = pcm(first), pcm(second)
    assert before.shape == after.shape == (3 * SAMPLE_RATE_HZ, 2)
    inside = np.zeros(len(before), bool)
    inside[44_100:66_150] = inside[110_250:] = True
    assert (after[~inside] == before[~inside]).all()
    tone = expected_samples(5, 3.0) * 32_768
    assert (after[inside] == tone[inside]).all()
    assert not (after[inside] == before[inside]).all()
    recipe = anew["track"]["recipe"]
    assert anew["track"]["parent_track_id"] == track_id
    assert recipe["edit"]["source"]["reference"] == {"track_id": track_id}
    assert recipe["edit"]["source"]["audio_sha256"] == made["track"]["recipe"]["audio_sha256"]
    assert recipe["edit"]["regenerate"] == [[1, 1.5], [2.5, None]]
    assert recipe["lyrics"] == "[00:00.00]la\n[00:01.50]lo"
    shown = singing.cli("tracks", "show", anew["track"]["track_id"]).stdout
    assert "1-1.5, 2.5-\n" in shown
    assert f"a tone ({track_id})" in shown


def test_candidates_in_the_style_of_a_file(singing: Studio, tmp_path: Path) -> None:
    """The very file that was sent reaches the engine, and each candidate has its seed."""
    like = tmp_path / "like.flac"
    soundfile.write(like, sine(300.0, 44_100), SAMPLE_RATE_HZ)
    done = told(
        singing.cli(
            "generate", "a tone", "--engine", "fake", "--duration", "1", "--seed", "3",
            "--style-file", str(like), "--candidates", "2", "--json",
        )
    )["candidates"]  # fmt: skip
    recipes = [one["track"]["recipe"] for one in done]
    assert [recipe["seed"] for recipe in recipes] == [3, 4]
    sent = {"sha256": sha256_of(like), "frames": 44_100}
    assert [recipe["decisions"]["style_audio"] for recipe in recipes] == [sent] * 2
    assert all(recipe["style_audio"]["sha256"] == sha256_of(like) for recipe in recipes)


def test_lyrics_are_checked(singing: Studio, tmp_path: Path) -> None:
    """From the command line and with REST, before anything is made."""
    words = tmp_path / "words.txt"
    words.write_text(WORDS)
    args = ("lyrics", "check", str(words), "--engine", "fake", "--duration", "9")
    listed = singing.cli(*args)
    assert [line.split("\t")[:2] for line in listed.stdout.splitlines()] == [
        ["2", "warning"],
        ["3", "error"],
    ]
    timed = singing.cli(*args, "--timed")
    assert (listed.returncode, timed.returncode) == (1, 1)
    assert timed.stdout.splitlines()[0] == "[00:00.00]la"
    request = urllib.request.Request(  # noqa: S310  # our own address
        f"{singing.url}/v1/lyrics:check",
        json.dumps({"engine": "fake", "parameters": {"lyrics": WORDS}}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # the same
        found = json.load(answer)["findings"]
    assert [one["severity"] for one in found] == ["SEVERITY_WARNING", "SEVERITY_ERROR"]


def test_what_an_engine_cannot_do_is_said(singing: Studio) -> None:
    """Exit code, field and remedy, and no job that would fail later."""
    made = told(singing.cli("generate", "calm piano", "--duration", "10", "--json"))
    track_id = made["track"]["track_id"]
    jobs = len(told(singing.cli("jobs", "--json"))["jobs"])
    for args, field in (
        (("regenerate", track_id, "--part", "1-2"), "spec.generate.edit.regenerate"),
        (
            ("regenerate", track_id, "--engine", "fake", "--part", "1-99"),
            "spec.generate.edit.regenerate[0]",
        ),
        (("generate", "x", "--style-track", track_id), "spec.generate.style_audio"),
    ):
        refused = singing.cli(*args, "--json")
        error = json.loads(refused.stderr)["error"]
        assert (refused.returncode, list(error["fields"])) == (2, [field])
        assert error["remedy"]
    assert len(told(singing.cli("jobs", "--json"))["jobs"]) == jobs
