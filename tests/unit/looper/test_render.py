from __future__ import annotations

import hashlib
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from musicgen.artifacts import ArtifactStore
from musicgen.audio.codecs import AudioReader, Format, probe
from musicgen.errors import Cancelled, DiskFull, InvalidField, UnsupportedFormat
from musicgen.progress import Progress, ProgressMeter, Stage
from services.looper import render as render_module
from services.looper.loops import Cycle, Report
from services.looper.render import Plan, render
from services.looper.seam import overlap
from services.looper.work import Order, Rendered, render_loop
from tests.unit.looper import signals
from tests.unit.looper.files import ignore, read, write

pytestmark = pytest.mark.unit

PERIOD = 407_919


def order(source: Path, length_s: float = 60.0, **changes: object) -> Order:
    """Build an order with the default crossfade and points given."""
    fields: dict[str, object] = {
        "cycle": Cycle(100_000, 100_000 + PERIOD),
        "points_from": "request",
        "points_field": "spec.points",
        "crossfade_ms": 30.0,
        "format": Format.WAV,
    } | changes
    return Order(source=source, length_s=length_s, **fields)  # type: ignore[arg-type]  # by name


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two and a half cycles of music."""
    signal, _ = signals.music(PERIOD, 2.5)
    return write(tmp_path_factory.mktemp("source") / "a.flac", signal, format=Format.FLAC)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """An empty store."""
    (tmp_path / "store").mkdir()
    return ArtifactStore(tmp_path / "store")


def run(what: Order, store: ArtifactStore, report: Report = ignore) -> Rendered:
    """Render to the place of job j, fence 1."""
    return render_loop(what, store, f"artifacts/j/1/loop.{what.format.extension}", report)


@pytest.mark.parametrize(
    ("format", "length_s"),
    [(Format.FLAC, 60.0), (Format.FLAC, 61.23456), (Format.WAV, 75.5), (Format.MP3, 61.23456)],
)
def test_the_length_is_exact(
    source: Path, store: ArtifactStore, format: Format, length_s: float
) -> None:
    """A render has round(length x rate) frames in every format, and its hash is told."""
    rendered = run(order(source, length_s, format=format), store)
    path = store.existing(rendered.file.key)
    assert probe(path).duration_frames == round(length_s * 44_100)
    assert len(read(path)) == round(length_s * 44_100)
    assert rendered.properties == probe(path)
    assert rendered.file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert rendered.file.size_bytes == path.stat().st_size


@pytest.mark.parametrize("crossfade_ms", [0.0, 30.0, 500.0])
def test_a_periodic_source_stays_sample_exact(
    source: Path, store: ArtifactStore, crossfade_ms: float
) -> None:
    """The source sounds from its start, then repeats with its period to the last bit."""
    rendered = run(order(source, crossfade_ms=crossfade_ms), store)
    out, original = read(store.existing(rendered.file.key)), read(source)
    end, fade = 100_000 + PERIOD, 221
    # One step of 16 bits, at most: the blend of two equal samples may round.
    np.testing.assert_allclose(out[:end], original[:end], atol=2.0**-15)
    expected = np.resize(original[100_000:end], (len(out) - end, 2))
    np.testing.assert_allclose(out[end:-fade], expected[:-fade], atol=2.0**-15)
    assert rendered.seam.clean
    assert rendered.seam.crossfade_ms == pytest.approx(crossfade_ms, abs=0.02)


def test_the_end_fades_out(source: Path, store: ArtifactStore) -> None:
    """The last 5 ms go down to nothing, so that the cut doesn't click."""
    out = read(store.existing(run(order(source), store).file.key))
    assert np.abs(out[-1]).max() < 0.01
    assert np.abs(out[-2000:-221]).max() > 0.01


def test_the_result_holds_an_exact_cycle(source: Path, store: ArtifactStore) -> None:
    """The loop points of the result repeat to the bit, crossfade included."""
    rendered = run(order(source), store)
    cycle = rendered.plan.output_cycle(44_100)
    assert cycle is not None
    assert cycle.period_frames == PERIOD
    out = read(store.existing(rendered.file.key))
    following = out[cycle.end_frame : cycle.end_frame + 50_000]
    assert np.array_equal(out[cycle.start_frame : cycle.start_frame + 50_000], following)


