from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from musicgen.audio.codecs import AudioReader
from musicgen.errors import InvalidField
from services.looper.analysis.surprise import CONTEXT_FRAMES, click
from services.looper.loops import Cycle
from services.looper.rendering.planning import CUT_FADE_S, Ending, Shape, plan, region_of
from services.looper.rendering.tagging import LoopRegion
from services.looper.rendering.timeline import Timeline
from services.looper.seam.transition import Overlap, crossfade, cut, looped, tail
from tests.unit.looper import signals
from tests.unit.looper.files import write

pytestmark = pytest.mark.unit

RATE_HZ = 44_100
SIGNAL = signals.noise(20)
CYCLE = Cycle(2 * RATE_HZ, 6 * RATE_HZ)
PERIOD = CYCLE.period_frames
CUT_FADE = round(CUT_FADE_S * RATE_HZ)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[AudioReader]:
    """Two seconds of intro, cycles, and fourteen seconds of something else."""
    with AudioReader(write(tmp_path / "a.wav", SIGNAL)) as opened:
        yield opened


def sound(timeline: Timeline) -> signals.Signal:
    """Return all of a timeline; it must have the length that it tells."""
    out = np.concatenate(list(timeline.blocks()))
    assert len(out) == timeline.length_frames
    return out


def source(reader: AudioReader) -> signals.Signal:
    """Return all of the file."""
    reader.seek(0)
    return reader.read(len(SIGNAL))


def end_of(out: signals.Signal, seconds: float = 0.5) -> float:
    """Return the level of the last stretch of a signal."""
    return float(np.sqrt(np.square(out[-round(seconds * RATE_HZ) :]).mean()))


@pytest.mark.parametrize("length_s", [60.0, 61.23456, 1.0])
def test_a_length_is_exact(reader: AudioReader, length_s: float) -> None:
    """Intro, cycles, and a cycle cut short whose last 5 ms fade."""
    timeline = plan(reader, CYCLE, cut(CYCLE), Shape(length_s=length_s))
    assert timeline.length_frames == round(length_s * RATE_HZ)
    out, original = sound(timeline), source(reader)
    frames = np.arange(len(out))
    cycles = CYCLE.start_frame + (frames - CYCLE.start_frame) % PERIOD
    expected = original[np.where(frames < CYCLE.end_frame, frames, cycles)]
    assert np.array_equal(out[:-CUT_FADE], expected[:-CUT_FADE])
    assert np.abs(out[-1]).max() < 0.01
    assert timeline.fade_frames == CUT_FADE


def test_cycles_are_counted(reader: AudioReader) -> None:
    """So often the cycle is heard, after the intro."""
    timeline = plan(reader, CYCLE, cut(CYCLE), Shape(cycles=3))
    assert timeline.length_frames == CYCLE.start_frame + 3 * PERIOD
    skipped = plan(reader, CYCLE, cut(CYCLE), Shape(cycles=3, skip_intro=True))
    assert skipped.length_frames == 3 * PERIOD
    assert np.array_equal(sound(skipped)[:PERIOD], source(reader)[CYCLE.start_frame :][:PERIOD])


@pytest.mark.parametrize("cycles", [1, 2, 5])
def test_a_first_pass_that_nothing_rings_into_counts(reader: AudioReader, cycles: int) -> None:
    """A folded tail is heard from the second pass on."""
    zone = tail(CYCLE, len(SIGNAL), RATE_HZ)
    timeline = plan(reader, CYCLE, zone, Shape(cycles=cycles, skip_intro=True))
    assert timeline.length_frames == cycles * PERIOD
    out, original = sound(timeline), source(reader)
    assert np.array_equal(
        out[: PERIOD - CUT_FADE], original[CYCLE.start_frame :][: PERIOD - CUT_FADE]
    )
    if cycles > 1:
        folded = np.concatenate(list(looped(reader, CYCLE, zone).blocks()))
        assert np.array_equal(out[PERIOD : 2 * PERIOD - CUT_FADE], folded[: PERIOD - CUT_FADE])


def test_too_many_cycles_are_refused(reader: AudioReader) -> None:
    """Ten hours hold 9,000 of four seconds, less the intro; the field is named."""
    assert plan(reader, CYCLE, cut(CYCLE), Shape(cycles=8_999)).whole_cycles == 8_998
    with pytest.raises(InvalidField, match="ten hours") as refused:
        plan(reader, CYCLE, cut(CYCLE), Shape(cycles=9_000))
    assert list(refused.value.fields) == ["spec.cycles"]


@pytest.mark.parametrize("shape", [Shape(60.0, ending=Ending.FADE, fade_s=8.0), Shape(
    cycles=12, ending=Ending.FADE, fade_s=8.0)])  # fmt: skip
def test_a_fade_goes_down_to_nothing(reader: AudioReader, shape: Shape) -> None:
    """Over so many seconds, in a straight line; before that nothing is changed."""
    timeline = plan(reader, CYCLE, cut(CYCLE), shape)
    out = sound(timeline)
    assert timeline.fade_frames == 8 * RATE_HZ
    middle = np.sqrt(np.square(out[-4 * RATE_HZ - 8000 : -4 * RATE_HZ + 8000]).mean())
    full = np.sqrt(np.square(out[-12 * RATE_HZ : -8 * RATE_HZ]).mean())
    assert middle == pytest.approx(full / 2, rel=0.05)
    assert end_of(out, 0.1) < 0.02 * full


def test_an_outro_follows_the_last_cycle(reader: AudioReader) -> None:
    """All of it, where cycles are counted."""
    timeline = plan(reader, CYCLE, cut(CYCLE), Shape(cycles=3, ending=Ending.OUTRO))
    rest = len(SIGNAL) - CYCLE.end_frame
    assert timeline.length_frames == CYCLE.start_frame + 3 * PERIOD + rest
    out = sound(timeline)
    assert np.array_equal(out[-rest:-CUT_FADE], source(reader)[CYCLE.end_frame : -CUT_FADE])


