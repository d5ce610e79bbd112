from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import AudioReader
from services.looper.loops import Cycle, SeamReport, Transition
from services.looper.seam.report import Inspector, beat_error_ms
from services.looper.seam.transition import Overlap, crossfade, cut, looped, tail
from tests.unit.looper import signals
from tests.unit.looper.files import write

pytestmark = pytest.mark.unit

RATE_HZ = 44_100


def tone(frames: int, pitch_hz: float = 220.0) -> signals.Signal:
    """A stereo sine."""
    wave = 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(frames) / RATE_HZ)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def report(path: Path, cycle: Cycle, crossfade_frames: int) -> SeamReport:
    """Inspect a seam of a file."""
    with AudioReader(path) as reader:
        total = reader.properties.duration_frames
        zone = crossfade(cycle, total, crossfade_frames) if crossfade_frames else cut(cycle)
        return inspected(reader, cycle, zone)


def inspected(reader: AudioReader, cycle: Cycle, zone: Overlap) -> SeamReport:
    """Inspect a seam."""
    return Inspector(reader).inspect(cycle, zone, looped(reader, cycle, zone))


def test_a_naive_cut_is_not_clean(tmp_path: Path) -> None:
    """A cut in the middle of a wave is told as a click, and a crossfade heals it."""
    path = write(tmp_path / "a.wav", tone(441_000))
    cycle = Cycle(100_000, 300_050)
    bare = report(path, cycle, 0)
    assert bare.transition is Transition.CUT
    assert bare.crossfade_ms == 0
    assert not bare.clean
    assert "click" in bare.faults[0]
    assert bare.discontinuity_ratio > 2
    healed = report(path, cycle, 1323)
    assert healed.clean
    assert healed.transition is Transition.CROSSFADE
    assert healed.crossfade_ms == pytest.approx(30)
    assert healed.discontinuity_ratio < 1.5