def test_a_cycle_from_the_first_frame_is_blended_at_its_start(
    source: Path, store: ArtifactStore
) -> None:
    """Without a lead-in the music after the end is used; the first pass stays untouched."""
    original = read(source)
    rendered = run(order(source, cycle=Cycle(0, PERIOD + 40)), store)
    out = read(store.existing(rendered.file.key))
    assert rendered.plan.zone.at_start
    assert np.array_equal(out[: PERIOD + 40], original[: PERIOD + 40])
    assert rendered.seam.clean


def test_a_cycle_too_big_to_keep_is_read_anew(
    source: Path, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways to repeat a cycle give the same samples."""
    kept = run(order(source), store).file.sha256
    monkeypatch.setattr(render_module, "CACHED_CYCLE_BYTES", 1000)
    assert run(order(source), store).file.sha256 == kept


def test_a_loop_is_found_when_none_is_given(source: Path, store: ArtifactStore) -> None:
    """Without points the finder chooses, and what it measured is told."""
    rendered = run(order(source, cycle=None, points_from="found"), store)
    assert rendered.candidate.cycle.period_frames == PERIOD
    assert rendered.candidate.score > 0.95


@pytest.mark.parametrize("cycle", [Cycle(0, 20_000_000), Cycle(5000, 6000), Cycle(-5, 100_000)])
def test_points_outside_the_source_are_refused(
    source: Path, store: ArtifactStore, cycle: Cycle
) -> None:
    """They must lie in the file and hold half a second at least; the field is named."""
    with pytest.raises(InvalidField) as caught:
        run(order(source, cycle=cycle), store)
    assert list(caught.value.fields) == ["spec.points"]


def test_six_channels_are_no_mp3(tmp_path: Path, store: ArtifactStore) -> None:
    """A format that can't hold the source is UNSUPPORTED_FORMAT."""
    path = write(tmp_path / "a.wav", np.tile(signals.noise(2), (1, 3)))
    with pytest.raises(UnsupportedFormat, match="6 channels"):
        run(order(path, format=Format.MP3, cycle=Cycle(0, 50_000)), store)
    path = write(tmp_path / "b.wav", signals.noise(2), 96_000)
    with pytest.raises(UnsupportedFormat, match="96000 Hz"):
        run(order(path, format=Format.MP3, cycle=Cycle(0, 60_000)), store)


def test_a_full_disk_is_told_before_the_first_byte(source: Path, store: ArtifactStore) -> None:
    """DISK_FULL says what is needed and what is free, and nothing is written."""
    cycle = Cycle(100_000, 100_000 + PERIOD)
    for format, least_bytes in ((Format.WAV, 6e9), (Format.FLAC, 1e9), (Format.MP3, 1e9)):
        with AudioReader(source) as reader, pytest.raises(DiskFull) as caught:
            render(
                reader,
                source.stat().st_size,
                Plan(cycle, overlap(cycle, 10**9, 1323), 36_000 * 44_100, format),
                store,
                "artifacts/j/1/loop.out",
                meter=ProgressMeter([Stage("rendering", 1, 1)]),
                report=ignore,
                free=lambda _: 1_000_000,
            )
        assert int(caught.value.metadata["needed_bytes"]) > least_bytes
        assert caught.value.metadata["free_bytes"] == "1000000"
    assert list(store.root.rglob("*")) == []


def test_a_cancelled_render_leaves_nothing(source: Path, store: ArtifactStore) -> None:
    """Whatever the stage, no file stays."""
    for stage in ("rendering", "checking"):

        def cancel(progress: Progress, stage: str = stage) -> None:
            if progress.stage == stage and progress.step > 5:
                raise Cancelled("enough")

        with pytest.raises(Cancelled):
            run(order(source, 120.0), store, cancel)
        assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_progress_is_seconds_of_audio(source: Path, store: ArtifactStore) -> None:
    """Rendering counts the seconds written and never goes back; an ETA appears."""
    seen: list[Progress] = []
    run(order(source), store, seen.append)
    rendering = [p for p in seen if p.stage == "rendering"]
    assert rendering[-1].step == rendering[-1].steps == 60
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    assert rendering[-1].eta_s is not None


def test_reports_come_at_least_twice_a_second(source: Path, store: ArtifactStore) -> None:
    """No part of a render is deaf to a cancel for long."""
    times = [time.monotonic()]
    run(order(source, 300.0, format=Format.FLAC), store, lambda _: times.append(time.monotonic()))
    assert max(np.diff(times)) < 0.5


def test_memory_does_not_grow_with_the_length(source: Path, store: ArtifactStore) -> None:
    """Ten times the length takes the same memory."""
    peaks = []
    for length_s in (60.0, 600.0):
        tracemalloc.start()
        run(order(source, length_s), store)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.1
