from __future__ import annotations

import hashlib
import threading
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.audio.codecs import AudioReader, Format
from musicgen.errors import Cancelled, InvalidAudio, UnsupportedFormat
from services.looper.rendering import flac_plan, spool
from services.looper.rendering.flac import flac_bytes_at_most, write_flac
from services.looper.rendering.flac_encoder import Form, encode
from services.looper.rendering.flac_frames import put_together, take_apart
from services.looper.rendering.flac_plan import plan_of
from services.looper.rendering.pcm import to_pcm
from services.looper.rendering.sink import Sink
from services.looper.rendering.tagging import LoopRegion, Tags
from services.looper.rendering.timeline import Timeline
from services.looper.stretches import Span
from tests.unit.looper.rendering.timelines import noise, pcm_of, timeline, write

pytestmark = pytest.mark.unit

TAGS = Tags((("TITLE", "Räin"), ("ARTIST", "MusicGen"), ("MOOD", "none")))


def ignore(_: int) -> None:
    """Be a Wrote that nobody looks at."""


@pytest.fixture
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Splice already where little repeats, so that the tests are quick."""
    monkeypatch.setattr(flac_plan, "UNIT_FRAMES", 10_000)
    monkeypatch.setattr(flac_plan, "FIXED_UNIT_FRAMES", 40_000)


@dataclass
class Head:
    """What the metadata of a file says, and the frames that the seek table points at."""

    least_block: int
    most_block: int
    least_bytes: int
    most_bytes: int
    rate_hz: int
    channels: int
    bits: int
    samples: int
    md5: bytes
    points: list[tuple[int, int]]  # sample, place in the file
    comment: bytes
    kinds: list[int]


def head_of(data: bytes) -> Head:
    """Read the metadata of a FLAC file by the format's description."""
    assert data.startswith(b"fLaC")
    place, last = 4, False
    blocks: dict[int, bytes] = {}
    while not last:
        last, kind = bool(data[place] & 0x80), data[place] & 0x7F
        size = int.from_bytes(data[place + 1 : place + 4], "big")
        blocks[kind] = data[place + 4 : place + 4 + size]
        place += 4 + size
    info, table = blocks[0], blocks[3]
    facts = int.from_bytes(info[10:18], "big")
    rows = [table[start : start + 18] for start in range(0, len(table), 18)]
    points = [(int.from_bytes(row[:8], "big"), int.from_bytes(row[8:16], "big")) for row in rows]
    return Head(
        least_block=int.from_bytes(info[:2], "big"),
        most_block=int.from_bytes(info[2:4], "big"),
        least_bytes=int.from_bytes(info[4:7], "big"),
        most_bytes=int.from_bytes(info[7:10], "big"),
        rate_hz=facts >> 44,
        channels=(facts >> 41 & 7) + 1,
        bits=(facts >> 36 & 31) + 1,
        samples=facts & (1 << 36) - 1,
        md5=info[18:],
        points=[(sample, place + offset) for sample, offset in points],
        comment=blocks[4],
        kinds=list(blocks),
    )


def number_in(frame: bytes) -> int:
    """Decode the number in a frame's header."""
    first, length = frame[4], 1
    if first < 0x80:
        return first
    length = 8 - (first ^ 0xFF).bit_length()
    number = first & (0x7F >> length)
    for byte in frame[5 : 4 + length]:
        assert byte >> 6 == 2
        number = number << 6 | byte & 0x3F
    return number


def remainder(data: bytes, polynomial: int, bits: int) -> int:
    """Divide bit by bit: a CRC, or 0 if the CRC is in the data."""
    crc = 0
    for byte in data:
        crc ^= byte << (bits - 8)
        for _ in range(8):
            crc <<= 1
            if crc >> bits:
                crc ^= 1 << bits | polynomial
    return crc


