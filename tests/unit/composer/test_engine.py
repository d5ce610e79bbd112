"""The engine as a whole: length, sound, progress, cancel."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.engine.base import MIX_FILE, Parameters, Reported
from musicgen.errors import Cancelled, InvalidField, InvalidPrompt
from musicgen.progress import Progress
from services.inference.engines.composer.__main__ import main
from services.inference.engines.composer.engine import Composer
from services.inference.engines.composer.profiles import PROFILES
from tests.unit.composer.measure import (
    RATE_HZ,
    Made,
    band_share_db,
    chroma,
    ignore,
    loudness_lufs,
    make,
    power_db,
    side_to_mid_db,
    tempo_strength,
    true_peak_db,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("duration_s", [5.0, 5.37, 11.0001, 33.333])
def test_length_is_exact(tmp_path: Path, duration_s: float) -> None:
    """The piece has the asked number of frames and ends in silence."""
    made = make(tmp_path, "40 bpm lofi" if duration_s < 6 else "pop", duration_s)
    assert len(made.audio) == round(duration_s * RATE_HZ)
    assert np.abs(made.audio[-4:]).max() < 1e-4
    assert power_db(made.audio[: RATE_HZ * 2]) > -60


@pytest.mark.parametrize("family", PROFILES)
def test_each_family_is_a_finished_master(tmp_path: Path, family: str) -> None:
    """Loudness, peaks, width, mono lows, offset and balance of the spectrum."""
    made = make(tmp_path, "evening", 12.0, genre=family)
    audio = made.audio
    assert loudness_lufs(audio) == pytest.approx(-14.0, abs=0.6)
    assert true_peak_db(audio) <= -1.0
    assert np.abs(audio).max() < 0.95
    assert np.abs(audio.mean(axis=0)).max() < 1e-3
    assert -20 < side_to_mid_db(audio) < -1
    assert side_to_mid_db(audio, below_hz=110.0) < -12
    assert band_share_db(audio, 20, 250) > -16
    assert band_share_db(audio, 500, 2000) > -14
    assert band_share_db(audio, 5000, 16_000) > -38
    # Nothing stops dead in the middle.
    seconds = audio[: 9 * RATE_HZ].reshape(9, RATE_HZ, 2)
    assert min(power_db(second) for second in seconds) > -45


def test_explicit_tempo_is_heard(tmp_path: Path) -> None:
    """The onsets repeat at the asked tempo, more than at tempi near it."""
    made = make(tmp_path, "house, 90 bpm", 24.0, tempo_bpm=121)
    assert made.generation.tempo_bpm == 121.0
    strength = {bpm: tempo_strength(made.audio, bpm) for bpm in range(105, 140)}
    assert max(strength, key=lambda bpm: strength[bpm]) == 121


@pytest.mark.parametrize(("key", "mode"), [("C", "major"), ("F#", "minor"), ("Bb", "dorian")])
def test_explicit_key_is_heard(tmp_path: Path, key: str, mode: str) -> None:
    """The seven tones of the scale hold the energy, the tonic among the strongest."""
    made = make(tmp_path, "folk with piano and strings, no drums", 20.0, key=key, mode=mode)
    assert made.generation.musical_key == f"{key} {mode}"
    scale = {
        "major": (0, 2, 4, 5, 7, 9, 11),
        "minor": (0, 2, 3, 5, 7, 8, 10),
        "dorian": (0, 2, 3, 5, 7, 9, 10),
    }[mode]
    tonic = {"C": 0, "F#": 6, "Bb": 10}[key]
    energy = np.roll(chroma(made.audio), -tonic)
    assert energy[list(scale)].sum() / energy.sum() > 0.68
    assert np.argsort(-energy).tolist().index(0) < 4


def test_prompts_sound_different(tmp_path: Path) -> None:
    """Genre words change the sound; an unknown word changes the notes."""
    house, sleep = make(tmp_path, "driving house"), make(tmp_path, "calm sleep")
    assert band_share_db(house.audio, 20, 90) > band_share_db(sleep.audio, 20, 90) + 2

    def flux(made: Made) -> float:
        return float(np.abs(np.diff(np.abs(made.audio).mean(axis=1))).mean())

    assert flux(house) > 1.5 * flux(sleep)
    known, unknown = make(tmp_path, "lofi", 6.0), make(tmp_path, "lofi zorbulant", 6.0)
    assert known.sha256 != unknown.sha256
    assert "zorbulant" in unknown.generation.decisions["ignored"]


def test_sections_differ(tmp_path: Path) -> None:
    """The piece moves: its seconds differ in level, and no two choruses are copies."""
    made = make(tmp_path, "synthwave, 120 bpm", 45.0)
    plan = made.plan
    kinds = [section["kind"] for section in plan["sections"]]
    assert len(set(kinds)) >= 4
    levels = [power_db(made.audio[i * RATE_HZ : (i + 1) * RATE_HZ]) for i in range(42)]
    assert max(levels) - min(levels) > 3


def test_cancel_acts_in_the_middle(tmp_path: Path) -> None:
    """What `report` raises comes through, and nothing is left half-written as the mix."""
    seen: list[Progress] = []

    def report(progress: Reported) -> None:
        if not isinstance(progress, Progress):
            return
        seen.append(progress)
        if progress.stage == "recording" and progress.fraction > 0.4:
            raise Cancelled("Cancelled by the test.")

    with pytest.raises(Cancelled):
        Composer().generate(Parameters("epic cinematic", "", 60.0, 1, {}), tmp_path, report)
    assert not (tmp_path / MIX_FILE).exists()
    assert seen[-1].stage == "recording"


def test_progress_is_honest(tmp_path: Path) -> None:
    """Stages come in order, fractions never fall, reports come often, sections are named."""
    seen: list[Progress] = []
    times: list[float] = []

    def report(progress: Reported) -> None:
        if isinstance(progress, Progress):
            seen.append(progress)
        times.append(time.thread_time())

    made = Composer().generate(
        Parameters("jazz with strings", "words", 30.0, 1, {}), tmp_path, report
    )
    stages = list(dict.fromkeys(progress.stage for progress in seen))
    assert stages == ["composing", "soundcheck", "recording", "mastering"]
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    assert max(np.diff(times)) < 0.5
    assert "lyrics (the composer does not sing)" in made.decisions["ignored"]
    assert any("section 2 of" in progress.detail for progress in seen)


def test_decisions_are_plain_json(tmp_path: Path) -> None:
    """The recipe holds the plan and what was understood and ignored, as JSON."""
    made = make(tmp_path, "sad castle waltz in C minor, 90 bpm", 6.0)
    decisions = json.loads(json.dumps(dict(made.generation.decisions)))
    assert decisions["understood"]["tonic"] == 0
    assert decisions["understood"]["moods"] == ["sad"]
    assert decisions["ignored"] == ["castle"]
    assert decisions["plan"]["key"] == "C minor"
    assert made.generation.title == "Sad Castle Waltz"


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_refused(tmp_path: Path, prompt: str) -> None:
    """There must be a word."""
    with pytest.raises(InvalidPrompt):
        Composer().generate(Parameters(prompt, "", 10.0, 1, {}), tmp_path, ignore)


@pytest.mark.parametrize("duration_s", [0.0, 4.99, 601.0, -1.0, float("nan")])
def test_lengths_out_of_range_are_refused(tmp_path: Path, duration_s: float) -> None:
    """The manifest's range holds."""
    with pytest.raises(InvalidField):
        Composer().generate(Parameters("lofi", "", duration_s, 1, {}), tmp_path, ignore)


def test_command_writes_mix_and_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The module's own command makes a piece; a bad option tells what is wrong."""
    arguments = ["solo harp", "--duration", "5", "--seed", "3", "--out", str(tmp_path / "new")]
    assert main(arguments) == 0
    assert soundfile.info(tmp_path / "new" / "mix.wav").frames == 5 * RATE_HZ
    plan = json.loads((tmp_path / "new" / "plan.json").read_text())
    assert plan["plan"]["parts"] == {"bass": "harp", "chords": "harp", "lead": "harp"}
    assert main([*arguments, "--options", '{"key": "H"}']) == 2
    assert "options.key" in capsys.readouterr().err
