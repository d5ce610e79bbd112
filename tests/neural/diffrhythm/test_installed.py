"""Songs of an installed model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from musicgen.engine.base import MIX_FILE, Edit, Generation, Parameters, TimeRange
from musicgen.errors import InvalidAudio, InvalidField, ModelNotFound, ModelNotInstalled
from services.inference.engines.diffrhythm.checkpoints import Checkpoint, InstalledCheckpoint
from services.inference.engines.diffrhythm.engine import DiffRhythm, DiffRhythmTiny
from services.inference.engines.diffrhythm.recording import SEAM_SAMPLES
from services.inference.engines.diffrhythm.style import synthetic_style
from services.inference.models.manager import ModelManager
from tests.neural.diffrhythm.studio import MODEL, install, write_music

pytestmark = pytest.mark.unit

LYRICS = "Hello world\nthe rain is falling on the town\n"


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelManager]:
    """The models of this process's studio."""
    with pytest.MonkeyPatch.context() as patch:
        yield install(tmp_path_factory.mktemp("studio"), patch)


@pytest.fixture(scope="module")
def engine(manager: ModelManager) -> Iterator[DiffRhythmTiny]:
    """An engine that finds it."""
    del manager
    with contextlib.closing(DiffRhythmTiny()) as it:
        yield it


def sung(
    engine: DiffRhythm, folder: Path, prompt: str = "warm rock", **more: Any
) -> tuple[Generation, np.ndarray[Any, Any]]:
    """Make a song of 6 s; return what was said of it, and its samples [samples, 2]."""
    folder.mkdir(exist_ok=True)
    options = {"steps": 3, "precision": "full"} | more.pop("options", {})
    asked = Parameters(prompt, LYRICS, 6.0, 7, options, **more)
    made = engine.generate(asked, folder, lambda _: None)
    samples, _ = soundfile.read(folder / MIX_FILE, always_2d=True, dtype="float32")
    return made, np.asarray(samples)


def test_an_installed_model_sings(
    engine: DiffRhythmTiny, manager: ModelManager, tmp_path: Path
) -> None:
    """Before the one that needs no files; what was used is told, and the style is kept."""
    made, samples = sung(engine, tmp_path)
    assert samples.shape == (6 * 44_100, 2)
    assert (made.decisions["model"], made.decisions["precision"]) == (MODEL, "float32")
    assert made.rung == "full"
    assert engine.loaded_models() == (MODEL,)
    kept = list((manager.root / "styles").iterdir())
    again = sung(engine, tmp_path / "again")[1]
    assert np.array_equal(again, samples)
    assert list((manager.root / "styles").iterdir()) == kept
    other = sung(engine, tmp_path / "other", options={"model": "tiny"})
    assert other[0].decisions["model"] == "tiny"
    assert not np.allclose(other[1], samples, atol=1e-3)


def test_a_style_comes_from_words_music_or_numbers(engine: DiffRhythmTiny, tmp_path: Path) -> None:
    """Each is another; music and numbers win over the prompt."""
    music = write_music(tmp_path / "m.wav")
    numbers = [float(one) for one in synthetic_style("any")[0]]
    heard = [
        sung(engine, tmp_path / "a")[1],
        sung(engine, tmp_path / "b", "slow jazz piano")[1],
        sung(engine, tmp_path / "c", style_audio=music)[1],
        sung(engine, tmp_path / "d", options={"style": numbers})[1],
    ]
    for number, one in enumerate(heard):
        assert all(not np.allclose(one, other, atol=1e-3) for other in heard[:number])
    same = sung(engine, tmp_path / "e", "another prompt", style_audio=music)[1]
    assert np.array_equal(same, heard[2])


def test_music_for_a_style_must_be_long_enough(engine: DiffRhythmTiny, tmp_path: Path) -> None:
    """Ten seconds are heard."""
    with pytest.raises(InvalidAudio, match="needs 10 s"):
        sung(engine, tmp_path, style_audio=write_music(tmp_path / "m.wav", 3.0))


