from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.errors import Cancelled, InvalidAudio
from services.library import peaks
from services.library.files import Stop

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("frames", [1, 5, 1999, 2000, 2001, 65_536, 65_537, 300_001])
def test_peaks_are_the_extremes_of_each_bucket(tmp_path: Path, frames: int) -> None:
    """Every bucket holds the lowest and the highest sample of the mix, whatever the
    blocks that the file was read in."""
    noise = np.random.default_rng(frames).uniform(-0.9, 0.9, (frames, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise, 44_100, subtype="FLOAT")
    found = peaks.compute(tmp_path / "a.wav")
    mix, step = noise.mean(axis=1), found.frames_per_peak
    expected = [[mix[i : i + step].min(), mix[i : i + step].max()] for i in range(0, frames, step)]
    assert len(found.values) <= 2000
    assert np.allclose(found.values, expected, atol=1e-6)


def test_buckets_longer_than_a_block(tmp_path: Path) -> None:
    """A bucket that spans many blocks still has one pair (a pulse in each tells)."""
    frames = 65_536 * 4
    audio = np.zeros((frames, 1), np.float32)
    audio[[0, 65_535, 65_536, frames - 1], 0] = [0.25, 0.5, -0.75, 1.0]
    soundfile.write(tmp_path / "a.wav", audio, 44_100, subtype="FLOAT")
    found = peaks.compute(tmp_path / "a.wav")
    assert found.values[0].tolist() == [0.0, 0.25]
    assert found.values[65_535 // found.frames_per_peak].tolist() in ([0.0, 0.5], [-0.75, 0.5])
    assert found.values.min() == -0.75
    assert found.values[-1].tolist() == [0.0, 1.0]


def test_json_is_small_and_rounded(tmp_path: Path) -> None:
    """The JSON has the contract's two members and three decimals."""
    soundfile.write(
        tmp_path / "a.wav", np.full((10, 2), 1 / 3, np.float32), 44_100, subtype="FLOAT"
    )
    content = json.loads(peaks.compute(tmp_path / "a.wav").to_json())
    assert content == {"frames_per_peak": 1, "peaks": [[0.333, 0.333]] * 10}


def test_garbage_and_stop(tmp_path: Path) -> None:
    """Garbage is InvalidAudio; a stop ends the reading at the next block."""
    (tmp_path / "x").write_bytes(b"garbage" * 100)
    with pytest.raises(InvalidAudio):
        peaks.compute(tmp_path / "x")
    soundfile.write(tmp_path / "a.wav", np.zeros((10, 2), np.float32), 44_100)
    stop = Stop()
    stop.set()
    with pytest.raises(Cancelled):
        peaks.compute(tmp_path / "a.wav", stop.check)
