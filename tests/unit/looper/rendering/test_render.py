from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from musicgen.artifacts import ArtifactStore
from musicgen.audio.codecs import AudioReader, Format, probe
from musicgen.errors import Cancelled, DiskFull, UnsupportedFormat
from musicgen.progress import Progress, ProgressMeter
from services.looper.loops import Cycle, Report
from services.looper.rendering import layout
from services.looper.rendering import render as render_module
from services.looper.rendering.planning import Shape, plan
from services.looper.rendering.render import Written, check, check_space, render, stages
from services.looper.rendering.tagging import Tags
from services.looper.rendering.timeline import Timeline
from services.looper.seam.transition import cut
from tests.unit.looper import signals
from tests.unit.looper.files import ignore, read, write

pytestmark = pytest.mark.unit

PERIOD = 120_007
CYCLE = Cycle(30_000, 30_000 + PERIOD)
RATE_HZ = 44_100
LOSSLESS = (Format.WAV, Format.FLAC)
TAGS = Tags((("TITLE", "Rain"),))


@pytest.fixture(autouse=True)
def short_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less to encode."""
    monkeypatch.setattr(layout, "UNIT_S", 6)
    monkeypatch.setattr(layout, "LEAST_REST_S", 1)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two and a half cycles of music."""
    signal, _ = signals.music(PERIOD, 2.5, bars=2)
    return write(tmp_path_factory.mktemp("source") / "a.flac", signal, format=Format.FLAC)


@pytest.fixture
def minute(source: Path) -> Iterator[Timeline]:
    """A minute of it and a bit."""
    with AudioReader(source) as reader:
        yield plan(reader, CYCLE, cut(CYCLE), Shape(61.23456))


@pytest.fixture
def short(source: Path) -> Iterator[Timeline]:
    """As much as is worth splicing."""
    with AudioReader(source) as reader:
        yield plan(reader, CYCLE, cut(CYCLE), Shape(25.0))


def made(timeline: Timeline, format: Format, path: Path, report: Report = ignore) -> Written:
    """Render a timeline."""
    meter = ProgressMeter(stages(timeline, format))
    return render(timeline, format, path, TAGS, meter=meter, report=report)


def stored(timeline: Timeline, format: Format, store: ArtifactStore, report: Report) -> None:
    """Render a timeline into a store, as the service does."""
    with store.writing("jobs/a") as path:
        made(timeline, format, path, report)
        # A small file may be written in one step.
        report(Progress(stages(timeline, format)[-1].name, 1, 1, 1.0))


@pytest.mark.parametrize("format", Format)
def test_a_minute_in_each_format(tmp_path: Path, minute: Timeline, format: Format) -> None:
    """The length is exact, hash and size are those of the file, its loop repeats, and
    progress goes through the stages."""
    path, seen = tmp_path / f"a.{format.extension}", list[Progress]()
    written = made(minute, format, path, seen.append)
    check_progress(seen, minute, format)
    facts = probe(path)
    assert facts.format is format
    assert facts.sample_rate_hz == written.sample_rate_hz
    assert facts.duration_frames == written.length_frames
    assert written.length_frames == round(61.23456 * RATE_HZ * facts.sample_rate_hz / RATE_HZ)
    data = path.read_bytes()
    assert (written.size_bytes, written.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert written.rendered.method == ("encoded" if format is Format.OGG else "spliced")
    loop = written.rendered.loop
    assert loop is not None
    assert 0 < loop.start_frame < loop.end_frame < facts.duration_frames
    out = read(path)
    assert len(out) == facts.duration_frames
    # Codecs need a moment until they have forgotten what was before.
    compared = RATE_HZ // 4
    first = out[loop.start_frame :][:compared]
    again = out[loop.end_frame :][:compared]
    off_db = 10 * np.log10(np.square(first - again).mean() / np.square(first).mean() + 1e-12)
    assert off_db < (-110 if format in LOSSLESS else -15)
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def check_progress(seen: list[Progress], timeline: Timeline, format: Format) -> None:
    """Encoding is told in seconds, writing in megabytes, and nothing falls back."""
    names = list(dict.fromkeys(one.stage for one in seen))
    assert names == [stage.name for stage in stages(timeline, format)][: len(names)]
    assert names[0] == ("writing" if format in LOSSLESS else "encoding")
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] <= 1
    if "encoding" in names:
        last = [one for one in seen if one.stage == "encoding"][-1]
        assert last.step >= last.steps - 1


