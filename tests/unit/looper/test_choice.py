from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import AudioReader
from services.looper.loops import Cycle, Kind, SeamReport, Transition
from services.looper.seam.choice import CROSSFADES_MS, choose
from services.looper.seam.report import Inspector
from services.looper.seam.transition import Overlap
from tests.unit.looper import signals
from tests.unit.looper.files import write

pytestmark = pytest.mark.unit

PERIOD = 407_919


def chosen(
    signal: signals.Signal,
    path: Path,
    cycle: Cycle,
    kind: Kind = Kind.REPEAT,
    crossfade_ms: float | None = None,
) -> tuple[Overlap, SeamReport]:
    """Choose the transition of a cycle of a signal."""
    with AudioReader(write(path / "a.wav", signal)) as reader:
        return choose(reader, cycle, kind, crossfade_ms, Inspector(reader))


def test_a_copy_is_cut(tmp_path: Path) -> None:
    """Where the source itself plays on like this, nothing needs to be blended."""
    signal, _ = signals.music(PERIOD, 2.5)
    zone, report = chosen(signal, tmp_path, Cycle(100_000, 100_000 + PERIOD))
    assert zone.transition is report.transition is Transition.CUT
    assert zone.frames == 0
    assert report.clean


def test_what_was_played_again_is_crossfaded(tmp_path: Path) -> None:
    """By the shortest that measures clean."""
    signal = signals.played([signals.composed(8, 1)] * 3, scatter_s=0.005)
    cycle = Cycle(200_000, 200_000 + 16 * 44_100)
    zone, report = chosen(signal, tmp_path, cycle)
    assert report.clean
    assert report.transition is Transition.CROSSFADE
    tried = [round(one * 44.1) for one in CROSSFADES_MS]
    assert zone.frames in tried
    for frames in tried[: tried.index(zone.frames)]:
        _, shorter = chosen(signal, tmp_path, cycle, crossfade_ms=frames / 44.1)
        assert not shorter.clean


@pytest.mark.parametrize("crossfade_ms", [0.0, 7.0, 250.0])
def test_what_was_asked_for_is_done(tmp_path: Path, crossfade_ms: float) -> None:
    """A length that was given is taken, clean or not, and 0 is a bare cut."""
    signal, _ = signals.music(PERIOD, 2.5)
    cycle = Cycle(100_000, 100_000 + PERIOD + 300)
    zone, report = chosen(signal, tmp_path, cycle, crossfade_ms=crossfade_ms)
    assert zone.frames == round(crossfade_ms * 44.1)
    assert report.crossfade_ms == pytest.approx(crossfade_ms, abs=0.02)
    assert (report.transition is Transition.CUT) == (crossfade_ms == 0)
    assert report.clean == (crossfade_ms != 0)


def test_a_seam_that_fails_says_so(tmp_path: Path) -> None:
    """Where no transition is clean, that with the least faults is taken, and they are told."""
    signal, _ = signals.music(PERIOD, 2.5)
    signal[: PERIOD // 2] *= 0.2
    zone, report = chosen(signal, tmp_path, Cycle(100_000, 100_000 + PERIOD))
    assert not report.clean
    assert len(report.faults) == 1
    assert "loudness" in report.faults[0]
    assert zone.transition is Transition.CROSSFADE


def test_a_whole_file_may_be_cut(tmp_path: Path) -> None:
    """Nothing surrounds it that could be compared or blended in."""
    signal = signals.looping_file(PERIOD, seed=4)
    zone, report = chosen(signal, tmp_path, Cycle(0, PERIOD), Kind.WHOLE_FILE)
    assert zone.transition is Transition.CUT
    assert report.beat_error_ms is None


def test_a_tail_is_folded_unless_a_crossfade_was_asked_for(tmp_path: Path) -> None:
    """All of it is added to the start."""
    signal = np.pad(signals.played([signals.composed(4, 1)], ring_s=1.5), ((441, 0), (0, 0)))
    cycle = Cycle(0, 8 * 44_100)
    zone, report = chosen(signal, tmp_path, cycle, Kind.TAIL)
    assert zone == Overlap(Transition.TAIL, 0, cycle.end_frame, 0, len(signal) - cycle.end_frame)
    assert report.clean
    zone, _ = chosen(signal, tmp_path, cycle, Kind.TAIL, crossfade_ms=30.0)
    assert zone.transition is Transition.CROSSFADE
