from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from musicgen.artifacts import ArtifactStore
from musicgen.audio.codecs import AudioReader, Format, probe
from musicgen.errors import Cancelled, InvalidField, NoLoopFound, UnsupportedFormat
from musicgen.progress import Progress
from services.looper.analysis.finder import PASSING_SCORE, Wanted
from services.looper.loops import Cycle, Kind, Transition
from services.looper.rendering import layout
from services.looper.rendering.planning import Ending
from services.looper.rendering.tagging import LoopRegion
from services.looper.work import Rendered, find_loops, prepare, render_loop, rising
from tests.unit.looper import signals
from tests.unit.looper.files import empty_store, ignore, order, read, write

pytestmark = pytest.mark.unit

PERIOD = 200_003
CYCLE = Cycle(50_000, 50_000 + PERIOD)
KEY = "artifacts/j/1/loop.wav"


@pytest.fixture(autouse=True)
def short_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less to encode."""
    monkeypatch.setattr(layout, "UNIT_S", 6)
    monkeypatch.setattr(layout, "LEAST_REST_S", 1)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two and a half cycles of music."""
    signal, _ = signals.music(PERIOD, 2.5, bars=4)
    return write(tmp_path_factory.mktemp("source") / "a.flac", signal, format=Format.FLAC)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """An empty store."""
    return empty_store(tmp_path)


def files_in(store: ArtifactStore) -> list[str]:
    """Return the keys of all files in a store."""
    found = (path for path in store.root.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(store.root)) for path in found)


def test_a_render_is_told_as_it_is(source: Path, store: ArtifactStore) -> None:
    """Length, facts, hash, loop points, what was measured, and how the seam came out."""
    rendered = render_loop(order(source, CYCLE, length_s=20.5), store, KEY, ignore)
    assert files_in(store) == [KEY]
    assert rendered.file == store.stat(KEY)
    assert rendered.properties == probe(store.existing(KEY))
    assert rendered.properties.duration_frames == round(20.5 * 44_100)
    assert rendered.written.rendered.method == "spliced"
    assert rendered.written.rendered.loop == LoopRegion(50_000, 50_000 + PERIOD)
    assert rendered.candidate.kind is Kind.GIVEN
    assert rendered.candidate.cycle == CYCLE
    assert rendered.candidate.period_frames == PERIOD
    assert rendered.candidate.score > 0.95
    assert rendered.candidate.waveform_correlation > 0.99
    assert rendered.candidate.click_risk < 1.5
    assert rendered.seam.report.transition is Transition.CUT
    assert rendered.seam.report.clean


def test_a_periodic_source_stays_sample_exact(source: Path, store: ArtifactStore) -> None:
    """It sounds from its start, then repeats with its period, bit by bit."""
    render_loop(order(source, CYCLE, length_s=20.5), store, KEY, ignore)
    out, original = read(store.existing(KEY)), read(source)
    fade = 221
    assert np.array_equal(out[: CYCLE.end_frame], original[: CYCLE.end_frame])
    rest = out[CYCLE.end_frame : -fade]
    assert np.array_equal(rest, np.resize(original[50_000 : CYCLE.end_frame], rest.shape))


def test_points_are_found_where_none_are_given(source: Path, store: ArtifactStore) -> None:
    """The finder chooses, and the render has its cycle."""
    rendered = render_loop(order(source, None, cycles=3, skip_intro=True), store, KEY, ignore)
    assert rendered.candidate.kind is Kind.REPEAT
    assert rendered.candidate.cycle.period_frames == PERIOD
    assert rendered.properties.duration_frames == 3 * PERIOD


@pytest.mark.parametrize("off_frames", [-900, 37, 2000])
def test_points_snap_to_where_the_music_meets(
    source: Path, store: ArtifactStore, off_frames: int
) -> None:
    """The end moves to the period."""
    given = Cycle(CYCLE.start_frame, CYCLE.end_frame + off_frames)
    snapped = render_loop(order(source, given, snap=True), store, KEY, ignore)
    assert snapped.candidate.cycle == CYCLE


def test_points_stay_where_they_are_unless_told(source: Path, store: ArtifactStore) -> None:
    """What doesn't meet is crossfaded."""
    given = Cycle(CYCLE.start_frame, CYCLE.end_frame + 37)
    kept = render_loop(order(source, given), store, KEY, ignore)
    assert kept.candidate.cycle == given
    assert kept.seam.report.transition is Transition.CROSSFADE


