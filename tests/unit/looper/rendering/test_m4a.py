from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from musicgen.audio import aac, mp4_boxes
from musicgen.audio.codecs import AudioReader, Format, Properties, Samples, probe
from musicgen.errors import Cancelled, UnsupportedFormat
from services.looper.rendering import layout as layout_module
from services.looper.rendering.layout import lay_out
from services.looper.rendering.m4a import m4a_bytes_at_most, m4a_codec, write_m4a
from services.looper.rendering.sink import Sink
from services.looper.rendering.splice import Method
from services.looper.rendering.tagging import LoopRegion, Tags
from services.looper.rendering.timeline import Timeline
from services.looper.stretches import Held

pytestmark = pytest.mark.unit

RATE_HZ = 44_100
PERIOD = 60_001
HEAD = 20_000


@pytest.fixture(autouse=True)
def short_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of 3 s instead of a minute, and rests of 1 s: less to encode, the same joints."""
    monkeypatch.setattr(layout_module, "UNIT_S", 3)
    monkeypatch.setattr(layout_module, "LEAST_REST_S", 1)


def tones(frames: np.ndarray, channels: int) -> Samples:
    """Return periodic music, shape [frames, channels]."""
    turns = (frames % PERIOD)[:, None] / PERIOD
    total = np.zeros((len(frames), 1))
    for hertz in (220, 1303, 3001):
        total += 0.12 * np.sin(2 * np.pi * round(hertz * PERIOD / RATE_HZ) * turns)
    return np.repeat(total, channels, axis=1).astype(np.float32)


def timeline(seconds: float, *, channels: int = 2, rate_hz: int = RATE_HZ) -> Timeline:
    """Repeat a cycle, led into by its own end."""
    length = round(seconds * rate_hz)
    return Timeline(
        sample_rate_hz=rate_hz,
        channels=channels,
        bits=16,
        head=Held(tones(np.arange(-HEAD, 0), channels)),
        cycle=Held(tones(np.arange(PERIOD), channels)),
        whole_cycles=(length - HEAD) // PERIOD,
        length_frames=length,
        fade_frames=200,
    )


def written(path: Path, source: Timeline, loop: LoopRegion | None = None) -> Method:
    """Write a timeline; the hash and the room must be right as well."""
    with Sink(path, lambda _: None) as sink:
        rendered = write_m4a(source, sink, Tags((("TITLE", "Nächte"),)), loop, lambda _: None)
        assert len(sink.sha256()) == 64
    assert path.stat().st_size < m4a_bytes_at_most(source)
    return rendered.method


def noise_db(read: Samples, expected: Samples) -> float:
    """How loud the difference is beside the signal."""
    ratio = np.mean((read - expected) ** 2) / np.mean(expected**2)
    return 10 * float(np.log10(ratio))


@pytest.mark.parametrize(("channels", "seconds"), [(2, 30.0), (1, 31.234)])
def test_a_splice_is_exact_and_can_not_be_heard(
    tmp_path: Path, channels: int, seconds: float
) -> None:
    """The length is exact, and around each joint the sound is as good as elsewhere."""
    source, path = timeline(seconds, channels=channels), tmp_path / "x.m4a"
    assert written(path, source) == "spliced"
    assert probe(path) == Properties(Format.M4A, RATE_HZ, channels, source.length_frames)
    layout = lay_out(source, m4a_codec(source))
    assert layout is not None
    joint = layout.joint
    with AudioReader(path) as reader:
        for stretch in (*layout.stretches, 0):
            for start in range(joint - 3072, joint + 3072, 1024):
                reader.seek(start)
                place = layout.lead_source + np.arange(start - joint, start - joint + 1024)
                assert noise_db(reader.read(1024), tones(place, channels)) < -30
            joint += (stretch + layout.rest_frames) * 1024
        reader.seek(3000)  # the encoder begins from nothing
        head = reader.read(HEAD - 3000)
        assert noise_db(head, tones(np.arange(3000 - HEAD, 0), channels)) < -30
        reader.seek(source.length_frames - 1)
        assert abs(reader.read(10)).max() < 0.05, "it fades out"


def test_what_is_too_short_to_splice_is_encoded(tmp_path: Path) -> None:
    """The length is exact there, too, and the loop's points stay."""
    source, path = timeline(5.0), tmp_path / "x.m4a"
    assert written(path, source, LoopRegion(HEAD, HEAD + PERIOD)) == "encoded"
    assert probe(path).duration_frames == source.length_frames
    assert tag_of(path, b"LOOPSTART") == str(HEAD).encode()
    assert tag_of(path, b"LOOPLENGTH") == str(PERIOD).encode()


def tag_of(path: Path, name: bytes) -> bytes:
    """The text of one of iTunes' free tags."""
    data = path.read_bytes()
    place = data.index(name) + len(name)
    return data[place + 16 : place + int.from_bytes(data[place : place + 4], "big")]


def test_loop_points_are_those_of_the_output(tmp_path: Path) -> None:
    """In a splice the first unit is the loop: whole frames, which do sound again."""
    source, path = timeline(30.0), tmp_path / "x.m4a"
    written(path, source, LoopRegion(HEAD, HEAD + PERIOD))
    start, length = (int(tag_of(path, name)) for name in (b"LOOPSTART", b"LOOPLENGTH"))
    assert length % 1024 == 0
    with AudioReader(path) as reader:
        reader.seek(start + 2000)
        first = reader.read(2000)
        reader.seek(start + length + 2000)
        assert abs(reader.read(2000) - first).max() < 0.02


def test_the_file_plays_while_it_loads(tmp_path: Path) -> None:
    """Its tables come before its sound, and no frame is left over at its end."""
    source, path = timeline(12.0), tmp_path / "x.m4a"
    written(path, source)
    with path.open("rb") as file:
        found = list(mp4_boxes.top_boxes(file, path.stat().st_size))
        moov = mp4_boxes.read_movie(file, path.stat().st_size)
    assert [one.kind for one in found] == [b"ftyp", b"moov", b"mdat"]
    track = mp4_boxes.sound_track(moov)
    assert track is not None
    timing = mp4_boxes.timing(moov, track)
    assert timing.length == source.length_frames
    assert (timing.delay + timing.length) % 1024 == 0


def test_a_cancel_ends_the_encoder(tmp_path: Path) -> None:
    """What the callback raises comes out, and no thread stays."""
    threads = threading.active_count()

    def cancel(seconds: float) -> None:
        if seconds > 1:
            raise Cancelled("enough")

    with Sink(tmp_path / "x.m4a", lambda _: None) as sink, pytest.raises(Cancelled):
        write_m4a(timeline(30.0), sink, Tags(), None, cancel)
    assert threading.active_count() == threads


def test_what_m4a_can_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many channels, a rate that AAC lacks, no encoder: refused with a remedy."""
    for source in (timeline(5.0, channels=3), timeline(5.0, rate_hz=50_000)):
        with pytest.raises(UnsupportedFormat, match="M4A"):
            m4a_codec(source)
    monkeypatch.setattr(aac, "is_available", lambda: False)
    with Sink(tmp_path / "x.m4a", lambda _: None) as sink, pytest.raises(UnsupportedFormat) as no:
        write_m4a(timeline(5.0), sink, Tags(), None, lambda _: None)
    assert "musicgen-local[m4a]" in no.value.remedy
