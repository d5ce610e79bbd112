from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import AudioReader
from services.looper.analysis import tail as tail_module
from services.looper.analysis.features import Features
from services.looper.analysis.tail import tail_cycle
from services.looper.analysis.tempo import grid
from services.looper.loops import Cycle, Kind, Transition
from tests.unit.looper import signals
from tests.unit.looper.files import best_loop, described, found, write

pytestmark = pytest.mark.unit

RATE_HZ = 44_100
BARS = 8
PERIOD = BARS * 2 * RATE_HZ


def one_pass(seed: int = 1, *, ring_s: float = 1.5, drift: float = 0.0) -> signals.Signal:
    """Eight bars at 120 bpm, and what rings on after them."""
    return signals.played([signals.composed(BARS, seed)], ring_s=ring_s, drift=drift)


def cycle_of(path: Path) -> Cycle | None:
    """Look for a pass that rings out."""
    features: Features = described(path)
    with AudioReader(path) as reader:
        first = reader.read(90 * RATE_HZ)
        return tail_cycle(reader, features, grid([first], features))


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_pass_that_rings_out_has_whole_bars(tmp_path: Path, seed: int) -> None:
    """The cycle begins with the file and is as long as its bars, to a millisecond."""
    cycle = cycle_of(write(tmp_path / "a.wav", one_pass(seed)))
    assert cycle is not None
    assert cycle.start_frame == 0
    assert cycle.period_frames == pytest.approx(PERIOD, abs=44)


def test_silence_before_the_first_note_stays_out(tmp_path: Path) -> None:
    """The cycle begins with the music."""
    signal = np.pad(one_pass(), ((RATE_HZ // 3, 0), (0, 0)))
    cycle = cycle_of(write(tmp_path / "a.wav", signal))
    assert cycle is not None
    assert cycle.start_frame == pytest.approx(RATE_HZ // 3, abs=0.015 * RATE_HZ)
    assert cycle.period_frames == pytest.approx(PERIOD, abs=44)


def test_its_ringing_is_folded_back(tmp_path: Path) -> None:
    """The finder chooses it where nothing repeats, and the seam adds the tail to the start."""
    signal = np.pad(one_pass(), ((441, 0), (0, 0)))
    path = write(tmp_path / "a.wav", signal)
    best = best_loop(path)
    assert best.kind is Kind.TAIL
    assert best.cycle.period_frames == pytest.approx(PERIOD, abs=44)
    assert (best.beats, best.bars) == (32, 8)
    seam = found(path).seams[0]
    assert seam.zone.transition is Transition.TAIL
    assert seam.zone.frames == len(signal) - best.cycle.end_frame
    assert seam.report.faults == ()


def test_music_that_stops_or_goes_on_has_no_tail(tmp_path: Path) -> None:
    """The file must play through to the last bar, then die away."""
    stops = one_pass(ring_s=0.1)
    loud = np.concatenate([one_pass(), signals.noise(1.0)])
    slows = one_pass(drift=0.15)
    for signal in (stops, loud, slows, signals.noise(20)):
        assert cycle_of(write(tmp_path / "a.wav", signal)) is None


def test_minutes_are_no_single_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer than a loop can be is not taken for one."""
    monkeypatch.setattr(tail_module, "LONGEST_S", 15.0)
    assert cycle_of(write(tmp_path / "a.wav", one_pass())) is None


def test_quiet_at_the_start_for_more_than_a_bar(tmp_path: Path) -> None:
    """A soft beginning long before the first stroke belongs to no bar."""
    hum = 0.05 * np.sin(np.arange(4 * RATE_HZ) / 40)[:, None] * np.ones(2)
    signal = np.concatenate([hum, one_pass()]).astype(np.float32)
    assert cycle_of(write(tmp_path / "a.wav", signal)) is None