def test_an_exact_cycle_is_clean_without_a_crossfade(tmp_path: Path) -> None:
    """Where the waveform goes on by itself nothing has to be blended."""
    signal, _ = signals.music(407_919, 2.6)
    path = write(tmp_path / "a.wav", signal)
    for start in (100_000, 2 * 407_919 // 8, 200_001):
        seam = report(path, Cycle(start, start + 407_919), 0)
        assert seam.clean
        assert abs(seam.loudness_step_db) < 0.01
        assert seam.beat_error_ms == 0
        assert 0 <= seam.flux_percentile <= 100


def test_a_step_in_loudness_is_not_clean(tmp_path: Path) -> None:
    """A start that is much quieter than the end is told with its sign."""
    signal = tone(441_000)
    signal[:200_000] *= 0.3
    seam = report(write(tmp_path / "a.wav", signal), Cycle(100_000, 350_000), 1323)
    assert seam.loudness_step_db == pytest.approx(20 * np.log10(0.3), abs=0.2)
    assert any("loudness of -10" in fault for fault in seam.faults)


@pytest.mark.parametrize(("late_ms", "clean"), [(4.0, True), (-15.0, False), (18.0, False)])
def test_a_beat_that_stumbles_is_told(tmp_path: Path, late_ms: float, clean: bool) -> None:
    """An end some milliseconds off shifts the beat by as much."""
    path = write(tmp_path / "a.wav", signals.music(407_919, 2.6)[0])
    off = round(late_ms * RATE_HZ / 1000)
    seam = report(path, Cycle(150_000, 150_000 + 407_919 - off), 1323)
    assert seam.beat_error_ms == pytest.approx(late_ms, abs=0.03)
    assert any("stumbles" in fault for fault in seam.faults) != clean


def test_a_players_beat_is_told_by_the_onsets(tmp_path: Path) -> None:
    """Passes without a common waveform have a beat to compare as well."""
    signal = signals.played([signals.composed(8, 1)] * 3, scatter_s=0.006)
    period = 16 * RATE_HZ
    with AudioReader(write(tmp_path / "a.wav", signal)) as reader:
        for off_ms in (0.0, 25.0):
            end = 400_000 + period - round(off_ms * RATE_HZ / 1000)
            error_ms = beat_error_ms(reader, Cycle(400_000, end))
            assert error_ms == pytest.approx(off_ms, abs=8)


def test_where_nothing_follows_the_end_the_beat_is_unknown(tmp_path: Path) -> None:
    """There is nothing that could have come on the beat."""
    signal = signals.looping_file(400_000)
    with AudioReader(write(tmp_path / "a.wav", signal)) as reader:
        assert beat_error_ms(reader, Cycle(0, 400_000)) is None


@pytest.mark.parametrize("seed", [1, 2, 11])
def test_a_file_that_is_the_loop_is_clean(tmp_path: Path, seed: int) -> None:
    """Its downbeat may be louder than the rest before it, as everywhere in the music."""
    signal = signals.looping_file(900_000, seed=seed, bars=10)
    seam = report(write(tmp_path / "a.wav", signal), Cycle(0, 900_000), 1323)
    assert not [fault for fault in seam.faults if "loudness" in fault]


def test_a_whole_file_that_fades_out_is_not_clean(tmp_path: Path) -> None:
    """A start at full level after a faded end is no downbeat."""
    signal = signals.looping_file(900_000, bars=10)
    signal[-88_200:] *= np.linspace(1, 0, 88_200, dtype=np.float32)[:, None]
    seam = report(write(tmp_path / "a.wav", signal), Cycle(0, 900_000), 1323)
    assert seam.loudness_step_db > 10
    assert any("loudness" in fault for fault in seam.faults)


def test_a_tail_that_clips_is_told(tmp_path: Path) -> None:
    """Its sum with the start may be more than full scale; its level is no step."""
    loud = 1.9 * tone(300_000, 55.0)
    with AudioReader(write(tmp_path / "a.wav", loud)) as reader:
        cycle = Cycle(0, 200_455)  # 250 periods of the tone, to a frame
        seam = inspected(reader, cycle, tail(cycle, 300_000, RATE_HZ))
    assert seam.transition is Transition.TAIL
    assert "the folded tail clips" in seam.faults


@pytest.mark.parametrize("length_s", [1.0, 4.6])
def test_digital_silence_is_clean(tmp_path: Path, length_s: float) -> None:
    """Silence has no steps to compare with, and none to hear."""
    frames = round(length_s * RATE_HZ)
    path = write(tmp_path / "a.wav", np.zeros((frames, 1), np.float32))
    seam = report(path, Cycle(frames // 4, frames // 2), 300)
    assert seam.clean
    assert seam.beat_error_ms is None


def test_the_risk_of_a_click_is_that_of_a_bare_cut(tmp_path: Path) -> None:
    """Small where a cycle goes on by itself, large where a wave breaks."""
    path = write(tmp_path / "a.wav", tone(441_000, 210.0))
    with AudioReader(path) as reader:
        inspector = Inspector(reader)
        whole_waves = 500 * 210
        assert inspector.click_risk(Cycle(100_000, 100_000 + whole_waves)) < 1.5
        assert inspector.click_risk(Cycle(100_000, 100_000 + whole_waves + 50)) > 20


def test_a_stroke_where_the_cycle_starts_is_no_click(tmp_path: Path) -> None:
    """The music breaks as sharply there by itself; a cut into it from elsewhere is told."""
    signal = tone(441_000, 210.0)
    hat = signals.drum("hat", RATE_HZ)
    start, period = 100_000, 500 * 210
    for at in range(start, 400_000, period):
        signal[at : at + len(hat)] += 0.3 * hat[:, None].astype(np.float32)
    path = write(tmp_path / "a.wav", signal)
    assert report(path, Cycle(start, start + period), 0).clean
    assert not report(path, Cycle(start - 1000, start + period - 950), 0).clean
