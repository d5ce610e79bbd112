from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import AudioReader
from services.looper.analysis.surprise import (
    CONTEXT_FRAMES,
    REFERENCE_PLACES,
    click,
    surprise,
    surprise_at,
    usual_clicks,
)
from tests.unit.looper import signals
from tests.unit.looper.files import write

pytestmark = pytest.mark.unit


def tone(frames: int, pitch_hz: float = 220.0) -> signals.Signal:
    """A stereo tone with overtones."""
    turns = 2 * np.pi * pitch_hz * np.arange(frames) / 44_100
    wave = 0.3 * np.sin(turns) + 0.1 * np.sin(2.01 * turns) + 0.05 * np.sin(5.3 * turns)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def test_music_surprises_less_inside_than_where_it_is_cut(tmp_path: Path) -> None:
    """Places that go on are foreseen; ends and starts at random are not."""
    path = write(tmp_path / "a.wav", signals.music(407_919, 2.2)[0])
    rng = np.random.default_rng(1)
    places = rng.integers(10_000, 800_000, (40, 2)).tolist()
    with AudioReader(path) as reader:
        inside = [surprise_at(reader, at, at) for at, _ in places]
        joins = [surprise_at(reader, end, start) for end, start in places]
    assert np.median(inside) < 0.5
    assert np.median(joins) > 1
    assert np.percentile(joins, 75) > 5 * np.percentile(inside, 75)


def test_a_period_is_foreseen(tmp_path: Path) -> None:
    """The end of a cycle leads to its start."""
    path = write(tmp_path / "a.wav", signals.music(407_919, 2.2)[0])
    with AudioReader(path) as reader:
        assert surprise_at(reader, 150_000 + 407_919, 150_000) < 1
        assert surprise_at(reader, 150_500 + 407_919, 150_000) > 1


def test_a_break_is_a_click_and_a_wave_is_none() -> None:
    """Half a millisecond left out of a tone is told, in the worst channel."""
    wave = tone(2 * CONTEXT_FRAMES + 22)
    cut = np.concatenate([wave[:CONTEXT_FRAMES], wave[CONTEXT_FRAMES + 22 :]])
    assert click(wave[: 2 * CONTEXT_FRAMES]) < 2
    assert click(cut) > 20
    assert surprise(cut) > 2
    left_only = np.stack([cut[:, 0], wave[: 2 * CONTEXT_FRAMES, 1]], axis=1)
    assert click(left_only) == pytest.approx(click(cut))


def test_a_drum_shortly_after_hides_nothing() -> None:
    """Only what lies within some milliseconds of a break is compared with it."""
    cut = np.concatenate([tone(CONTEXT_FRAMES), -tone(CONTEXT_FRAMES)])
    hit = cut.copy()
    hat = signals.drum("hat", 44_100)[: CONTEXT_FRAMES - 700]
    hit[CONTEXT_FRAMES + 700 :] += (0.3 * hat)[:, None]
    assert click(hit) > 5
    assert click(hit) > 3 * surprise(hit)


def test_a_break_under_the_music_is_masked() -> None:
    """A step 40 dB under what sounds there is measured, and not heard."""
    wave = tone(2 * CONTEXT_FRAMES)
    stepped = wave.copy()
    stepped[CONTEXT_FRAMES:] += 0.003
    assert click(stepped) > 5
    assert click(stepped, masked=True) == 0
    stepped[CONTEXT_FRAMES:] += 0.1
    assert click(stepped, masked=True) > 5


def test_silence_and_snippets_say_nothing(tmp_path: Path) -> None:
    """There is nothing to foresee in them."""
    assert click(np.zeros((2 * CONTEXT_FRAMES, 2), np.float32)) == 0
    assert surprise(np.zeros((2 * CONTEXT_FRAMES, 2), np.float32)) == 0
    assert click(tone(100)) == 0
    with AudioReader(write(tmp_path / "a.wav", tone(4000))) as reader:
        assert usual_clicks(reader).tolist() == [1.0]


def test_what_is_usual_is_measured_all_over_the_file(tmp_path: Path) -> None:
    """Sorted, and the same each time."""
    with AudioReader(write(tmp_path / "a.wav", signals.noise(3))) as reader:
        usual = usual_clicks(reader)
        assert len(usual) == REFERENCE_PLACES
        assert np.all(np.diff(usual) >= 0)
        assert np.array_equal(usual, usual_clicks(reader))


def test_a_join_near_the_ends_of_a_file_is_judged_by_what_is_there(tmp_path: Path) -> None:
    """Both sides are cut to the shorter one, so that the join stays in the middle."""
    wave = tone(44_100)
    with AudioReader(write(tmp_path / "a.wav", wave)) as reader:
        assert surprise_at(reader, 44_100, 43_100) > 1
        assert surprise_at(reader, 1000, 1000) < 1
