from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import AudioReader
from services.looper.analysis.placing import BEFORE_ATTACK_S, Placed, before_attack, place
from tests.unit.looper import signals
from tests.unit.looper.files import write

pytestmark = pytest.mark.unit

RATE_HZ = 44_100
HOP = 1024
PERIOD = 407_919
PASS = 16 * RATE_HZ
"""Eight bars at 120 bpm."""


def placed(path: Path, start: int, end: int, lag: int) -> Placed | None:
    """Place a cycle whose lag is known to a hop."""
    with AudioReader(path) as reader:
        return place(reader, start, end, lag, 2 * HOP)


@pytest.mark.parametrize("off", [-900, 0, 700])
def test_copies_are_exact(tmp_path: Path, off: int) -> None:
    """However rough the lag was, the period is right to the frame."""
    path = write(tmp_path / "a.wav", signals.music(PERIOD, 2.5)[0])
    found = placed(path, 0, PERIOD, PERIOD + off)
    assert found is not None
    assert found.cycle.period_frames == PERIOD
    assert found.period_frames == pytest.approx(PERIOD, abs=0.01)
    assert found.timing_spread_s < 1e-5
    assert found.correlation > 0.99


def test_a_cut_lies_where_copy_and_original_agree(tmp_path: Path) -> None:
    """What sounds only in the first pass stays outside of the cycle."""
    signal = signals.music(PERIOD, 2.5)[0]
    differs = 4 * RATE_HZ
    signal[:differs] += 0.2 * signals.noise(4)
    found = placed(write(tmp_path / "a.wav", signal), 0, PERIOD, PERIOD)
    assert found is not None
    assert found.cycle.period_frames == PERIOD
    start, end = found.cycle.start_frame, found.cycle.end_frame
    assert start >= differs - RATE_HZ // 20
    around = RATE_HZ // 10
    assert np.array_equal(signal[start : start + around], signal[end : end + around])


def test_a_period_between_two_frames_is_known(tmp_path: Path) -> None:
    """The cycle has whole frames, and the true period is told beside it."""
    # Twice the rate, every other frame: a period of 352,800.5.
    fine, _ = signals.music(705_601, 2.5, rate_hz=88_200)
    found = placed(write(tmp_path / "a.wav", fine[::2]), 0, 352_800, 352_800)
    assert found is not None
    assert found.period_frames == pytest.approx(352_800.5, abs=0.3)
    assert found.cycle.period_frames in (352_800, 352_801)


@pytest.mark.parametrize("scatter_s", [0.004, 0.008])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_players_passes_have_a_steady_lag(tmp_path: Path, scatter_s: float, seed: int) -> None:
    """Notes come early and late; the period is right to 2 ms all the same."""
    section = signals.composed(8, seed)
    signal = signals.played([section] * 3, scatter_s=scatter_s, seed=seed)
    found = placed(write(tmp_path / "a.wav", signal), 0, 2 * PASS, PASS + 500)
    assert found is not None
    assert found.period_frames == pytest.approx(PASS, abs=0.002 * RATE_HZ)
    assert found.cycle.period_frames == round(found.period_frames)
    assert 0.0003 < found.timing_spread_s < scatter_s
    assert found.correlation < 0.5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_where_the_tempo_drifts_only_the_cut_counts(tmp_path: Path, seed: int) -> None:
    """The cycle has the lag that holds there, and not that of the whole."""
    drift, steps = 0.01, 128
    signal = signals.played([signals.composed(8, seed)] * 2, drift=drift)
    at_s = np.cumsum(0.25 * (1 + drift * np.arange(-1, steps) / steps))
    lag = round(float(at_s[96] - at_s[32]) * RATE_HZ)
    found = placed(write(tmp_path / "a.wav", signal), 0, len(signal) - lag, lag)
    assert found is not None
    nearest = int(np.abs(at_s - found.cycle.start_frame / RATE_HZ).argmin())
    there_s = float(at_s[nearest + 64] - at_s[nearest])
    assert found.period_frames / RATE_HZ == pytest.approx(there_s, abs=0.004)
    assert found.timing_spread_s > 0.010


def test_what_does_not_come_again_is_not_placed(tmp_path: Path) -> None:
    """Neither a run that is too short, nor silence."""
    path = write(tmp_path / "a.wav", signals.music(PERIOD, 2.5)[0])
    assert placed(path, 0, RATE_HZ // 4, PERIOD) is None
    assert placed(path, 0, PERIOD, len(signals.music(PERIOD, 2.5)[0])) is None
    silent = write(tmp_path / "b.wav", np.zeros((30 * RATE_HZ, 1), np.float32))
    assert placed(silent, 0, 15 * RATE_HZ, 10 * RATE_HZ) is None


def test_a_cut_hides_before_a_note(tmp_path: Path) -> None:
    """It lies just before the strongest onset of a stretch; without one, at its start."""
    signal = np.zeros((4 * RATE_HZ, 1), np.float32)
    kick = signals.drum("kick", RATE_HZ)
    for at, level in ((RATE_HZ, 0.2), (2 * RATE_HZ, 0.8)):
        signal[at : at + len(kick), 0] = level * kick
    with AudioReader(write(tmp_path / "a.wav", signal)) as reader:
        found = before_attack(reader, 20_000, 3 * RATE_HZ)
        assert 2 * RATE_HZ - found == pytest.approx(BEFORE_ATTACK_S * RATE_HZ, abs=0.006 * RATE_HZ)
        assert before_attack(reader, 3 * RATE_HZ, 3 * RATE_HZ + 20_000) == 3 * RATE_HZ
        assert before_attack(reader, 1000, 1100) == 1000