def written(path: Path, what: Timeline, loop: LoopRegion | None = None) -> Head:
    """Write a FLAC file and return its head. All that can be checked of any file is."""
    told: list[int] = []
    with Sink(path, told.append) as sink:
        write_flac(what, sink, TAGS, loop)
        sha256 = sink.sha256()
    data, pcm = path.read_bytes(), pcm_of(what)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert sum(told) == len(data) <= flac_bytes_at_most(what)
    head = head_of(data)
    assert (head.rate_hz, head.channels, head.bits, head.samples) == (
        what.sample_rate_hz,
        what.channels,
        what.bits,
        what.length_frames,
    )
    assert head.md5 == hashlib.md5(pcm, usedforsecurity=False).digest()
    fixed = head.least_block == head.most_block
    for sample, place in head.points:
        frame = data[place : place + 16]
        assert frame[:2] == (b"\xff\xf8" if fixed else b"\xff\xf9")
        assert number_in(frame) == (sample // 4096 if fixed else sample)
    with AudioReader(path) as reader:
        assert reader.properties.format is Format.FLAC
        assert reader.properties.duration_frames == what.length_frames
        assert b"".join(to_pcm(block, what.bits) for block in reader.blocks()) == pcm
        frame_bytes = what.channels * what.bits // 8
        for frame in np.random.default_rng(1).integers(0, what.length_frames, 20).tolist():
            reader.seek(frame)
            expected = pcm[frame * frame_bytes : (frame + 50) * frame_bytes]
            assert to_pcm(reader.read(50), what.bits) == expected
    return head


@pytest.mark.parametrize(
    ("what", "spliced", "fixed"),
    [
        (timeline(31_337, 30), True, False),
        (timeline(31_337, 30, head_frames=0, ending_frames=0, fade_frames=0), True, False),
        (timeline(8192, 30, head_frames=5000), True, True),
        (timeline(3072, 30), True, True),
        (timeline(40_961, 9), True, False),
        (timeline(45_071, 9, ending_frames=0, fade_frames=0), True, False),
        (timeline(30, 3000, channels=1), True, False),
        (timeline(16_411, 9, channels=1, bits=24, rate_hz=22_050), True, False),
        (timeline(16_411, 9, channels=6, bits=24, rate_hz=192_000), True, False),
        (timeline(16_411, 9, channels=8, rate_hz=655_350), True, False),
        (timeline(16_411, 9, ending_frames=30_000, outro_frames=30_000), True, False),
        (timeline(16_411, 9, ending_frames=16_000, fade_frames=15_000), True, False),
        (timeline(16_411, 9, ending_frames=5, fade_frames=300), True, False),
        (timeline(16_411, 2), False, True),
        (timeline(31_337, 0, ending_frames=20_000), False, True),
        (timeline(100, 0, head_frames=3, ending_frames=4), False, True),
    ],
    ids=[
        "a prime period",
        "nothing but cycles",
        "whole blocks",
        "four cycles fill blocks",
        "one frame too many for whole blocks",
        "fifteen too many",
        "less than a block",
        "mono",
        "six channels",
        "eight channels",
        "an outro",
        "a long fade",
        "hardly an ending",
        "too little repeats",
        "no cycle",
        "seven frames",
    ],
)
@pytest.mark.usefixtures("small_units")
def test_a_file_is_the_render_to_the_bit(
    tmp_path: Path, what: Timeline, spliced: bool, fixed: bool
) -> None:
    """Whatever the period: samples, MD5, numbers, seek points and places agree, and blocks
    are of one size where they can be."""
    head = written(tmp_path / "a.flac", what)
    assert (plan_of(what) is not None) == spliced
    assert (head.least_block == head.most_block == 4096) == fixed
    assert head.least_block >= 16


def test_numbers_grow_past_two_million(tmp_path: Path) -> None:
    """Headers get longer on the way, at the real sizes of a unit; the sizes told are those
    of the smallest and the largest frame."""
    what = timeline(1_048_583, 2, channels=1, ending_frames=200_000)
    head = written(tmp_path / "a.flac", what)
    assert plan_of(what) is not None
    assert head.points[-1][0] > 1 << 21
    assert 16 < head.least_bytes < head.most_bytes < 8192 + 64
    assert [sample // 4096 for sample, _ in head.points][:3] == [0, 107, 215]  # every 10 s


@pytest.mark.usefixtures("small_units")
def test_a_cycle_too_big_to_keep_is_spooled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files aside give the same bytes, and are gone afterwards."""
    what = timeline(31_337, 9, ending_frames=30_000, outro_frames=30_000)
    written(tmp_path / "a.flac", what)
    monkeypatch.setattr(spool, "HELD_BYTES", 1000)
    monkeypatch.setattr(spool, "PIECE_BYTES", 5040)
    written(tmp_path / "b.flac", what)
    assert (tmp_path / "a.flac").read_bytes() == (tmp_path / "b.flac").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.flac", "b.flac"]


def test_tags_and_the_loop_are_comments(tmp_path: Path) -> None:
    """LOOPSTART and LOOPLENGTH are in frames of the output; there is room for an editor."""
    head = written(tmp_path / "a.flac", timeline(5000, 4), LoopRegion(1234, 6234))
    assert b"LOOPSTART=1234" in head.comment
    assert b"LOOPLENGTH=5000" in head.comment
    assert "TITLE=Räin".encode() in head.comment
    assert head.kinds == [0, 3, 4, 1]
    with soundfile.SoundFile(tmp_path / "a.flac") as file:
        assert (file.title, file.artist) == ("Räin", "MusicGen")


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("bits", [16, 24])
def test_frames_are_renumbered_without_reading_them(channels: int, bits: int) -> None:
    """Any number up to 36 bits can be put in; both checksums are those of a division."""
    pcm = to_pcm(noise(8_255, channels, bits=bits), bits)
    batches = list(encode([pcm], Form(22_050, channels, bits), lambda: None))
    frames, bodies = batches[0]
    assert frames.sizes.tolist() == [4096, 4096, 63]
    for power in (0, 7, 11, 16, 21, 26, 31):
        numbers = np.array([(1 << power) - 1, 1 << power, (1 << 36) - 1])
        for variable in (True, False):
            data = put_together(frames, b"".join(bodies), numbers, variable)
            ends = np.cumsum(frames.bytes_with(numbers)).tolist()
            assert ends[-1] == len(data)
            whole = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
            for frame, body, number in zip(whole, bodies, numbers.tolist(), strict=True):
                assert frame[1] == (0xF9 if variable else 0xF8)
                assert number_in(frame) == number
                header = frame[: len(frame) - len(body) - 2]
                assert frame[len(header) : -2] == body
                assert remainder(header, 0x07, 8) == 0
                assert remainder(frame, 0x8005, 16) == 0
            # What was put together can be taken apart again.
            again, _ = take_apart(whole)
            assert np.array_equal(again.body_crcs, frames.body_crcs)
            assert np.array_equal(again.sizes, frames.sizes)


@pytest.mark.parametrize(
    ("channels", "rate_hz", "message"),
    [(9, 44_100, "has 9"), (2, 88_201, "88201 Hz"), (2, 700_000, "700000 Hz")],
)
def test_what_flac_cannot_hold_is_refused(
    tmp_path: Path, channels: int, rate_hz: int, message: str
) -> None:
    """The message says what is too much, the remedy what to choose."""
    what = timeline(1000, 2, channels=channels, rate_hz=rate_hz)
    with (
        Sink(tmp_path / "a.flac", ignore) as sink,
        pytest.raises(UnsupportedFormat, match=message) as caught,
    ):
        write_flac(what, sink, TAGS, None)
    assert "WAV" in caught.value.remedy


@pytest.mark.usefixtures("small_units")
def test_a_cancel_at_any_point_leaves_no_thread(tmp_path: Path) -> None:
    """It is heard while encoding and while writing; what it raises comes out."""
    threads = threading.active_count()
    what, calls = timeline(31_337, 20), 0

    def write_with(calls_at_most: int) -> None:
        nonlocal calls
        calls = 0

        def cancel(_: int) -> None:
            nonlocal calls
            calls += 1
            if calls > calls_at_most:
                raise Cancelled("enough")

        with Sink(tmp_path / "a.flac", cancel) as sink:
            write_flac(what, sink, TAGS, None)

    write_with(calls_at_most=1_000_000)
    for calls_at_most in range(0, calls - 1, 5):
        with pytest.raises(Cancelled):
            write_with(calls_at_most)
    assert threading.active_count() == threads


@pytest.mark.usefixtures("small_units")
def test_audio_that_ends_early_is_told(tmp_path: Path) -> None:
    """A source cut off behind the loop's start fails as such, whatever is encoded then."""
    signal = noise(31_337)
    whole = timeline(31_337, 20)
    with AudioReader(write(tmp_path / "a.wav", signal)) as reader:
        cut = Timeline(
            sample_rate_hz=44_100,
            channels=2,
            bits=16,
            head=whole.head,
            cycle=Span(reader, 0, 31_338),
            whole_cycles=20,
            length_frames=700_000,
            fade_frames=0,
        )
        with Sink(tmp_path / "a.flac", ignore) as sink, pytest.raises(InvalidAudio):
            write_flac(cut, sink, TAGS, None)


@pytest.mark.usefixtures("small_units")
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """Ten times the length takes hardly more memory: an entry for each frame."""
    peaks = []
    for whole_cycles in (20, 200):
        what = timeline(31_337, whole_cycles)
        tracemalloc.start()
        with Sink(tmp_path / "a.flac", ignore) as sink:
            write_flac(what, sink, TAGS, None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.3


def test_the_size_is_foretold_by_a_source() -> None:
    """A FLAC source tells how well its music compresses; without one, nothing is assumed."""
    what = timeline(441_000, 100)
    pcm_bytes = what.length_frames * 4
    assert pcm_bytes < flac_bytes_at_most(what) < pcm_bytes * 1.02
    assert flac_bytes_at_most(what, 2.0) < pcm_bytes * 0.6