@pytest.mark.parametrize("length_s", [60.0, 30.0, 21.0])
def test_an_outro_is_cut_where_the_length_says(reader: AudioReader, length_s: float) -> None:
    """The cycles before it are whole, so that it begins where the source has it."""
    timeline = plan(reader, CYCLE, cut(CYCLE), Shape(length_s, ending=Ending.OUTRO))
    assert timeline.length_frames == round(length_s * RATE_HZ)
    before = CYCLE.start_frame + timeline.whole_cycles * PERIOD
    out, original = sound(timeline), source(reader)
    heard = timeline.length_frames - before - timeline.fade_frames
    assert heard > 2 * RATE_HZ
    assert np.array_equal(out[before:][:heard], original[CYCLE.end_frame :][:heard])
    assert np.abs(out[-1]).max() < 0.01


def test_without_an_outro_the_cycle_fades(reader: AudioReader) -> None:
    """Where the file ends with the cycle, it is cut; where too little follows, it fades."""
    whole = Cycle(0, len(SIGNAL))
    timeline = plan(reader, whole, cut(whole), Shape(60.0, ending=Ending.OUTRO))
    assert timeline.outro is None
    assert timeline.fade_frames == CUT_FADE
    # One second follows the cycle's end: of 30.5 s only half a second would be heard.
    near = Cycle(9 * RATE_HZ, 19 * RATE_HZ)
    timeline = plan(reader, near, cut(near), Shape(29.5, ending=Ending.OUTRO))
    assert timeline.fade_frames == 5 * RATE_HZ
    assert end_of(sound(timeline), 0.1) < 0.01


def test_the_seam_leads_into_the_outro_without_a_click(tmp_path: Path) -> None:
    """The last pass is the source's own, because a crossfade at its end leads to its start."""
    wave = 0.5 * np.sin(2 * np.pi * 220 * np.arange(400_000) / RATE_HZ)[:, None]
    cycle = Cycle(100_000, 250_050)
    zone = crossfade(cycle, len(wave), 1323)
    assert not zone.at_start
    with AudioReader(write(tmp_path / "a.wav", wave.astype(np.float32))) as reader:
        for shape in (Shape(cycles=3), Shape(length_s=12.0)):
            timeline = plan(
                reader, cycle, zone, Shape(shape.length_s, shape.cycles, ending=Ending.OUTRO)
            )
            out = sound(timeline)
            assert timeline.outro is not None
            last_pass = timeline.head.frames + timeline.whole_cycles * cycle.period_frames
            joint = last_pass + cycle.period_frames
            assert click(out[joint - CONTEXT_FRAMES : joint + CONTEXT_FRAMES]) < 2
            assert click(out[last_pass - CONTEXT_FRAMES : last_pass + CONTEXT_FRAMES]) < 10


def test_an_intro_longer_than_the_length_is_cut(reader: AudioReader) -> None:
    """There is no cycle then, and no region that repeats."""
    timeline = plan(reader, Cycle(10 * RATE_HZ, 14 * RATE_HZ), cut(CYCLE), Shape(6.0))
    out = sound(timeline)
    assert np.array_equal(out[:-CUT_FADE], source(reader)[: 6 * RATE_HZ - CUT_FADE])
    assert timeline.whole_cycles == 0
    assert region_of(timeline) is None


@pytest.mark.parametrize(("length_s", "fade_s"), [(10.0, 9.0), (6.0, 6.0), (60.0, 60.0)])
def test_a_fade_longer_than_all_cycles_fades_cycles(
    reader: AudioReader, length_s: float, fade_s: float
) -> None:
    """However short they are: it never ends in silence."""
    short = Cycle(2 * RATE_HZ, 2 * RATE_HZ + 30_000)
    shape = Shape(length_s, ending=Ending.FADE, fade_s=fade_s)
    out = sound(plan(reader, short, cut(short), shape))
    frames = len(out)
    places = np.minimum(np.arange(frames), 2 * RATE_HZ + (np.arange(frames) - 2 * RATE_HZ) % 30_000)
    fade = np.clip((frames - np.arange(frames) - 0.5) / (fade_s * RATE_HZ), 0, 1)
    np.testing.assert_allclose(out, source(reader)[places] * fade[:, None], atol=1e-6)


def region(reader: AudioReader, zone: Overlap, shape: Shape) -> LoopRegion | None:
    """Return the region of a plan; what it holds must come again after it."""
    timeline = plan(reader, CYCLE, zone, shape)
    found = region_of(timeline)
    if found:
        out = sound(timeline)
        assert found.end_frame - found.start_frame == PERIOD
        following = out[found.end_frame : found.end_frame + PERIOD // 2]
        assert np.array_equal(out[found.start_frame :][: len(following)], following)
    return found


def test_the_region_is_the_first_cycle_that_repeats(reader: AudioReader) -> None:
    """After the intro, or after the pass that nothing rings into."""
    end, total = CYCLE.end_frame, len(SIGNAL)
    start = CYCLE.start_frame
    shape = Shape(30.0)
    assert region(reader, cut(CYCLE), shape) == LoopRegion(start, end)
    assert region(reader, crossfade(CYCLE, total, 2000), shape) == LoopRegion(start, end)
    assert region(reader, tail(CYCLE, total, RATE_HZ), shape) == LoopRegion(end, end + PERIOD)
    skipped = Shape(30.0, skip_intro=True)
    assert region(reader, cut(CYCLE), skipped) == LoopRegion(0, PERIOD)
    assert region(reader, cut(CYCLE), Shape(cycles=1)) is None