@pytest.mark.parametrize("more_frames", [0, 1, 2, 3])
def test_opus_of_twice_its_rate_has_the_length_that_is_told(
    tmp_path: Path, more_frames: int
) -> None:
    """Half a sample too much is rounded as the file does it."""
    signal = signals.noise(2.2, 96_000)
    with AudioReader(write(tmp_path / "a.wav", signal, 96_000)) as reader:
        cycle = Cycle(1000, 101_000)
        timeline = plan(reader, cycle, cut(cycle), Shape(2 + more_frames / 96_000))
        written = made(timeline, Format.OPUS, tmp_path / "a.opus")
    assert probe(tmp_path / "a.opus").duration_frames == written.length_frames
    assert written.length_frames in (96_000, 96_001, 96_002)


@pytest.mark.parametrize("format", Format)
def test_a_disk_that_is_too_small_is_told_first(tmp_path: Path, format: Format) -> None:
    """DISK_FULL says what ten hours need and what is free; a little more is enough."""
    signal = signals.noise(4)
    with AudioReader(write(tmp_path / "a.wav", signal)) as reader:
        cycle = Cycle(1000, 150_000)
        timeline = plan(reader, cycle, cut(cycle), Shape(36_000.0))
    with pytest.raises(DiskFull) as refused:
        check_space(timeline, format, tmp_path, free=lambda _: 1_000_000)
    needed = int(refused.value.metadata["needed_bytes"])
    assert refused.value.metadata["free_bytes"] == "1000000"
    assert refused.value.remedy
    least = {Format.WAV: 6.3e9, Format.FLAC: 2e9, Format.OPUS: 5e8}.get(format, 7e8)
    assert least < needed < 8e9
    check_space(timeline, format, tmp_path, free=lambda _: needed)
    with pytest.raises(DiskFull):
        check_space(timeline, format, tmp_path, free=lambda _: needed - 1)


def test_a_flac_source_tells_how_well_it_compresses(minute: Timeline, tmp_path: Path) -> None:
    """Less room is asked for where the source is small."""

    def needed(bytes_per_frame: float | None) -> int:
        with pytest.raises(DiskFull) as refused:
            check_space(
                minute, Format.FLAC, tmp_path,
                flac_bytes_per_frame=bytes_per_frame, free=lambda _: 0,
            )  # fmt: skip
        return int(refused.value.metadata["needed_bytes"])

    assert needed(1.0) < needed(3.0) <= needed(None)


@pytest.mark.parametrize("format", Format)
def test_a_cancel_leaves_nothing(tmp_path: Path, short: Timeline, format: Format) -> None:
    """What the report raises in any stage ends the work, and the store stays empty."""
    store = ArtifactStore(tmp_path)
    for stage in [stage.name for stage in stages(short, format)]:

        def cancel(progress: Progress, stage: str = stage) -> None:
            if progress.stage == stage and progress.step > 0:
                raise Cancelled("enough")

        with pytest.raises(Cancelled):
            stored(short, format, store, cancel)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_disk_that_fills_up_is_told(
    tmp_path: Path, minute: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC on the way is DISK_FULL, and nothing stays."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("services.looper.rendering.sink.os.fdatasync", full)
    store = ArtifactStore(tmp_path)
    with pytest.raises(DiskFull), store.writing("jobs/a") as path:
        made(minute, Format.WAV, path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_format_can_not_hold_is_refused(tmp_path: Path) -> None:
    """Before anything is written."""
    signal = np.tile(signals.noise(2), (1, 3))
    with AudioReader(write(tmp_path / "a.wav", signal)) as reader:
        cycle = Cycle(0, 50_000)
        timeline = plan(reader, cycle, cut(cycle), Shape(60.0))
    for format in (Format.MP3, Format.OPUS, Format.OGG, Format.M4A):
        with pytest.raises(UnsupportedFormat, match="6 channels"):
            check(timeline, format)
    check(timeline, Format.FLAC)
    check(timeline, Format.WAV)


def test_room_is_what_the_disk_has(tmp_path: Path) -> None:
    """Asked of the file system that the file goes to."""
    assert 0 < render_module.free_bytes(tmp_path) < 1 << 60
