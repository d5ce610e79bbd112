"""Mastering: loudness, true peaks, tone and width."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from services.inference.engines.composer.loudness import group_energies, integrated_lufs
from services.inference.engines.composer.master import Master
from services.inference.engines.composer.mix import Mix
from services.inference.engines.composer.synth.tables import Floats
from services.inference.engines.composer.tone import Shaper, find_tone
from tests.unit.composer.measure import (
    RATE_HZ,
    band_share_db,
    loudness_lufs,
    side_to_mid_db,
    true_peak_db,
)
from tests.unit.composer.test_plan import plan_for

pytestmark = pytest.mark.unit


def test_loudness_agrees_with_the_standard() -> None:
    """A stereo sine of 997 Hz at -20 dBFS reads -20 LUFS; other noise agrees with a reference."""
    time = np.arange(20 * RATE_HZ) / RATE_HZ
    tone = 0.1 * np.sin(2 * np.pi * 997.0 * time)
    both = np.stack((tone, tone)).astype(np.float32)
    assert integrated_lufs(next(group_energies([both]))) == pytest.approx(-20.0, abs=0.1)
    assert loudness_lufs(both.T.astype(np.float64)) == pytest.approx(-20.0, abs=0.1)


def mastered(samples: Floats) -> Floats:
    """Master a mix of ten seconds."""
    plan = plan_for("techno", 10.0)
    mix = Mix(plan)
    mix.write(samples, 0)
    master = Master(mix, plan, lambda: None)
    for step in (master.shape_tone, master.measure):
        for _ in step():
            pass
    return np.concatenate(list(master.blocks()), axis=1)


def test_master_holds_peaks_between_samples() -> None:
    """A signal whose true peak hides between samples comes out below the ceiling."""
    time = np.arange(10 * RATE_HZ)
    tone = 0.9 * np.sin(2 * np.pi * (0.25 * time + 0.125))
    tone[::5000] *= 3.0
    out = mastered(np.stack((tone, tone)).astype(np.float32))
    assert true_peak_db(out.T.astype(np.float64)) <= -1.0
    assert out.shape == (2, 10 * RATE_HZ)


def test_master_leaves_silence_silent() -> None:
    """Nothing is amplified where there is nothing."""
    assert np.abs(mastered(np.zeros((2, 10 * RATE_HZ), np.float32))).max() < 1e-6


def test_master_meets_the_loudness_through_hard_limiting() -> None:
    """Short loud hits far above the rest cost no loudness: it is measured after the limiter."""
    rng = np.random.default_rng(3)
    quiet = 0.02 * rng.standard_normal((2, 10 * RATE_HZ))
    quiet[:, ::22_050] = 0.9
    out = mastered(quiet.astype(np.float32)).T.astype(np.float64)
    assert loudness_lufs(out) == pytest.approx(-14.0, abs=0.15)
    assert true_peak_db(out) <= -1.0


def dull(seconds: int = 10) -> Floats:
    """Noise that falls by 9 dB an octave above 200 Hz, nearly the same left and right."""
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((3, seconds * RATE_HZ))
    for _ in range(2):
        noise = signal.sosfilt(signal.butter(1, 400, fs=RATE_HZ, output="sos"), noise)
    left, right = noise[0] + 0.1 * noise[1], noise[0] + 0.1 * noise[2]
    return (0.3 * np.stack((left, right))).astype(np.float32)


def test_tone_brings_a_dull_narrow_mix_nearer_to_the_family() -> None:
    """Air, sparkle and width grow; a family that is dark by nature gets no sparkle."""
    mix = dull()
    tone = find_tone(mix, plan_for("house", 10.0))
    assert min(tone.air_db, tone.top_db) > 3
    assert tone.sparkle > 0.1
    assert tone.width_db == 5.0
    shaped = Shaper(tone)(mix).T.astype(np.float64)
    before = mix.T.astype(np.float64)
    assert side_to_mid_db(shaped) > side_to_mid_db(before) + 4.0
    gained = band_share_db(shaped, 8000, 20_000) - band_share_db(before, 8000, 20_000)
    assert gained > 12.0
    sleepy = find_tone(mix, plan_for("sleep", 10.0))
    assert (sleepy.sparkle, sleepy.top_db) == (0.0, 0.0)


def test_tone_of_a_stream_is_that_of_the_whole() -> None:
    """Shaping block by block gives the samples of shaping all at once."""
    mix = dull(3)
    tone = find_tone(mix, plan_for("house", 10.0))
    whole, streamed = Shaper(tone)(mix), Shaper(tone)
    blocks = [streamed(mix[:, start : start + 10_000]) for start in range(0, mix.shape[1], 10_000)]
    assert np.allclose(np.concatenate(blocks, axis=1), whole, atol=1e-6)
