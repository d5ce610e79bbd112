from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.audio.codecs import AudioReader, AudioWriter, Format
from musicgen.errors import Cancelled
from services.looper.rendering import wav
from services.looper.rendering.pcm import to_pcm
from services.looper.rendering.sink import Sink
from services.looper.rendering.tagging import LoopRegion, Tags
from services.looper.rendering.timeline import Timeline
from services.looper.rendering.wav import wav_bytes_at_most, write_wav
from tests.unit.looper.rendering.timelines import pcm_of, timeline

pytestmark = pytest.mark.unit

TAGS = Tags((("title", "Räin"), ("ARTIST", "MusicGen"), ("MOOD", "none"), ("GENRE", "")))


def ignore(_: int) -> None:
    """Be a Wrote that nobody looks at."""


def written(path: Path, what: Timeline, loop: LoopRegion | None = None) -> dict[bytes, bytes]:
    """Write a WAV file and return its chunks. Their sizes must lead from one to the next
    and to the file's end exactly."""
    with Sink(path, ignore) as sink:
        write_wav(what, sink, TAGS, loop)
        sink.sha256()
    data = path.read_bytes()
    assert len(data) <= wav_bytes_at_most(what)
    kind, riff_bytes, form = struct.unpack("<4sI4s", data[:12])
    assert form == b"WAVE"
    chunks: dict[bytes, bytes] = {}
    place = 12
    while place < len(data):
        name, length = struct.unpack("<4sI", data[place : place + 8])
        if kind == b"RF64":
            riff_bytes, data_bytes, frames, _ = struct.unpack("<QQQI", data[20:48])
            assert frames == what.length_frames
            length = data_bytes if name == b"data" else length
        chunks[name] = data[place + 8 : place + 8 + length]
        assert len(chunks[name]) == length
        place += 8 + length + length % 2
    assert riff_bytes == len(data) - 8
    return chunks


@pytest.mark.parametrize(
    "what",
    [
        timeline(10_007, 9),
        timeline(10_007, 9, ending_frames=0, fade_frames=0, head_frames=0),
        timeline(700, 1000, channels=1, bits=24, rate_hz=22_050),
        timeline(1001, 3, channels=1, bits=24, ending_frames=2, head_frames=0),
        timeline(70_000, 3, channels=6, bits=24, rate_hz=192_000),
        timeline(5000, 0, channels=3),
        timeline(5000, 0, head_frames=0, ending_frames=4000, channels=10),
        timeline(5000, 4, outro_frames=9000, ending_frames=9000, rate_hz=96_000),
    ],
    ids=["usual", "bare", "short cycle", "odd length", "six", "no cycle", "ten", "outro"],
)
def test_a_file_is_the_render_to_the_bit(tmp_path: Path, what: Timeline) -> None:
    """Every sample is there, and libsndfile agrees on all facts."""
    path = tmp_path / "a.wav"
    chunks = written(path, what)
    assert chunks[b"data"] == pcm_of(what)
    assert list(chunks)[-1] == b"data"
    with AudioReader(path) as reader:
        facts = reader.properties
        assert facts.format is Format.WAV
        assert (facts.sample_rate_hz, facts.channels) == (what.sample_rate_hz, what.channels)
        assert facts.duration_frames == what.length_frames
        assert reader.bits == what.bits
        assert to_pcm(np.concatenate(list(reader.blocks())), what.bits) == pcm_of(what)


def test_tags_and_the_loop_lie_before_the_audio(tmp_path: Path) -> None:
    """A sampler finds one forward loop whose end counts itself, a player the title."""
    chunks = written(tmp_path / "a.wav", timeline(10_000, 4), LoopRegion(1234, 11_234))
    assert list(chunks) == [b"fmt ", b"smpl", b"LIST", b"data"]
    numbers = struct.unpack("<15I", chunks[b"smpl"])
    assert numbers == (0, 0, 22_676, 60, 0, 0, 0, 1, 0, 0, 0, 1234, 11_233, 0, 0)
    with soundfile.SoundFile(tmp_path / "a.wav") as file:
        assert (file.title, file.artist, file.genre) == ("Räin", "MusicGen", "")


def test_four_gibibytes_and_more_are_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond what RIFF can count says its sizes in 64 bits, and is read as it is."""
    monkeypatch.setattr(wav, "RIFF_LIMIT_BYTES", 10_000)
    what = timeline(10_007, 9)
    chunks = written(tmp_path / "a.wav", what, LoopRegion(0, 10))
    assert list(chunks) == [b"ds64", b"fmt ", b"smpl", b"LIST", b"data"]
    with soundfile.SoundFile(tmp_path / "a.wav") as file:
        assert file.format == "RF64"
        assert file.frames == what.length_frames
        assert file.read(dtype="int16").tobytes() == pcm_of(what)


def test_ten_hours_are_rf64_by_themselves(tmp_path: Path) -> None:
    """The limit is that of the format: 6.35 GB are announced in 64 bits."""
    what = timeline(44_100, 36_000, head_frames=0, ending_frames=0, fade_frames=0)

    class Enough(Exception):
        pass

    def stop(_: int) -> None:
        raise Enough

    with Sink(tmp_path / "a.wav", stop) as sink, pytest.raises(Enough):
        write_wav(what, sink, TAGS, None)
    head = (tmp_path / "a.wav").read_bytes()
    assert head.startswith(b"RF64\xff\xff\xff\xffWAVEds64")
    assert int.from_bytes(head[28:36], "little") == 36_000 * 44_100 * 4 <= wav_bytes_at_most(what)


def test_a_long_cycle_is_copied_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cycle too big to keep gives the same bytes."""
    what = timeline(10_007, 5)
    kept = written(tmp_path / "a.wav", what)
    monkeypatch.setattr(wav, "HELD_BYTES", 1000)
    monkeypatch.setattr("services.looper.rendering.spool.PIECE_BYTES", 5000)
    assert written(tmp_path / "b.wav", what) == kept


@pytest.mark.parametrize("bits", [16, 24])
def test_pcm_comes_out_as_it_went_in(tmp_path: Path, bits: int) -> None:
    """All that PCM can hold survives being read as floats; beyond full scale it is clipped."""
    whole = np.arange(-32_768, 32_768) * (1 if bits == 16 else 256)
    samples = (whole[:, None] / 2.0 ** (bits - 1)).astype(np.float32)
    with AudioWriter(tmp_path / "a.wav", Format.WAV, 44_100, 1, bits=bits) as writer:
        writer.write(samples)
    with AudioReader(tmp_path / "a.wav") as reader:
        read = to_pcm(reader.read(70_000), bits)
    wide = np.pad(
        np.frombuffer(read, np.uint8).reshape(-1, bits // 8), ((0, 0), (4 - bits // 8, 0))
    )
    assert np.array_equal(wide.copy().view("<i4")[:, 0] >> (32 - bits), whole)
    loud = np.array([[2.0, -2.0, 1.0, np.inf, np.nan]], np.float32)
    most = 2 ** (bits - 1) - 1
    expected = [most, -most - 1, most, most, 0]
    assert to_pcm(loud, bits) == b"".join(
        step.to_bytes(bits // 8, "little", signed=True) for step in expected
    )


def test_a_cancel_stops_it(tmp_path: Path) -> None:
    """What `wrote` raises comes out, wherever it happens."""
    what, place = timeline(50_000, 20), 0

    def cancel(count: int) -> None:
        nonlocal place
        place += count
        if place > 2_000_000:
            raise Cancelled("enough")

    with Sink(tmp_path / "a.wav", cancel) as sink, pytest.raises(Cancelled):
        write_wav(what, sink, TAGS, None)
