from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import Format
from musicgen.errors import Cancelled, NoLoopFound
from musicgen.progress import Progress
from services.looper.analysis import finder, repetition
from services.looper.analysis.finder import PASSING_SCORE, Wanted
from services.looper.loops import Kind
from services.looper.work import find_loops
from tests.unit.looper import signals
from tests.unit.looper.files import best_loop, found, ignore, write

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("period", "rate_hz", "channels", "cycles"),
    [
        (207_919, 44_100, 2, 2.6),
        (500_009, 48_000, 1, 2.3),
        (150_007, 22_050, 2, 2.5),
        (211_111, 44_100, 4, 2.4),
    ],
)
def test_the_period_is_found_to_the_sample(
    tmp_path: Path, period: int, rate_hz: int, channels: int, cycles: float
) -> None:
    """The cycle found is the period that was composed, at any rate and channel count."""
    signal, _ = signals.music(period, cycles, rate_hz=rate_hz, channels=channels)
    best = best_loop(write(tmp_path / "a.wav", signal, rate_hz))
    assert best.cycle.period_frames == period
    assert best.score > 0.95
    assert best.waveform_correlation > 0.99
    # Nothing rings into the first pass yet.
    assert abs(best.loudness_step_db) < 0.2


@pytest.mark.parametrize("seed", [1, 2])
def test_intro_and_outro_stay_outside(tmp_path: Path, seed: int) -> None:
    """The cycle lies inside the part that repeats."""
    period = 280_000 + 7_919 * seed
    signal, body = signals.music(period, 2.2, seed=seed, intro_bars=3, outro_bars=3)
    best = best_loop(write(tmp_path / "a.flac", signal, format=Format.FLAC))
    assert best.cycle.period_frames == period
    assert body <= best.cycle.start_frame
    assert best.cycle.end_frame <= body + round(2.2 * period)


def test_an_mp3_is_found_to_a_millisecond(tmp_path: Path) -> None:
    """Lossy repeats are no longer identical, and still align."""
    signal, _ = signals.music(207_919, 2.6, bars=4)
    best = best_loop(write(tmp_path / "a.mp3", signal, format=Format.MP3))
    assert abs(best.cycle.period_frames - 207_919) <= 44


def test_channels_that_cancel_are_heard(tmp_path: Path) -> None:
    """Music whose channels sum to nothing loops like any other."""
    mono, _ = signals.music(207_919, 2.6, channels=1, bars=4)
    signal = np.concatenate([mono, -mono], axis=1)
    assert best_loop(write(tmp_path / "a.wav", signal)).cycle.period_frames == 207_919


@pytest.mark.parametrize("seed", [2, 3, 8])
def test_a_file_that_is_the_loop_is_taken_whole(tmp_path: Path, seed: int) -> None:
    """A single cycle whose end leads to its start is the loop."""
    period = 900_000 + 7_919 * seed
    signal = signals.looping_file(period, seed=seed, bars=10)
    cycle = best_loop(write(tmp_path / "a.wav", signal)).cycle
    assert (cycle.start_frame, cycle.end_frame) == (0, period)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_chord_that_swells_may_be_the_loop(tmp_path: Path, seed: int) -> None:
    """Without a beat the waveform alone is proof; cut elsewhere, it is none."""
    signal = signals.sustained(400_003, seed=seed)
    best = best_loop(write(tmp_path / "a.wav", signal))
    assert best.kind is Kind.WHOLE_FILE
    assert (best.cycle.start_frame, best.cycle.end_frame) == (0, 400_003)
    with pytest.raises(NoLoopFound):
        best_loop(write(tmp_path / "b.wav", signal[:-50_133]))


def test_an_encoders_padding_is_left_out(tmp_path: Path) -> None:
    """Silence that an encoder put around a cycle is no part of it."""
    signal = signals.looping_file(915_838, seed=2, bars=10)
    padded = np.pad(signal, ((1105, 1503), (0, 0)))
    cycle = best_loop(write(tmp_path / "a.wav", padded)).cycle
    # The music itself may begin or end with samples too quiet to tell from padding.
    assert abs(cycle.start_frame - 1105) <= 8
    assert abs(cycle.end_frame - 1105 - 915_838) <= 8


NOT_LOOPABLE = {
    "noise": signals.noise(20),
    "babble": signals.babble(25),
    "sweep": signals.sweep(20),
    "through composed": signals.through_composed(30),
    "through composed over a drum pattern": signals.through_composed(40, drums=True),
    "through composed, other notes": signals.through_composed(30, seed=4, drums=True),
    "a loop cut at the wrong place": signals.looping_file(915_838, seed=2, bars=10)[:-62_222],
}


@pytest.mark.parametrize("name", NOT_LOOPABLE)
def test_what_does_not_repeat_has_no_loop(tmp_path: Path, name: str) -> None:
    """The verdict is NO_LOOP_FOUND, and a near-miss stays clearly below the threshold."""
    with pytest.raises(NoLoopFound) as caught:
        best_loop(write(tmp_path / "a.wav", NOT_LOOPABLE[name]))
    metadata = caught.value.metadata
    assert metadata["passing_score"] == str(PASSING_SCORE)
    assert float(metadata.get("best", "0")) < PASSING_SCORE - 0.05


