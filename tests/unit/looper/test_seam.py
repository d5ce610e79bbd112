from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import AudioReader
from services.looper.analysis.measure import loudness_limit_db, loudness_step_db
from services.looper.loops import Cycle, SeamReport
from services.looper.seam import Overlap, blend, inspect, overlap
from tests.unit.looper import signals
from tests.unit.looper.files import write

pytestmark = pytest.mark.unit


def tone(frames: int, pitch_hz: float = 220.0) -> signals.Signal:
    """A stereo sine."""
    wave = 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(frames) / 44_100)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def report(path: Path, cycle: Cycle, crossfade_frames: int) -> SeamReport:
    """Inspect a seam of a file."""
    with AudioReader(path) as reader:
        zone = overlap(cycle, reader.properties.duration_frames, crossfade_frames)
        return inspect(
            reader,
            cycle,
            zone,
            loudness_step_db=loudness_step_db(reader, cycle),
            loudness_limit_db=loudness_limit_db(reader, cycle),
        )


def test_equal_waveforms_come_out_unchanged() -> None:
    """Fully correlated material is blended at constant voltage."""
    wave = tone(1323)
    np.testing.assert_allclose(blend(wave, wave), wave, atol=2.0**-18)


def test_unrelated_waveforms_keep_their_power() -> None:
    """Uncorrelated material is blended at constant power, in the middle too."""
    out = np.concatenate(
        [
            blend(signals.noise(0.03, seed=seed), signals.noise(0.03, seed=seed + 100))
            for seed in range(60)
        ],
        axis=1,
    )
    level = np.sqrt(np.square(out).mean(axis=1))
    thirds = [part.mean() for part in np.array_split(level, 3)]
    np.testing.assert_allclose(thirds, 0.2, rtol=0.06)


@pytest.mark.parametrize(
    ("cycle", "total", "expected"),
    [
        (Cycle(50_000, 150_000), 200_000, Overlap(148_677, 148_677, 48_677, 1323)),
        (Cycle(0, 100_000), 200_000, Overlap(0, 100_000, 0, 1323)),
        (Cycle(0, 100_000), 100_500, Overlap(0, 100_000, 0, 500)),
        (Cycle(0, 100_000), 100_000, Overlap(100_000, 100_000, 0, 0)),
    ],
)
def test_the_crossfade_uses_what_the_file_holds(
    cycle: Cycle, total: int, expected: Overlap
) -> None:
    """It lies before the end, or after the start, or is shortened; never outside the file."""
    assert overlap(cycle, total, 1323) == expected


def test_a_naive_cut_is_not_clean(tmp_path: Path) -> None:
    """A cut in the middle of a wave is reported, and a crossfade heals it."""
    path = write(tmp_path / "a.wav", tone(441_000))
    cycle = Cycle(100_000, 300_050)
    cut = report(path, cycle, 0)
    assert not cut.clean
    assert cut.discontinuity_ratio > 2
    healed = report(path, cycle, 1323)
    assert healed.clean
    assert healed.crossfade_ms == pytest.approx(30)
    assert healed.discontinuity_ratio < 1.1


def test_an_exact_cycle_is_clean_without_a_crossfade(tmp_path: Path) -> None:
    """Where the waveform goes on by itself nothing has to be blended."""
    signal, _ = signals.music(407_919, 2.6)
    path = write(tmp_path / "a.wav", signal)
    for start in (100_000, 2 * 407_919 // 8, 200_001):
        seam = report(path, Cycle(start, start + 407_919), 0)
        assert seam.clean
        assert abs(seam.loudness_step_db) < 0.01


def test_a_step_in_loudness_is_not_clean(tmp_path: Path) -> None:
    """A start that is much quieter than the end is reported with its sign."""
    signal = tone(441_000)
    signal[:200_000] *= 0.3
    seam = report(write(tmp_path / "a.wav", signal), Cycle(100_000, 350_000), 1323)
    assert seam.loudness_step_db == pytest.approx(20 * np.log10(0.3), abs=0.2)
    assert not seam.clean


@pytest.mark.parametrize("seed", [1, 2, 11])
def test_a_file_that_is_the_loop_is_clean(tmp_path: Path, seed: int) -> None:
    """Its downbeat may be louder than the rest before it, as everywhere in the music."""
    signal = signals.looping_file(900_000, seed=seed, bars=10)
    assert report(write(tmp_path / "a.wav", signal), Cycle(0, 900_000), 1323).clean


def test_a_whole_file_that_fades_out_is_not_clean(tmp_path: Path) -> None:
    """A start at full level after a faded end is no downbeat."""
    signal = signals.looping_file(900_000, bars=10)
    signal[-88_200:] *= np.linspace(1, 0, 88_200, dtype=np.float32)[:, None]
    seam = report(write(tmp_path / "a.wav", signal), Cycle(0, 900_000), 1323)
    assert seam.loudness_step_db > 10
    assert not seam.clean


def test_digital_silence_is_clean(tmp_path: Path) -> None:
    """Silence has no steps to compare with, and none to hear."""
    path = write(tmp_path / "a.wav", np.zeros((200_000, 1), np.float32))
    assert report(path, Cycle(50_000, 150_000), 1323).clean
