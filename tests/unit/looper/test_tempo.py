from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.looper.analysis.tempo import Grid, Tempo, grid, tempo
from tests.unit.looper import signals
from tests.unit.looper.files import described, write

pytestmark = pytest.mark.unit

RATE_HZ = 44_100


@pytest.mark.parametrize("bpm", [71.3, 97.31, 120.0, 143.7, 171.9])
def test_a_pulse_train_tells_its_tempo(bpm: float) -> None:
    """To one part in 10,000; of slow pulses, twice the tempo is as true."""
    found = tempo([signals.pulses(bpm, 25)], RATE_HZ)
    assert found is not None
    times = round(found.bpm / bpm)
    assert times in (1, 2)
    assert found.bpm == pytest.approx(times * bpm, rel=1e-4)
    assert found.share == 1
    # A pulse lies on a half beat, and is noticed some milliseconds after it has begun.
    late_s = (0.5 - found.phase_s + found.beat_s / 4) % (found.beat_s / 2) - found.beat_s / 4
    assert -0.012 < late_s < 0.0


@pytest.mark.parametrize("rate_hz", [11_025, 48_000])
def test_the_sample_rate_does_not_matter(rate_hz: int) -> None:
    """Bands that a file can't hold are left out."""
    found = tempo([signals.pulses(120.0, 20, rate_hz)], rate_hz)
    assert found is not None
    assert found.bpm == pytest.approx(120, rel=1e-4)


@pytest.mark.parametrize("seed", range(1, 5))
def test_strokes_between_the_beats_do_not_hide_it(seed: int) -> None:
    """Music in half beats has a tempo, however loud those between two beats are."""
    found = tempo([signals.played([signals.composed(8, seed)], beat_s=0.55)], RATE_HZ)
    assert found is not None
    assert found.bpm == pytest.approx(60 / 0.55, rel=1e-4)
    assert found.share > 0.9


def test_swing_has_a_beat() -> None:
    """Hats two thirds of a beat late leave the kick's tempo as it is."""
    out = np.zeros((30 * RATE_HZ, 1), np.float32)
    kick, hat = signals.drum("kick", RATE_HZ), signals.drum("hat", RATE_HZ)
    for beat in range(56):
        for place, sound in ((beat, kick), (beat + 2 / 3, hat)):
            start = round(0.5 * place * RATE_HZ)
            out[start : start + len(sound), 0] += 0.4 * sound
    found = tempo([out], RATE_HZ)
    assert found is not None
    assert found.bpm == pytest.approx(120, rel=1e-4)


@pytest.mark.parametrize(
    "signal",
    [
        signals.noise(15),
        signals.babble(15),
        signals.sweep(15),
        np.zeros((10 * RATE_HZ, 2), np.float32),
        np.ones((10 * RATE_HZ, 1), np.float32),
        signals.noise(0.1),
        signals.played([signals.composed(16, 1)], drift=0.15),
    ],
    ids=["noise", "speech", "sweep", "silence", "DC", "short", "slowing down"],
)
def test_what_keeps_no_tempo_has_none(signal: signals.Signal) -> None:
    """There is no beat to believe in."""
    assert tempo([signal], RATE_HZ) is None


@pytest.mark.parametrize(("half_beats_a_bar", "seed"), [(8, 1), (6, 2), (14, 3)])
def test_bars_are_where_the_harmony_changes(
    tmp_path: Path, half_beats_a_bar: int, seed: int
) -> None:
    """Four beats, three, or seven."""
    section = signals.composed(16, seed, half_beats_a_bar=half_beats_a_bar)
    signal = signals.played([section])
    found = grid([signal], described(write(tmp_path / "a.wav", signal)))
    assert found is not None
    assert found.half_beats_a_bar == half_beats_a_bar
    bar_s = found.tempo.beat_s * half_beats_a_bar / 2
    assert found.count(8 * bar_s) == (4 * half_beats_a_bar, 8)


def test_only_whole_numbers_are_counted() -> None:
    """A length that is no whole number of beats or bars has 0 of them."""
    strokes_s = np.zeros(1)
    found = Grid(Tempo(0.5, 0.0, 1.0, strokes_s), 8)
    assert found.count(8.0) == (16, 4)
    assert found.count(8.5) == (17, 0)
    assert found.count(8.2) == (0, 4)
    assert Grid(found.tempo, 0).count(8.0) == (16, 0)
