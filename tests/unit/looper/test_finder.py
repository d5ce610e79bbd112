from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.audio.codecs import Format
from musicgen.errors import Cancelled, InvalidAudio, NoLoopFound
from musicgen.progress import Progress
from services.looper.analysis.finder import PASSING_SCORE
from services.looper.work import find_loops
from tests.unit.looper import signals
from tests.unit.looper.files import best_loop, write

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("period", "rate_hz", "channels", "cycles"),
    [
        (407_919, 44_100, 2, 2.6),
        (500_009, 48_000, 1, 2.3),
        (352_800, 44_100, 2, 3.0),
        (250_007, 22_050, 2, 2.5),
        (411_111, 44_100, 4, 2.4),
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
    assert abs(best.loudness_step_db) < 0.1


@pytest.mark.parametrize("seed", [1, 2])
def test_intro_and_outro_stay_outside(tmp_path: Path, seed: int) -> None:
    """The cycle lies inside the part that repeats."""
    period = 380_000 + 7_919 * seed
    signal, body = signals.music(period, 2.2, seed=seed, intro_bars=3, outro_bars=3)
    best = best_loop(write(tmp_path / "a.flac", signal, format=Format.FLAC))
    assert best.cycle.period_frames == period
    assert body <= best.cycle.start_frame
    assert best.cycle.end_frame <= body + round(2.2 * period)


def test_an_mp3_is_found_to_a_millisecond(tmp_path: Path) -> None:
    """Lossy repeats are no longer identical, and still align."""
    signal, _ = signals.music(407_919, 2.6)
    best = best_loop(write(tmp_path / "a.mp3", signal, format=Format.MP3))
    assert abs(best.cycle.period_frames - 407_919) <= 44


def test_channels_that_cancel_are_heard(tmp_path: Path) -> None:
    """Music whose channels sum to nothing loops like any other."""
    mono, _ = signals.music(407_919, 2.6, channels=1)
    signal = np.concatenate([mono, -mono], axis=1)
    assert best_loop(write(tmp_path / "a.wav", signal)).cycle.period_frames == 407_919


@pytest.mark.parametrize("seed", [2, 3])
def test_a_file_that_is_the_loop_is_taken_whole(tmp_path: Path, seed: int) -> None:
    """A single cycle whose end leads to its start is the loop."""
    period = 900_000 + 7_919 * seed
    signal = signals.looping_file(period, seed=seed, bars=10)
    cycle = best_loop(write(tmp_path / "a.wav", signal)).cycle
    assert (cycle.start_frame, cycle.end_frame) == (0, period)


def test_an_encoders_padding_is_left_out(tmp_path: Path) -> None:
    """Silence that an encoder put around a cycle is no part of it."""
    signal = signals.looping_file(915_838, seed=2, bars=10)
    padded = np.pad(signal, ((1105, 1503), (0, 0)))
    cycle = best_loop(write(tmp_path / "a.wav", padded)).cycle
    # The music itself may begin or end with samples too quiet to tell from padding.
    assert abs(cycle.start_frame - 1105) <= 8
    assert abs(cycle.end_frame - 1105 - 915_838) <= 8


NOT_LOOPABLE = {
    "noise": signals.noise(40),
    "babble": signals.babble(40),
    "sweep": signals.sweep(40),
    "through composed": signals.through_composed(40),
    "through composed over a drum pattern": signals.through_composed(60, drums=True),
    "through composed, other notes": signals.through_composed(60, seed=4, drums=True),
    "a loop cut at the wrong place": signals.looping_file(915_838, seed=2, bars=10)[:-62_222],
}


@pytest.mark.parametrize("name", NOT_LOOPABLE)
def test_what_does_not_repeat_has_no_loop(tmp_path: Path, name: str) -> None:
    """The verdict is NO_LOOP_FOUND, and a near-miss stays clearly below the threshold."""
    with pytest.raises(NoLoopFound) as caught:
        best_loop(write(tmp_path / "a.wav", NOT_LOOPABLE[name]))
    metadata = caught.value.metadata
    assert metadata["passing_score"] == str(PASSING_SCORE)
    assert float(metadata.get("best", "0")) < PASSING_SCORE - 0.1


def test_a_near_miss_is_described(tmp_path: Path) -> None:
    """The best cycle that did not pass is told with its place and score."""
    with pytest.raises(NoLoopFound) as caught:
        best_loop(write(tmp_path / "a.wav", NOT_LOOPABLE["through composed over a drum pattern"]))
    metadata = caught.value.metadata
    assert 0 < float(metadata["best"]) < PASSING_SCORE
    assert int(metadata["best_end_frame"]) > int(metadata["best_start_frame"]) >= 0


def test_silence_has_no_loop(tmp_path: Path) -> None:
    """Silence gets a verdict that names it."""
    with pytest.raises(NoLoopFound, match="silent"):
        best_loop(write(tmp_path / "a.wav", np.zeros((441_000, 2), np.float32)))


def test_a_short_file_is_refused(tmp_path: Path) -> None:
    """Less than a second can't hold a loop, and the error says so."""
    with pytest.raises(InvalidAudio, match=r"0\.50 s long"):
        best_loop(write(tmp_path / "a.wav", signals.noise(0.5)))


@pytest.mark.parametrize("rate_hz", [1, 40, 999, 700_000])
def test_a_rate_that_no_music_has_is_refused(tmp_path: Path, rate_hz: int) -> None:
    """Such a file is INVALID_AUDIO with a remedy, not a defect."""
    soundfile.write(tmp_path / "a.wav", np.full((2 * rate_hz, 2), 0.5, np.float32), rate_hz)
    with pytest.raises(InvalidAudio, match="sample rate") as refused:
        best_loop(tmp_path / "a.wav")
    assert refused.value.remedy


@pytest.mark.parametrize("length_s", [1.0, 1.5, 3.0, 6.0])
def test_a_few_seconds_never_crash(tmp_path: Path, length_s: float) -> None:
    """A file too short for any comparison gets the verdict."""
    with pytest.raises(NoLoopFound):
        best_loop(write(tmp_path / "a.wav", signals.noise(length_s)))


def test_garbage_is_invalid(tmp_path: Path) -> None:
    """Bytes that are no audio are INVALID_AUDIO."""
    path = tmp_path / "a.flac"
    path.write_bytes(b"fLaC" + bytes(range(256)) * 40)
    with pytest.raises(InvalidAudio):
        best_loop(path)


def test_a_cut_off_file_is_invalid(tmp_path: Path) -> None:
    """Half a FLAC file is INVALID_AUDIO, not half a loop."""
    path = write(tmp_path / "a.flac", signals.noise(20), format=Format.FLAC)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InvalidAudio):
        best_loop(path)


def test_samples_that_are_no_numbers_are_invalid(tmp_path: Path) -> None:
    """A NaN in a float file is INVALID_AUDIO."""
    signal = signals.noise(5)
    signal[100_000, 1] = np.nan
    soundfile.write(tmp_path / "a.wav", signal, 44_100, subtype="FLOAT")
    with pytest.raises(InvalidAudio, match="finite"):
        best_loop(tmp_path / "a.wav")


def test_progress_never_falls_and_ends_near_one(tmp_path: Path) -> None:
    """Progress goes through the stages in order."""
    seen: list[Progress] = []
    path = write(tmp_path / "a.wav", signals.music(407_919, 2.6)[0])
    find_loops(path, 1, seen.append)
    assert list(dict.fromkeys(p.stage for p in seen)) == ["analysing", "comparing", "aligning"]
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
        find_loops(path, 1, cancel)


def test_a_long_piece_is_pooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer hops to compare, the waveform still gives the exact period."""
    monkeypatch.setattr("services.looper.analysis.repetition.MAX_HOPS", 500)
    path = write(tmp_path / "a.wav", signals.music(407_919, 2.6)[0])
    assert best_loop(path).cycle.period_frames == 407_919
