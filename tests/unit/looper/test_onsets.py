from __future__ import annotations

import numpy as np
import pytest

from services.looper.analysis import onsets
from services.looper.analysis.levels import BANDS_HZ
from services.looper.analysis.onsets import Timing, compare, envelope
from tests.unit.looper import signals

pytestmark = pytest.mark.unit

RATE_HZ = 44_100
REACH = round(onsets.SEARCH_S * RATE_HZ)


def timing(first: signals.Signal, second: signals.Signal, lag_s: float) -> Timing | None:
    """Compare two passes of which the second comes `lag_s` later than expected."""
    start = RATE_HZ
    end = min(len(first), len(second)) - start
    later = np.roll(second, round(lag_s * RATE_HZ), axis=0)
    return compare([first[start:end]], [later[start - REACH : end + REACH]], RATE_HZ)


@pytest.mark.parametrize("lag_s", [-0.05, 0.0, 0.0123])
def test_a_copy_comes_when_it_comes(lag_s: float) -> None:
    """The lag of a copy is told to half a millisecond, and is the same everywhere."""
    signal = signals.played([signals.composed(6, 1)])
    found = timing(signal, signal, lag_s)
    assert found is not None
    assert found.steady_lag_s == pytest.approx(lag_s, abs=0.0005)
    assert found.likeness.min() > 0.95
    assert found.spread_s < 0.0005
    assert found.steady


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_passes_of_a_player_have_one_lag(seed: int) -> None:
    """Notes that scatter by 6 ms leave the lag of all of them within 5 ms."""
    section = signals.composed(8, 1)
    first, second = (
        signals.played([section], scatter_s=0.006, seed=seed + add) for add in (0, 100)
    )
    found = timing(first, second, 0.02)
    assert found is not None
    assert found.steady_lag_s == pytest.approx(0.02, abs=0.005)
    assert found.steady
    assert 0 < found.spread_s < 0.006
    assert np.all(np.diff(found.at_s) == pytest.approx(onsets.HOP_S))


def test_a_tempo_that_changes_is_not_steady() -> None:
    """Lags grow along a pass that slows down by a percent."""
    section = signals.composed(8, 1)
    found = timing(signals.played([section]), signals.played([section], drift=0.01), 0.0)
    assert found is not None
    assert not found.steady
    assert found.lag_s[-1] > found.lag_s[0] + 0.03


def test_what_has_no_onsets_is_not_compared() -> None:
    """Silence, a constant, and less than two windows tell no lag."""
    for signal in (np.zeros((12 * RATE_HZ, 2), np.float32), np.ones((12 * RATE_HZ, 1), np.float32)):
        assert timing(signal, signal, 0.0) is None
    short = signals.played([signals.composed(2, 1)])
    assert timing(short, short, 0.0) is None
    assert timing(short[: 3 * RATE_HZ], short[: 3 * RATE_HZ], 0.0) is None


def test_other_music_is_not_alike() -> None:
    """Rhythms that have nothing in common stay well below a player's two passes."""
    found = timing(signals.babble(12, seed=1), signals.babble(12, seed=2), 0.0)
    assert found is not None
    assert found.likeness.mean() < 0.6


@pytest.mark.parametrize(("rate_hz", "bands"), [(44_100, 5), (8_000, 4), (1_000, 2)])
def test_an_envelope_has_a_row_for_each_band_that_there_is(rate_hz: int, bands: int) -> None:
    """One value for each millisecond, never below zero."""
    curve = envelope([signals.noise(2, rate_hz)], rate_hz)
    assert curve.shape == (bands, 2000)
    assert bands <= len(BANDS_HZ)
    assert curve.min() >= 0
    assert envelope([signals.noise(0.0005, rate_hz)], rate_hz).size == 0


def test_an_onset_is_where_it_sounds() -> None:
    """A hit rises within a few milliseconds of its beginning."""
    out = np.zeros((2 * RATE_HZ, 1), np.float32)
    hat = signals.drum("hat", RATE_HZ)
    out[RATE_HZ : RATE_HZ + len(hat), 0] = 0.5 * hat
    curve = envelope([out], RATE_HZ).sum(axis=0)
    assert abs(int(curve.argmax()) - 1000) <= 5