def test_points_beyond_reach_do_not_snap_to_the_period(source: Path, store: ArtifactStore) -> None:
    """50 ms are the most; what lies further off stays a bad cycle, and is told as one."""
    given = Cycle(CYCLE.start_frame, CYCLE.end_frame + 4000)
    rendered = render_loop(order(source, given, snap=True), store, KEY, ignore)
    assert abs(rendered.candidate.cycle.end_frame - given.end_frame) <= 2205
    assert rendered.candidate.cycle != CYCLE
    assert rendered.candidate.score < 0.9


def test_a_tail_that_is_not_there_is_not_folded(source: Path, store: ArtifactStore) -> None:
    """A cycle that ends with the source has nothing after it."""
    what = order(source, Cycle(0, probe(source).duration_frames), fold_tail=True)
    with pytest.raises(InvalidField, match="Nothing rings on") as refused:
        render_loop(what, store, KEY, ignore)
    assert list(refused.value.fields) == ["spec.points"]


def test_a_tail_is_folded_if_wanted(tmp_path: Path, store: ArtifactStore) -> None:
    """What rings on after the end is added to each pass but the first."""
    signal = np.pad(signals.played([signals.composed(4, 1)], ring_s=1.5), ((441, 0), (0, 0)))
    path, cycle = write(tmp_path / "a.wav", signal), Cycle(0, 8 * 44_100)
    what = order(path, cycle, cycles=3, fold_tail=True)
    rendered = render_loop(what, store, KEY, ignore)
    assert rendered.candidate.kind is Kind.TAIL
    assert rendered.seam.report.transition is Transition.TAIL
    assert rendered.seam.report.clean
    assert rendered.written.rendered.loop == LoopRegion(cycle.end_frame, 2 * cycle.end_frame)
    out, original = read(store.existing(KEY)), read(path)
    period, ringing = cycle.end_frame, len(original) - cycle.end_frame
    assert np.array_equal(out[:period], original[:period])
    full = ringing * 3 // 4
    np.testing.assert_allclose(
        out[period : period + full],
        original[:full] + original[period : period + full],
        atol=2.0**-15,
    )
    assert np.array_equal(out[period + ringing : 2 * period], original[ringing:period])


@pytest.mark.parametrize(
    ("cycle", "fault"),
    [
        (Cycle(0, 20_000_000), "end_frame must be at most"),
        (Cycle(5000, 6000), "at least 0.5 s"),
        (Cycle(-5, 100_000), "start_frame must be 0"),
        (Cycle(100_000, 50_000), "at least 0.5 s"),
    ],
)
def test_points_outside_the_source_are_refused(
    source: Path, store: ArtifactStore, cycle: Cycle, fault: str
) -> None:
    """They must lie in the file and hold half a second at least; the field is named."""
    with pytest.raises(InvalidField, match=fault) as refused:
        render_loop(order(source, cycle), store, KEY, ignore)
    assert list(refused.value.fields) == ["spec.points"]
    assert files_in(store) == []


def test_what_a_format_can_not_hold_is_refused(tmp_path: Path, store: ArtifactStore) -> None:
    """UNSUPPORTED_FORMAT for too many channels and for a rate that it lacks."""
    six = write(tmp_path / "a.wav", np.tile(signals.noise(2), (1, 3)))
    with pytest.raises(UnsupportedFormat, match="6 channels"):
        render_loop(order(six, Cycle(0, 50_000), format=Format.MP3), store, KEY, ignore)
    fast = write(tmp_path / "b.wav", signals.noise(2, 96_000), 96_000)
    with pytest.raises(UnsupportedFormat, match="96,000 Hz"):
        render_loop(order(fast, Cycle(0, 60_000), format=Format.MP3), store, KEY, ignore)
    assert files_in(store) == []


def test_a_near_miss_is_told(tmp_path: Path, store: ArtifactStore) -> None:
    """NO_LOOP_FOUND tells the best that did not pass, what it scored, and what passes."""
    path = write(tmp_path / "a.wav", signals.through_composed(40, drums=True))
    for ask in (
        lambda: find_loops(path, Wanted(), ignore, store=store, prefix="j/1"),
        lambda: render_loop(order(path, None), store, KEY, ignore),
    ):
        with pytest.raises(NoLoopFound) as refused:
            ask()
        told = refused.value.metadata
        assert told["passing_score"] == str(PASSING_SCORE)
        assert 0 < float(told["best"]) < PASSING_SCORE
        assert 0 <= int(told["best_start_frame"]) < int(told["best_end_frame"]) <= 40 * 44_100
        assert refused.value.remedy
    assert files_in(store) == []