def test_parts_are_made_anew_and_the_rest_is_as_it_was(
    engine: DiffRhythmTiny, tmp_path: Path
) -> None:
    """Each sample outside of the parts and 93 ms to their sides is that of the source; the
    result is as long, also where the source ends within a latent."""
    source = write_music(tmp_path / "source.wav", 10.3)
    before, _ = soundfile.read(source, dtype="float32", always_2d=True)
    parts = [TimeRange(2.0, 3.5), TimeRange(8.0)]
    made, after = sung(engine, tmp_path / "edit", edit=Edit(source, parts))
    assert made.decides_length
    assert after.shape == before.shape
    touched = np.zeros(len(before), bool)
    for start_s, end_s in ((2.0, 3.5), (8.0, 10.3)):
        low, high = (round(at * 44_100) for at in (start_s, end_s))
        touched[low - SEAM_SAMPLES : high + SEAM_SAMPLES] = True
    assert np.array_equal(after[~touched], before[~touched])
    for at_s in (2.7, 9.0):
        at = slice(round(at_s * 44_100), round(at_s * 44_100) + 4_410)
        assert not np.allclose(after[at], before[at], atol=0.01)
    # No click where old and new meet: no step is larger than within either.
    steps = np.abs(np.diff(after, axis=0)).max(axis=1)
    seams = [round(at * 44_100) for at in (2.0, 3.5)]
    assert max(steps[at - 4_096 : at + 4_096].max() for at in seams) <= steps.max() + 1e-6
    assert np.abs(after).max() <= 1.0


def test_parts_may_lie_side_by_side(engine: DiffRhythmTiny, tmp_path: Path) -> None:
    """Also so near to each other that their seams meet, at the start and at the end."""
    source = write_music(tmp_path / "source.wav", 6.0)
    before, _ = soundfile.read(source, dtype="float32", always_2d=True)
    parts = [TimeRange(0.0, 1.0), TimeRange(1.1, 1.5), TimeRange(1.5, 2.0), TimeRange(5.0, 6.0)]
    after = sung(engine, tmp_path / "edit", edit=Edit(source, parts))[1]
    kept = slice(int(2.15 * 44_100), int(4.85 * 44_100))
    assert np.array_equal(after[kept], before[kept])
    for at_s in (0.5, 1.3, 1.7, 5.5):
        at = slice(round(at_s * 44_100), round(at_s * 44_100) + 4_410)
        assert not np.allclose(after[at], before[at], atol=0.01)


def test_a_piece_of_hours_is_refused_unread(engine: DiffRhythmTiny, tmp_path: Path) -> None:
    """It says how long one may be."""
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 8_000, 1) as file:
        for _ in range(200):
            file.write(np.zeros(8_000))
    with pytest.raises(InvalidAudio, match="lasts 200 s"):
        sung(engine, tmp_path, edit=Edit(tmp_path / "long.flac", [TimeRange(1.0, 2.0)]))


def test_an_edit_takes_any_rate_and_mono(engine: DiffRhythmTiny, tmp_path: Path) -> None:
    """It comes back in stereo at the engine's rate."""
    time = np.arange(6 * 22_050) / 22_050
    soundfile.write(tmp_path / "m.flac", 0.3 * np.sin(2 * np.pi * 330 * time), 22_050)
    edit = Edit(tmp_path / "m.flac", [TimeRange(1.0, 2.0)])
    assert sung(engine, tmp_path / "edit", edit=edit)[1].shape == (6 * 44_100, 2)


def test_a_model_is_loaded_before_it_is_needed(manager: ModelManager, tmp_path: Path) -> None:
    """Load brings it; a song then begins with its steps. A name that is none is refused."""
    del manager
    with contextlib.closing(DiffRhythmTiny()) as engine:
        assert engine.loaded_models() == ()
        engine.load(MODEL, lambda _: None)
        assert engine.loaded_models() == (MODEL,)
        assert sung(engine, tmp_path)[0].decisions["model"] == MODEL
        with pytest.raises(ModelNotFound):
            engine.load("another", lambda _: None)


