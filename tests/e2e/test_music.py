"""The main job from the command line: a prompt becomes a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.e2e.studio import Studio, thrice
from tests.unit.looper import signals
from tests.unit.looper.files import write

pytestmark = pytest.mark.e2e

PROMPT = "warm lofi hip hop, 82 bpm, rainy night"


def samples(path: Path) -> str:
    """Return a hash of the audio itself, without tags."""
    audio, rate = soundfile.read(path, dtype="int16", always_2d=True)
    assert (rate, audio.shape[1]) == (44_100, 2)
    return hashlib.sha256(audio.tobytes()).hexdigest()


def generate(studio: Studio, path: Path, prompt: str = PROMPT, seed: int = 7) -> None:
    """Make a minute of music."""
    done = studio.cli("generate", prompt, "--duration", "60", "--seed", str(seed), "-o", str(path))
    assert done.returncode == 0, done.stderr


def test_a_minute_of_music(shared_studio: Studio, tmp_path: Path) -> None:
    """A prompt gives 60 s of stereo; the same seed the same samples, others other music."""
    first, again, seed, prompt = (tmp_path / f"{name}.flac" for name in "abcd")
    generate(shared_studio, first)
    info = soundfile.info(first)
    assert (info.format, info.samplerate, info.channels) == ("FLAC", 44_100, 2)
    assert abs(info.duration - 60.0) <= 0.1
    audio, _ = soundfile.read(first, dtype="float32")
    assert 0.02 < float(np.sqrt(np.mean(audio**2))) < 0.5
    assert float(np.abs(audio).max()) < 1.0
    generate(shared_studio, again)
    generate(shared_studio, seed, seed=8)
    generate(shared_studio, prompt, "fast techno, 140 bpm, F# minor")
    assert samples(first) == samples(again)
    assert len({samples(path) for path in (first, seed, prompt)}) == 3


def test_every_format_has_the_tags(shared_studio: Studio, tmp_path: Path) -> None:
    """A track's tags are edited and arrive in every format."""
    made = shared_studio.cli(
        "generate", "calm piano", "--duration", "10", "--json", "-o", str(tmp_path / "a.flac")
    )
    assert made.returncode == 0, made.stderr
    tracks = json.loads(shared_studio.cli("tracks", "--json").stdout)
    track = (tracks["tracks"] if isinstance(tracks, dict) else tracks)[0]
    track_id = track["track_id"]
    done = shared_studio.cli(
        "tracks",
        "edit",
        track_id,
        "--title",
        "Nachtregen – №1",
        "--artist",
        "Ada",
        "--year",
        "2026",
    )
    assert done.returncode == 0, done.stderr
    for extension in ("flac", "wav", "mp3"):
        path = tmp_path / f"out.{extension}"
        done = shared_studio.cli("export", track_id, "-o", str(path))
        assert done.returncode == 0, done.stderr
        info = soundfile.info(path)
        assert abs(info.duration - 10.0) <= 0.1
        data = path.read_bytes()
        assert "Nachtregen – №1".encode() in data or "Nachtregen – №1".encode("utf-16-le") in data
        assert b"Ada" in data or "Ada".encode("utf-16-le") in data


def test_a_track_is_looped_to_an_exact_length(shared_studio: Studio, tmp_path: Path) -> None:
    """A track is looped to two minutes, sample-exact, and knows what it was made from."""
    made = shared_studio.cli(
        "generate", "house, 120 bpm, A minor", "--duration", "40", "--seed", "3",
        "-o", str(tmp_path / "a.flac"),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    track_id = shared_studio.get("/v1/tracks?pageSize=1")["tracks"][0]["trackId"]
    path = tmp_path / "loop.flac"
    done = shared_studio.cli("loop", track_id, "--length", "2m", "-o", str(path))
    assert done.returncode == 0, done.stderr
    assert soundfile.info(path).frames == 120 * 44_100
    newest = shared_studio.get("/v1/tracks?pageSize=1")["tracks"][0]
    assert newest["parentTrackId"] == track_id


def test_loops_are_found_chosen_and_looped(shared_studio: Studio, tmp_path: Path) -> None:
    """A track's own points, and what it repeats besides, are listed with their seams and
    points files; a cycle that is chosen is played as often as asked for, and the result knows
    how clean its seam is."""
    track = thrice(shared_studio)["track"]
    track_id, period = track["track_id"], track["audio"]["duration_frames"] // 3
    done = shared_studio.cli(
        "loops", track_id, "--json", "--save-points", str(tmp_path / "points.csv"),
        "--save-seams", str(tmp_path / "seams"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    best = json.loads(done.stdout)["loops"][0]
    assert (best["kind"], best["length_frames"]) == ("own", period)
    assert 0 <= best["start_frame"] < best["end_frame"] <= 3 * period
    assert str(best["start_frame"]) in (tmp_path / "points.csv").read_text()
    seam = soundfile.info(tmp_path / "seams" / "seam-1.flac")
    assert (seam.samplerate, seam.channels) == (44_100, 2)
    assert 1 <= seam.duration <= 60

    path = tmp_path / "three.flac"
    points = f"{best['start_frame']}:{best['end_frame']}"
    done = shared_studio.cli(
        "loop", track_id, "--points", points, "--cycles", "3", "--skip-intro", "--json",
        "-o", str(path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert soundfile.info(path).frames == 3 * period
    seam_report = json.loads(done.stdout)["track"]["recipe"]["seam"]
    assert seam_report["clean"] is True
    assert seam_report["transition"] in ("cut", "crossfade", "tail")


def test_a_take_that_rings_out_is_looped_with_its_tail(
    shared_studio: Studio, tmp_path: Path
) -> None:
    """The one pass of a file is found, and what rings on after it is folded into its start."""
    take = write(tmp_path / "take.wav", signals.played([signals.composed(8, 1)], ring_s=1.5))
    done = shared_studio.cli("loops", str(take), "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["loops"]
    assert found["kind"] == "tail"
    path = tmp_path / "loop.opus"
    done = shared_studio.cli(
        "loop", str(take), "--points", f"{found['start_frame']}:{found['end_frame']}",
        "--fold-tail", "--length", "1m30s", "--json", "-o", str(path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert soundfile.info(path).frames == 90 * 48_000
    assert json.loads(done.stdout)["track"]["recipe"]["seam"]["transition"] == "tail"


def test_cancel_from_the_command_line(shared_studio: Studio) -> None:
    """A job is cancelled in the middle and ends CANCELLED within moments."""
    started = shared_studio.cli("generate", "drone", "--duration", "300", "--detach", "--json")
    assert started.returncode == 0, started.stderr
    job = json.loads(started.stdout)
    job_id = job["job"]["job_id"]
    assert shared_studio.cli("jobs", "cancel", job_id).returncode == 0
    watched = shared_studio.cli("watch", job_id, "--json", timeout_s=20)
    assert "cancelled" in watched.stdout
