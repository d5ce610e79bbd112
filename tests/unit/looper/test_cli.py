from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from musicgen.audio.codecs import Format, probe
from services.looper.cli.commands import cli
from tests.unit.looper import signals
from tests.unit.looper.files import read, write

pytestmark = pytest.mark.unit

PERIOD = 200_003


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two and a half cycles of music, with a title."""
    path = tmp_path_factory.mktemp("music") / "song.flac"
    with soundfile.SoundFile(path, "w", 44_100, 2, format="FLAC") as file:
        file.title = "Rain"
        file.write(signals.music(PERIOD, 2.5, bars=4)[0])
    return path


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Audio without a loop."""
    return write(tmp_path_factory.mktemp("noise") / "noise.wav", signals.noise(8))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A text whose name says that it is audio."""
    path = tmp_path / "text.wav"
    path.write_text("This is a text.\n" * 100)
    return path


def run(*args: str | Path) -> Result:
    """Run a command line."""
    return CliRunner().invoke(cli, [str(arg) for arg in args])


def answers(*args: str | Path, code: int = 0) -> list[dict[str, Any]]:
    """Return what `find --json` prints."""
    result = run("find", "--json", *args)
    assert result.exit_code == code
    assert result.stderr == ""
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_find_prints_what_it_found(song: Path) -> None:
    """As JSON: frames, scores, all that was measured, and how the seam would be."""
    (answer,) = answers(song)
    assert (answer["track"], answer["file"]) == ("song", str(song))
    assert answer["found"] is True
    assert answer["sample_rate_hz"] == 44_100
    start, end, score = answer["top"][0]
    assert end - start == PERIOD
    assert 0.95 < score <= 1
    assert len(answer["top"]) == len(answer["loops"])
    best = answer["loops"][0]
    assert (best["start_frame"], best["end_frame"], best["kind"]) == (start, end, "repeat")
    assert answer["seam"]["transition"] == "cut"
    assert answer["seam"]["faults"] == []


def test_find_prints_a_table(song: Path, noise: Path) -> None:
    """For people: a row for each cycle, and the verdict where there is none."""
    result = run("find", "--max", "1", song, noise)
    assert result.exit_code == 0
    assert f"{PERIOD / 44_100:.3f} s" in result.stdout
    assert "seam: cut, clean" in result.stdout
    assert f"{noise}: no loop. " in result.stdout.replace("\n", " ")


def test_find_writes_the_cycle_as_it_repeats(song: Path, tmp_path: Path) -> None:
    """In a folder that is made if need be."""
    folder = tmp_path / "made" / "cycles"
    (answer,) = answers("--cycles-dir", folder, song)
    start, end, _ = answer["top"][0]
    assert answer["cycle"] == str(folder / "song.flac.cycle.wav")
    assert np.array_equal(read(folder / "song.flac.cycle.wav"), read(song)[start:end])


def test_lengths_narrow_the_search(song: Path) -> None:
    """What is shorter or longer is left out."""
    (answer,) = answers("--min-length", "1m", song)
    assert answer["found"] is False
    (answer,) = answers("--max-length", "0:05", song)
    assert [end - start for start, end, _ in answer["top"]] == [PERIOD]


def test_that_there_is_no_loop_is_an_answer(noise: Path) -> None:
    """With the reason, and what came nearest."""
    (answer,) = answers(noise)
    assert answer["found"] is False
    assert answer["top"] == []
    assert "repeat" in answer["why"]
    assert "passing_score" in answer["near_miss"]


def test_a_file_that_can_not_be_read_fails_alone(song: Path, text: Path, tmp_path: Path) -> None:
    """The others are answered all the same, and the exit code tells."""
    missing = tmp_path / "none.wav"
    found = answers("--max", "1", text, song, missing, code=1)
    assert [answer["found"] for answer in found] == [False, True, False]
    for answer in (found[0], found[2]):
        assert answer["error"]["reason"] == "INVALID_AUDIO"
        assert answer["error"]["remedy"]
    result = run("find", text)
    assert result.exit_code == 1
    assert "can't be read" in result.stdout


@pytest.mark.parametrize("format", Format)
def test_render_writes_each_format(song: Path, tmp_path: Path, format: Format) -> None:
    """By the name's extension, and says how it did it."""
    out = tmp_path / "new" / f"night.{format.extension.upper()}"
    result = run("render", song, "--length", "8", "--out", out, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    facts = probe(out)
    assert facts.format is format
    assert facts.duration_frames == told["length_frames"]
    assert told["length_frames"] == 8 * facts.sample_rate_hz
    assert told["size_bytes"] == out.stat().st_size
    assert told["loop"]["end_frame"] - told["loop"]["start_frame"] == PERIOD
    assert told["seam"]["clean"] is True
    assert told["method"] in ("spliced", "encoded")
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert b"Rain" in out.read_bytes(), "the title is kept"


def test_render_takes_points_cycles_and_an_ending(song: Path, tmp_path: Path) -> None:
    """And says it in a line."""
    out = tmp_path / "a.wav"
    given = ("--start", "50000", "--end", str(50_000 + PERIOD - 30))
    result = run("render", song, *given, "--snap", "--cycles", "3", "--skip-intro", "--fade", "2",
                 "--out", out)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert probe(out).duration_frames == 3 * PERIOD
    assert result.stdout.startswith(f"{out}: 13.606 s, 2.4 MB, spliced in ")
    assert "seam: cut, clean" in result.stdout
    assert np.abs(read(out)[-100:]).max() < 0.01


def test_render_folds_a_tail_and_keeps_a_crossfade(song: Path, tmp_path: Path) -> None:
    """As asked for."""
    given = ("render", song, "--start", "0", "--end", "400000", "--cycles", "2", "--json", "--out")
    folded = json.loads(run(*given, tmp_path / "a.wav", "--fold-tail").stdout)
    assert folded["seam"]["transition"] == "tail"
    result = run(*given[:-2], "--out", tmp_path / "b.wav", "--crossfade-ms", "80")
    assert "seam: crossfade of 80 ms" in result.stdout


def test_a_file_that_is_there_stays(song: Path, tmp_path: Path) -> None:
    """Unless --force is given."""
    out = tmp_path / "a.wav"
    out.write_text("mine")
    asked = ("render", song, "--length", "8", "--out", out)
    result = run(*asked)
    assert result.exit_code == 1
    assert "is there already" in result.stderr
    assert "--force" in result.stderr
    assert out.read_text() == "mine"
    assert run(*asked, "--force").exit_code == 0
    assert probe(out).duration_frames == 8 * 44_100


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ([], "length"),
        (["--length", "8", "--cycles", "2"], "length"),
        (["--length", "0.5"], "length"),
        (["--length", "11h"], "length"),
        (["--length", "8", "--start", "0"], "end"),
        (["--length", "8", "--start", "9", "--end", "9000000"], "end"),
        (["--cycles", "99999"], "spec.cycles"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_is_named(song: Path, tmp_path: Path, args: list[str], field: str) -> None:
    """The error names the field and the remedy; nothing is written."""
    out = tmp_path / "a.wav"
    result = run("render", song, *args, "--out", out, "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["error"]["reason"] == "INVALID_FIELD"
    assert told["error"]["remedy"]
    assert list(told["fields"]) == [field]
    assert list(tmp_path.iterdir()) == []


def test_errors_have_a_reason_and_a_remedy(
    song: Path, noise: Path, text: Path, tmp_path: Path
) -> None:
    """No loop, no audio, no format: exit code 1, and nothing left behind."""
    for file, name, reason in (
        (noise, "a.wav", "NO_LOOP_FOUND"),
        (text, "a.wav", "INVALID_AUDIO"),
        (song, "a.xyz", "UNSUPPORTED_FORMAT"),
        (song, "noname", "UNSUPPORTED_FORMAT"),
    ):
        result = run("render", file, "--length", "8", "--out", tmp_path / "out" / name, "--json")
        assert result.exit_code == 1
        error = json.loads(result.stdout)["error"]
        assert error["reason"] == reason
        assert error["remedy"]
        result = run("render", file, "--length", "8", "--out", tmp_path / "out" / name)
        assert result.stdout == ""
        assert result.stderr.startswith("Error: ")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [text]


@pytest.mark.parametrize(
    "args",
    [
        ["render", "a.wav", "--out", "b.wav", "--length", "long"],
        ["render", "a.wav", "--out", "b.wav", "--until", "25:00"],
        ["render", "a.wav", "--out", "b.wav", "--length", "60", "--ending", "cut", "--fade", "9"],
        ["find", "a.wav", "--max-length", "x"],
        ["find", "a.wav", "--min-length", "20", "--max-length", "10"],
        ["find", "a.wav", "--cycles-dir", "/dev/null/cycles"],
    ],
    ids=["length", "time", "fade", "longest", "shortest", "folder"],
)
def test_values_that_make_no_sense_are_told(args: list[str]) -> None:
    """In a sentence, with a remedy."""
    result = run(*args)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 2


@pytest.mark.parametrize(
    "args",
    [["find"], ["render"], ["render", "a.wav", "--out", "b.wav", "--start", "-1"], ["play"]],
    ids=["no file", "no output", "below zero", "no command"],
)
def test_a_wrong_command_line_has_an_exit_code_of_its_own(args: list[str]) -> None:
    """2, and how it is used."""
    result = run(*args)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def test_a_place_that_can_not_be_written_is_told(song: Path, tmp_path: Path) -> None:
    """The file's name and the reason."""
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "a.wav"
    result = run("render", song, "--start", "0", "--end", "90000", "--length", "8", "--out", out)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {out} can't be written (")


def test_help_shows_examples() -> None:
    """Of each command."""
    for command in ("find", "render"):
        result = run(command, "--help")
        assert result.exit_code == 0
        assert f"python -m services.looper {command} song.flac" in result.stdout


def test_a_cycle_is_never_written_over_another_file(song: Path, tmp_path: Path) -> None:
    """Neither over its source nor over the cycle of a file of the same name."""
    first, second = tmp_path / "a" / "x.wav", tmp_path / "b" / "x.wav"
    for path in (first, second, tmp_path / "a" / "x.wav.cycle.wav"):
        path.parent.mkdir(exist_ok=True)
        write(path, read(song))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}
    for files, why in (
        ((first, second), "same name"),
        ((first, tmp_path / "a" / "x.wav.cycle.wav"), "over its source"),
    ):
        result = run("find", *files, "--cycles-dir", tmp_path / "a")
        assert result.exit_code == 1
        assert why in result.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
@pytest.mark.parametrize("format", [Format.WAV, Format.MP3, Format.OGG])
def test_a_render_that_is_stopped_leaves_nothing(
    song: Path, tmp_path: Path, format: Format, number: signal.Signals
) -> None:
    """Neither a file nor a part of one; the exit code is that of the signal."""
    out = tmp_path / f"out.{format.extension}"
    asked = ["render", song, "--start", "0", "--end", str(PERIOD), "--length", "10h", "--out", out]
    process = subprocess.Popen(
        [sys.executable, "-m", "services.looper", *map(str, asked)], stderr=subprocess.PIPE
    )
    try:
        while process.poll() is None and not list(tmp_path.glob(".out*")):
            time.sleep(0.01)
        process.send_signal(number)
        _, told = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert told.decode().splitlines() == ["Stopped; nothing was written."]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--snap", "--fold-tail"])
def test_what_moves_points_needs_points(song: Path, tmp_path: Path, option: str) -> None:
    """And says so."""
    result = run("render", song, option, "--length", "60", "--out", tmp_path / "a.wav")
    assert result.exit_code == 1
    assert f"{option} needs --start and --end" in result.stderr
