from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import AudioReader
from services.looper.loops import Cycle, Transition
from services.looper.seam.transition import (
    LONGEST_TAIL_S,
    Overlap,
    blend,
    crossfade,
    cut,
    fold,
    lead,
    looped,
    tail,
)
from services.looper.stretches import Stretch
from tests.unit.looper import signals
from tests.unit.looper.files import write

pytestmark = pytest.mark.unit

RATE_HZ = 44_100


def tone(frames: int, pitch_hz: float = 220.0) -> signals.Signal:
    """A stereo sine."""
    wave = 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(frames) / RATE_HZ)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def all_of(stretch: Stretch) -> signals.Signal:
    """Read a stretch."""
    return np.concatenate([np.zeros((0, 2), np.float32), *stretch.blocks()])


def test_equal_waveforms_come_out_unchanged() -> None:
    """Fully correlated material is blended at constant voltage."""
    wave = tone(1323)
    np.testing.assert_allclose(blend(wave, wave), wave, atol=2.0**-18)


def test_unrelated_waveforms_keep_their_power() -> None:
    """Uncorrelated material is blended at constant power, in the middle too."""
    out = np.concatenate(
        [
            blend(signals.noise(0.03, seed=seed), signals.noise(0.03, seed=seed + 100))
            for seed in range(60)
        ],
        axis=1,
    )
    level = np.sqrt(np.square(out).mean(axis=1))
    thirds = [part.mean() for part in np.array_split(level, 3)]
    np.testing.assert_allclose(thirds, 0.2, rtol=0.06)


def test_opposite_waveforms_are_not_raised_above_what_they_are() -> None:
    """Where two stretches cancel, the gain stays that of unrelated ones."""
    wave = tone(1323)
    assert np.abs(blend(wave, -wave)).max() <= 0.51


def test_nothing_is_blended_into_nothing() -> None:
    """A zone without frames has no samples."""
    assert len(blend(tone(0), tone(0))) == 0


CROSSFADE = Transition.CROSSFADE


@pytest.mark.parametrize(
    ("cycle", "total", "expected"),
    [
        (Cycle(50_000, 150_000), 200_000, Overlap(CROSSFADE, 148_677, 148_677, 48_677, 1323)),
        (Cycle(0, 100_000), 200_000, Overlap(CROSSFADE, 0, 100_000, 0, 1323)),
        (Cycle(0, 100_000), 100_500, Overlap(CROSSFADE, 0, 100_000, 0, 500)),
        (Cycle(700, 100_000), 100_500, Overlap(CROSSFADE, 99_300, 99_300, 0, 700)),
        (Cycle(50_000, 52_000), 200_000, Overlap(CROSSFADE, 51_000, 51_000, 49_000, 1000)),
        (Cycle(0, 100_000), 100_000, cut(Cycle(0, 100_000))),
    ],
    ids=["at the end", "at the start", "short outro", "short intro", "short cycle", "nothing"],
)
def test_a_crossfade_uses_what_the_file_holds(cycle: Cycle, total: int, expected: Overlap) -> None:
    """It lies before the end, or after the start, or is shortened; never outside the file."""
    assert crossfade(cycle, total, 1323) == expected


def test_a_tail_is_no_longer_than_the_cycle() -> None:
    """Nor than what the file holds, or twelve seconds."""
    assert tail(Cycle(0, 100_000), 150_000, RATE_HZ).frames == 50_000
    assert tail(Cycle(0, 100_000), 300_000, RATE_HZ).frames == 100_000
    long = tail(Cycle(0, 9_000_000), 18_000_000, RATE_HZ)
    assert long.frames == LONGEST_TAIL_S * RATE_HZ
    assert long == Overlap(Transition.TAIL, 0, 9_000_000, 0, long.frames)
    assert long.at_start


def test_a_tail_is_added_and_fades_at_its_own_end() -> None:
    """What it rings into keeps its level, and the last of the ringing goes to nothing."""
    one, other = tone(8000), tone(8000, 330.0)
    mixed = fold(one, other)
    np.testing.assert_allclose(mixed[:6000], one[:6000] + other[:6000], atol=1e-6)
    np.testing.assert_allclose(mixed[-1], other[-1], atol=1e-3)
    assert len(fold(tone(0), tone(0))) == 0


@pytest.fixture
def reader(tmp_path: Path) -> AudioReader:
    """Five seconds of noise."""
    return AudioReader(write(tmp_path / "a.wav", signals.noise(5)))


def test_a_cycle_keeps_its_length_whatever_its_seam(reader: AudioReader) -> None:
    """Outside of the zone it is the source, sample by sample."""
    cycle, total = Cycle(50_000, 150_000), 5 * RATE_HZ
    source = reader.read(total)
    zones = [cut(cycle), crossfade(cycle, total, 1323), tail(cycle, total, RATE_HZ)]
    zones.append(Overlap(CROSSFADE, 50_000, 150_000, 50_000, 2000))
    for zone in zones:
        repeated = all_of(looped(reader, cycle, zone))
        assert len(repeated) == cycle.period_frames
        first = zone.zone_frame - cycle.start_frame
        after = first + zone.frames
        assert np.array_equal(repeated[:first], source[cycle.start_frame : zone.zone_frame])
        rest = source[zone.zone_frame + zone.frames : cycle.end_frame]
        assert np.array_equal(repeated[after:], rest)


def test_the_first_pass_is_unblended_where_nothing_leads_to_it(reader: AudioReader) -> None:
    """A zone at the start blends in what follows the end, which the first pass has not."""
    cycle, total = Cycle(50_000, 150_000), 5 * RATE_HZ
    at_end, at_start = crossfade(cycle, total, 1323), tail(cycle, total, RATE_HZ)
    for zone, skip_intro, frames in (
        (cut(cycle), False, 50_000),
        (cut(cycle), True, 0),
        (at_end, False, 50_000),
        (at_end, True, 0),
        (at_start, False, 150_000),
        (at_start, True, 100_000),
    ):
        assert lead(reader, cycle, zone, skip_intro=skip_intro).frames == frames
