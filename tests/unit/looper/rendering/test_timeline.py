from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import BLOCK_FRAMES, AudioReader
from musicgen.errors import InvalidAudio
from services.looper.rendering.timeline import Timeline
from services.looper.stretches import Held, Joined, Span, Stretch
from tests.unit.looper.rendering.timelines import noise, timeline, write
from tests.unit.looper.signals import Signal

pytestmark = pytest.mark.unit


def all_of(stretch: Stretch, start_frame: int = 0) -> Signal:
    """Read a stretch; its blocks must be neither empty nor too large."""
    blocks = list(stretch.blocks(start_frame))
    assert all(0 < len(block) <= BLOCK_FRAMES for block in blocks)
    return np.concatenate(blocks)


@pytest.mark.parametrize("start_frame", [0, 1, BLOCK_FRAMES, 70_000, 99_999])
def test_stretches_can_be_read_from_anywhere(tmp_path: Path, start_frame: int) -> None:
    """Audio in memory, of a file, and joined of several gives the same from any frame on."""
    signal = noise(100_000)
    path = write(tmp_path / "a.wav", np.concatenate([noise(500, seed=9), signal, signal]))
    with AudioReader(path) as reader:
        span = Span(reader, 500, 100_500)
        joined = Joined(
            Span(reader, 500, 500), Held(signal[:70_000]), Span(reader, 70_500, 100_500)
        )
        for stretch in (Held(signal), span, joined):
            assert stretch.frames == 100_000
            assert np.array_equal(all_of(stretch, start_frame), signal[start_frame:])
            assert np.array_equal(all_of(stretch, start_frame), signal[start_frame:])


def test_spans_of_one_file_can_be_read_by_turns(tmp_path: Path) -> None:
    """Two spans of one reader don't disturb each other."""
    signal = noise(300_000, 1)
    with AudioReader(write(tmp_path / "a.wav", signal)) as reader:
        one, other = Span(reader, 0, 150_000).blocks(), Span(reader, 150_000, 300_000).blocks()
        pairs = list(zip(one, other, strict=True))
    assert np.array_equal(np.concatenate([pair[0] for pair in pairs]), signal[:150_000])
    assert np.array_equal(np.concatenate([pair[1] for pair in pairs]), signal[150_000:])


def test_a_file_that_ends_early_is_invalid_audio(tmp_path: Path) -> None:
    """A span beyond the end of its file is told, rather than a shorter loop made."""
    path = write(tmp_path / "a.wav", noise(1000))
    with AudioReader(path) as reader, pytest.raises(InvalidAudio, match="cut off"):
        list(Span(reader, 500, 1001).blocks())


def test_the_order_of_a_render() -> None:
    """Head, cycles, then the cycle once more as far as it goes, fading out at its end."""
    what = timeline(70_001, 3, head_frames=20_000, ending_frames=30_000, fade_frames=1000)
    head, cycle = all_of(what.head), all_of(what.cycle)
    out = np.concatenate(list(what.blocks()))
    plain = np.concatenate([head, cycle, cycle, cycle, cycle[:30_000]])
    assert len(out) == what.length_frames == len(plain)
    assert np.array_equal(out[:-1000], plain[:-1000])
    gain = (np.arange(1000)[::-1] + 0.5) / 1000
    np.testing.assert_allclose(out[-1000:], plain[-1000:] * gain[:, None], atol=1e-7)


def test_an_outro_is_the_ending() -> None:
    """With an outro the ending is that; whoever asks for more than it has gets silence."""
    what = timeline(5000, 2, ending_frames=4000, outro_frames=4000, fade_frames=0)
    assert what.outro is not None
    outro = all_of(what.outro)
    assert np.array_equal(np.concatenate(list(what.ending(4000))), outro)
    longer = np.concatenate(list(what.ending(4100)))
    assert np.array_equal(longer[:4000], outro)
    assert not longer[4000:].any()
    assert len(np.concatenate(list(what.ending(3900)))) == 3900


def test_endless_begins_at_any_phase() -> None:
    """The cycle goes on for ever from the frame asked for, counted round the cycle."""
    what = timeline(1000, 1)
    cycle = all_of(what.cycle)
    stream = what.endless(2300)
    got = np.concatenate([next(stream) for _ in range(3)])
    assert np.array_equal(got, np.concatenate([cycle[300:], cycle, cycle]))


def test_no_fade_and_no_ending() -> None:
    """A render may end with its last whole cycle."""
    what = timeline(1000, 2, head_frames=0, ending_frames=0, fade_frames=0)
    assert what.ending_frames == 0
    cycle = all_of(what.cycle)
    assert np.array_equal(np.concatenate(list(what.blocks())), np.concatenate([cycle, cycle]))


def test_a_fade_longer_than_the_ending_ends_in_silence() -> None:
    """The gain's last step is near zero whatever the ending's length."""
    what: Timeline = timeline(5000, 1, ending_frames=50, fade_frames=500)
    ending = np.concatenate(list(what.ending(50)))
    assert np.abs(ending[-1]).max() < 0.001