def test_found_cycles_have_their_seams(source: Path, store: ArtifactStore) -> None:
    """One for each, and a preview of it, if there is a place for that."""
    found = find_loops(source, Wanted(), ignore, store=store, prefix="artifacts/j/1")
    count = len(found.candidates)
    assert count == len(found.seams) == len(found.previews)
    keys = [f"artifacts/j/1/seam-{rank}.flac" for rank in range(1, count + 1)]
    assert files_in(store) == keys
    assert [file.key for file in found.previews] == keys
    assert found.properties == probe(source)
    assert all(candidate.click_risk > 0 for candidate in found.candidates)
    assert find_loops(source, Wanted(), ignore).previews == []


STAGES = ["analysing", "comparing", "aligning", "encoding", "writing"]


@pytest.mark.parametrize(
    ("cycle", "format", "stages"),
    [
        (None, Format.WAV, ["analysing", "comparing", "aligning", "writing"]),
        (None, Format.MP3, STAGES),
        (CYCLE, Format.FLAC, ["analysing", "writing"]),
        (CYCLE, Format.OPUS, ["analysing", "encoding", "writing"]),
        (CYCLE, Format.OGG, ["analysing", "encoding"]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_stages_come_in_order_and_nothing_falls_back(
    source: Path, store: ArtifactStore, cycle: Cycle | None, format: Format, stages: list[str]
) -> None:
    """From 0 to 1, and an ETA appears on the way."""
    seen: list[Progress] = []
    what = order(source, cycle, length_s=90.0, format=format)
    render_loop(what, store, KEY, seen.append)
    assert list(dict.fromkeys(one.stage for one in seen)) == stages
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.2
    assert 0.9 < fractions[-1] <= 1
    assert seen[-1].eta_s is not None


def test_a_rising_fraction_never_falls() -> None:
    """Whatever is reported, the highest so far is told; the rest stays."""
    told: list[Progress] = []
    report = rising(told.append)
    for stage, fraction in (("a", 0.1), ("a", 0.5), ("b", 0.2), ("b", 0.6)):
        report(Progress(stage, 1, 2, fraction, 3.0, "x"))
    assert [one.fraction for one in told] == [0.1, 0.5, 0.5, 0.6]
    assert dataclasses.replace(told[2], fraction=0.2) == Progress("b", 1, 2, 0.2, 3.0, "x")


@pytest.mark.parametrize("stage", STAGES)
def test_a_cancel_in_any_stage_leaves_nothing(
    source: Path, store: ArtifactStore, stage: str
) -> None:
    """What the report raises comes out."""

    def cancel(progress: Progress) -> None:
        if progress.stage == stage:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        render_loop(order(source, None, length_s=60.0, format=Format.MP3), store, KEY, cancel)
    assert files_in(store) == []


def test_an_ending_and_a_crossfade_are_passed_on(source: Path, store: ArtifactStore) -> None:
    """As ordered, down to the samples."""
    what = order(source, CYCLE, length_s=15.0, ending=Ending.FADE, fade_s=4.0, crossfade_ms=100.0)
    rendered: Rendered = render_loop(what, store, KEY, ignore)
    assert rendered.timeline.fade_frames == 4 * 44_100
    assert rendered.seam.zone.frames == 4410
    assert rendered.seam.report.crossfade_ms == 100
    assert rendered.seam.report.transition is Transition.CROSSFADE


def test_a_render_is_prepared_without_writing(source: Path) -> None:
    """Cycle, seam, timeline and the stages to come are known before the first byte."""
    with AudioReader(source) as reader:
        prepared = prepare(order(source, CYCLE, length_s=60.0), reader, ignore)
    assert prepared.timeline.length_frames == 60 * 44_100
    assert prepared.candidate.cycle == CYCLE
    assert prepared.meter.enter("writing").fraction > 0


def test_memory_does_not_grow_with_the_length(source: Path, store: ArtifactStore) -> None:
    """Ten times the length takes the same memory."""
    peaks = []
    for length_s in (30.0, 300.0):
        tracemalloc.start()
        render_loop(order(source, CYCLE, length_s=length_s), store, KEY, ignore)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.1