def test_progress_never_falls_and_ends_near_one(tmp_path: Path) -> None:
    """Progress goes through the stages in order."""
    seen: list[Progress] = []
    path = write(tmp_path / "a.wav", signals.music(207_919, 2.6, bars=4)[0])
    find_loops(path, Wanted(limit=1), seen.append)
    stages = ["analysing", "comparing", "aligning", "listening"]
    assert list(dict.fromkeys(p.stage for p in seen)) == stages
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] <= 1


def test_an_analysis_can_be_cancelled(tmp_path: Path) -> None:
    """What the report raises ends the analysis."""

    def cancel(progress: Progress) -> None:
        if progress.stage == "comparing":
            raise Cancelled("enough")

    path = write(tmp_path / "a.wav", signals.noise(10))
    with pytest.raises(Cancelled):
        find_loops(path, Wanted(), cancel)


def test_a_long_piece_is_pooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer hops to compare, the waveform still gives the exact period."""
    monkeypatch.setattr(repetition, "MAX_HOPS", 500)
    path = write(tmp_path / "a.wav", signals.music(207_919, 2.6, bars=4)[0])
    assert best_loop(path).cycle.period_frames == 207_919


def test_what_swells_is_no_loop(tmp_path: Path) -> None:
    """Passes that are alike but for their loudness are told as that."""
    signal, _ = signals.music(300_000, 3.0, bars=4)
    signal *= np.geomspace(0.1, 1, len(signal), dtype=np.float32)[:, None]
    with pytest.raises(NoLoopFound, match=r"changes its loudness by -[67]\.\d dB") as caught:
        best_loop(write(tmp_path / "a.wav", signal))
    assert float(caught.value.metadata["best"]) > PASSING_SCORE


@pytest.mark.parametrize(("scatter_s", "seed"), [(0.004, 1), (0.006, 2)])
def test_music_that_was_played_twice_has_a_loop(
    tmp_path: Path, scatter_s: float, seed: int
) -> None:
    """Passes with no waveform in common give the period to 3 ms, its beats and its bars."""
    section = signals.composed(6, seed)
    signal = signals.played([section] * 3, scatter_s=scatter_s, seed=seed)
    best = best_loop(write(tmp_path / "a.wav", signal))
    assert best.kind is Kind.REPEAT
    assert best.cycle.period_frames == pytest.approx(12 * 44_100, abs=132)
    assert best.timing_spread_ms > 0.3
    assert best.waveform_correlation < 0.5
    assert best.tempo_bpm == pytest.approx(120, rel=0.001)
    assert (best.beats, best.bars) == (24, 6)


def test_a_cycle_that_skips_music_says_so(tmp_path: Path) -> None:
    """Of AABA, the loop that plays all comes first; A alone is partial."""
    a, b = signals.composed(6, 1), signals.composed(6, 2)
    signal = signals.played([a, a, b, a])
    answer = found(write(tmp_path / "a.wav", signal))
    section = 12 * 44_100
    periods = [candidate.cycle.period_frames for candidate in answer.candidates]
    assert periods[0] in (2 * section, 3 * section)
    partial = {one.cycle.period_frames: one.partial for one in answer.candidates}
    assert not partial[periods[0]]
    assert partial.get(section, True)


def test_only_cycles_as_long_as_wanted_are_told(tmp_path: Path) -> None:
    """Shorter and longer ones are left out, and so are those beyond the limit."""
    path = write(tmp_path / "a.wav", signals.music(200_000, 3.5, bars=4)[0])
    every = found(path).candidates
    assert every[0].cycle.period_frames == 200_000
    assert len(every) > 1
    assert found(path, Wanted(limit=1)).candidates == every[:1]
    longer = found(path, Wanted(limit=2, min_s=6.0)).candidates
    assert {one.cycle.period_frames for one in longer} <= {400_000, 600_000}
    with pytest.raises(NoLoopFound):
        found(path, Wanted(min_s=16.0))


def test_a_short_figure_is_found_if_wanted(tmp_path: Path) -> None:
    """Less than two seconds are looked for only where that was asked for."""
    path = write(tmp_path / "a.wav", signals.music(60_001, 8, bars=1)[0])
    shortest = found(path, Wanted(min_s=0.5)).candidates[0]
    assert shortest.cycle.period_frames == 60_001
    assert all(one.cycle.period_frames >= 88_200 for one in found(path).candidates)


def test_of_a_long_piece_the_opening_is_looked_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it holds the loop, the rest is not read; else it is."""
    monkeypatch.setattr(finder, "OPENING_S", 12.0)
    music, _ = signals.music(160_003, 3.2, bars=4)
    other = signals.through_composed(12)
    seen: list[Progress] = []
    early = write(tmp_path / "a.wav", np.concatenate([music, other]))
    answer = find_loops(early, Wanted(limit=1), seen.append)
    assert answer.candidates[0].cycle.period_frames == 160_003
    assert max(one.step for one in seen if one.stage == "analysing") <= 12
    late = write(tmp_path / "b.wav", np.concatenate([0 * music[: 6 * 44_100], other, music]))
    answer = find_loops(late, Wanted(limit=1), ignore)
    assert answer.candidates[0].cycle.period_frames == 160_003
    assert answer.candidates[0].cycle.start_frame >= 18 * 44_100