def test_without_a_model_there_is_no_song(manager: ModelManager, tmp_path: Path) -> None:
    """It says how to install one; half precision where the hardware has none is refused."""
    del manager
    with contextlib.closing(DiffRhythm()) as engine, pytest.raises(ModelNotInstalled) as refused:
        sung(engine, tmp_path)
    assert "musicgen models" in refused.value.remedy
    with contextlib.closing(DiffRhythmTiny()) as engine, pytest.raises(ModelNotInstalled):
        sung(engine, tmp_path, options={"model": "no-such"})


def test_music_with_very_many_channels_is_refused(engine: DiffRhythmTiny, tmp_path: Path) -> None:
    """A small file of it would take gigabytes."""
    soundfile.write(tmp_path / "wide.wav", np.zeros((44_100 * 11, 12)), 44_100)
    with pytest.raises(InvalidAudio, match="12 channels"):
        sung(engine, tmp_path / "a", edit=Edit(tmp_path / "wide.wav", [TimeRange(1.0, 2.0)]))
    with pytest.raises(InvalidAudio, match="12 channels"):
        sung(engine, tmp_path / "b", style_audio=tmp_path / "wide.wav")


def test_the_check_agrees_with_what_is_sung(
    engine: DiffRhythmTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base model sings all of its length, of which less is heard: a line after that is beyond
    the end, and the one before it is sung."""
    monkeypatch.setattr(InstalledCheckpoint, "run_frames", Checkpoint.run_frames)
    lyrics = "[00:05.00]one\n[00:10.00]two\n[00:40.00]three\n[00:50.00]\n"
    asked = Parameters("x", lyrics, 30.0, 0, {"model": MODEL})
    found = {(one.line, one.code) for one in engine.check_lyrics(asked).findings}
    assert (3, "beyond_end") in found
    assert not {line for line, code in found if code == "last_line_dropped"}


def test_lyrics_are_checked(engine: DiffRhythmTiny) -> None:
    """By line, with the times that plain lyrics get; without making a song."""
    lyrics = "[00:01.00]Hello\n[00:59.00]too late\nno time\n"
    checked = engine.check_lyrics(Parameters("x", lyrics, 20.0, 0, {}))
    found = {(one.line, one.code, one.severity) for one in checked.findings}
    assert {(2, "beyond_end", "error"), (3, "no_time", "error")} <= found
    plain = engine.check_lyrics(Parameters("x", "Hello\nworld", 20.0, 0, {}))
    assert plain.timed_lyrics.startswith("[00:")
    with contextlib.closing(DiffRhythm()) as other:
        assert other.check_lyrics(Parameters("x", "Hello", 95.0, 0, {})).timed_lyrics


def test_a_model_of_one_length_is_cut_and_faded(
    engine: DiffRhythmTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sings as long as it learnt to; what was asked for is the beginning of that, and ends
    softly."""
    monkeypatch.setattr(InstalledCheckpoint, "run_frames", Checkpoint.run_frames)
    samples = sung(engine, tmp_path, options={"steps": 1, "model": MODEL})[1]
    assert samples.shape == (6 * 44_100, 2)
    loudness = [np.abs(samples[at : at + 2_205]).mean() for at in range(0, len(samples), 2_205)]
    assert loudness[-1] < 0.05 * loudness[40]
    assert loudness[-31] > 0.5 * loudness[40]
    assert not samples[-1].any()


def test_a_model_has_its_lengths(engine: DiffRhythmTiny, tmp_path: Path) -> None:
    """A song that none of the models can make is refused before anything is loaded."""
    with pytest.raises(InvalidField, match="too long"):
        engine.generate(Parameters("x", "", 200.0, 1, {"steps": 1}), tmp_path, lambda _: None)
