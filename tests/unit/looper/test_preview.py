from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import AudioReader, Format, probe
from services.looper.loops import Cycle
from services.looper.seam.preview import FADE_S, SIDE_S, preview, write_preview
from services.looper.seam.transition import crossfade, cut, looped
from tests.unit.looper import signals
from tests.unit.looper.files import empty_store, read, write

pytestmark = pytest.mark.unit

RATE_HZ = 44_100
SIDE = round(SIDE_S * RATE_HZ)
FADE = round(FADE_S * RATE_HZ)


def test_the_seam_lies_in_the_middle(tmp_path: Path) -> None:
    """The last seconds of a cycle, then its first, faded where the preview begins and ends."""
    signal = signals.noise(12)
    cycle = Cycle(50_000, 450_000)
    with AudioReader(write(tmp_path / "a.wav", signal)) as reader:
        source = read(tmp_path / "a.wav")
        heard = preview(reader, looped(reader, cycle, cut(cycle)))
    assert heard.shape == (2 * SIDE, 2)
    end, start = cycle.end_frame, cycle.start_frame
    assert np.array_equal(heard[FADE:SIDE], source[end - SIDE + FADE : end])
    assert np.array_equal(heard[SIDE:-FADE], source[start : start + SIDE - FADE])
    assert np.abs(heard[[0, -1]]).max() == 0


def test_a_short_cycle_is_heard_whole(tmp_path: Path) -> None:
    """Once before the seam, once after it; the source is left as it is."""
    cycle = Cycle(10_000, 40_000)
    with AudioReader(write(tmp_path / "a.wav", signals.noise(3))) as reader:
        repeated = looped(reader, cycle, crossfade(cycle, 3 * RATE_HZ, 1000))
        heard = preview(reader, repeated)
        assert len(heard) == 2 * cycle.period_frames
        again = np.concatenate(list(repeated.blocks()))
    assert np.array_equal(heard[FADE : cycle.period_frames], again[FADE:])
    assert np.array_equal(heard[cycle.period_frames : -FADE], again[:-FADE])


def test_it_is_written_as_flac(tmp_path: Path) -> None:
    """Under the key, with the source's rate and channels, hashed."""
    store = empty_store(tmp_path)
    cycle = Cycle(10_000, 40_000)
    path = write(tmp_path / "a.wav", signals.noise(3, 48_000), 48_000)
    with AudioReader(path) as reader:
        repeated = looped(reader, cycle, cut(cycle))
        file = write_preview(store, "jobs/seam-1.flac", reader, repeated)
    facts = probe(store.existing(file.key))
    assert facts.format is Format.FLAC
    assert (facts.sample_rate_hz, facts.channels, facts.duration_frames) == (48_000, 2, 60_000)
    assert file == store.stat("jobs/seam-1.flac")
