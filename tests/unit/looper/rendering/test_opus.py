from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from musicgen.audio.codecs import Samples
from musicgen.errors import Cancelled, UnsupportedFormat
from services.looper.rendering import ogg
from services.looper.rendering.layout import lay_out, samples_of
from services.looper.rendering.opus import (
    CODEC,
    LEVELS,
    PAGE_FRAMES,
    opus_bytes_at_most,
    write_opus,
)
from services.looper.rendering.sink import Sink
from services.looper.rendering.tagging import LoopRegion
from tests.unit.looper.rendering.music import (
    TAGS,
    joints,
    lag,
    music,
    shorten_units,
    snr_db,
    timeline,
    written,
)

pytestmark = pytest.mark.unit

PERIOD = 96_017
SKIPPED = 312


@pytest.fixture(autouse=True)
def short_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less to encode."""
    shorten_units(monkeypatch)


def straight(audio: Samples) -> bytes:
    """Return what libopus makes of audio at 48 kHz in one go."""
    file, channels = io.BytesIO(), audio.shape[1]
    with soundfile.SoundFile(
        file,
        "w",
        48_000,
        channels,
        format="OGG",
        subtype="OPUS",
        compression_level=LEVELS[channels],
    ) as opus:
        for start in range(0, len(audio), 32_768):
            opus.write(audio[start : start + 32_768])
    return file.getvalue()


def crc32(data: bytes) -> int:
    """Return Ogg's checksum, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 * (crc >> 31)) & 0xFFFFFFFF
    return crc


def pages(file: bytes) -> list[tuple[int, int, int, int, bytes]]:
    """Return flags, granule position, serial, sequence number and all bytes of each page."""
    found, start = [], 0
    while start < len(file):
        magic, _, flags, granule, serial, sequence, _, count = struct.unpack_from(
            "<4sBBqIIIB", file, start
        )
        assert magic == b"OggS"
        end = start + 27 + count + sum(file[start + 27 : start + 27 + count])
        found.append((flags, granule, serial, sequence, file[start:end]))
        start = end
    return found


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 510, 70_000])
def test_packets_of_any_size_come_back_from_their_pages(size: int) -> None:
    """What header_pages makes is a valid stream of one packet."""
    packet = np.random.default_rng(size).bytes(size)
    made = ogg.header_pages(packet, serial=7, sequence=3, flags=ogg.FIRST)
    assert list(ogg.Unpacker().feed(b"".join(made))) == [packet]
    parts = pages(b"".join(made))
    assert [part[3] for part in parts] == list(range(3, 3 + len(made)))
    assert parts[0][0] == ogg.FIRST
    assert all(flags == ogg.CONTINUED for flags, *_ in parts[1:])
    assert [granule for _, granule, *_ in parts] == [ogg.NOWHERE] * (len(made) - 1) + [0]


def test_streams_come_apart_in_pieces_of_any_size() -> None:
    """The unpacker waits for what is still to come."""
    stream = straight(music(24_000, rate_hz=48_000))
    whole = list(ogg.Unpacker().feed(stream))
    unpacker, packets = ogg.Unpacker(), list[bytes]()
    for start in range(0, len(stream), 7):
        packets += unpacker.feed(stream[start : start + 7])
    assert packets == whole
    assert whole[0].startswith(b"OpusHead")
    with pytest.raises(ValueError, match="no page"):
        list(ogg.Unpacker().feed(b"RIFF" + bytes(40)))


def test_checksums_are_those_of_ogg() -> None:
    """As computed bit by bit."""
    for size in (0, 1, 27, 1000):
        data = np.random.default_rng(size).bytes(size)
        assert ogg.checksum(data) == crc32(data)


@pytest.mark.parametrize("repeats", [2, 14])
def test_the_pages_are_in_order(repeats: int, tmp_path: Path) -> None:
    """Sequence numbers, granule positions, flags and checksums are those of one stream."""
    what = timeline(music(PERIOD), repeats)
    method, file = written(write_opus, what, tmp_path / "a.opus")
    assert method == ("spliced" if repeats == 14 else "encoded")
    parts = pages(file)
    assert [sequence for *_, sequence, _ in parts] == list(range(len(parts)))
    assert len({serial for _, _, serial, _, _ in parts}) == 1
    assert [flags for flags, *_ in parts] == [ogg.FIRST] + [0] * (len(parts) - 2) + [ogg.LAST]
    granules = [granule for _, granule, *_ in parts]
    assert granules[:2] == [0, 0]
    assert granules[-1] == SKIPPED + samples_of(what, CODEC)
    steps = np.diff(granules[1:])
    assert steps.min() > 0
    assert steps.max() <= PAGE_FRAMES * CODEC.frame_samples
    assert all(step % CODEC.frame_samples == 0 for step in steps[:-1])
    for page in (data for *_, data in parts[:40]):
        (checksum,) = struct.unpack_from("<I", page, 22)
        assert checksum == crc32(page[:22] + bytes(4) + page[26:])


def test_every_packet_is_a_frame_of_20_ms(tmp_path: Path) -> None:
    """There are as many as the length needs, the last one included."""
    what = timeline(music(PERIOD), 14)
    _, file = written(write_opus, what, tmp_path / "a.opus")
    head, tags, *packets = ogg.Unpacker().feed(file)
    assert head == struct.pack("<8sBBHIhB", b"OpusHead", 1, 2, SKIPPED, 48_000, 0, 0)
    assert tags.startswith(b"OpusTags\x0b\0\0\0libopus")
    assert len(packets) == -(-(SKIPPED + samples_of(what, CODEC)) // 960)
    # One frame in a packet, of 20 ms, by the MDCT coder: configurations 19, 23, 27 and 31.
    assert all(packet[0] & 3 == 0 and packet[0] >> 3 in {19, 23, 27, 31} for packet in packets)


@pytest.mark.parametrize(
    ("rate_hz", "channels", "repeats"), [(48_000, 2, 14), (44_100, 2, 14), (22_050, 1, 22)]
)
def test_a_spliced_file_sounds_like_an_encoded_one(
    rate_hz: int, channels: int, repeats: int, tmp_path: Path
) -> None:
    """Its length is exact, its start is where it should be, and around each joint the error
    is no larger than the encoder's own."""
    what = timeline(music(PERIOD, channels, rate_hz), repeats, rate_hz=rate_hz)
    path = tmp_path / "a.opus"
    method, _ = written(write_opus, what, path)
    assert method == "spliced"
    heard, heard_rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    assert heard_rate_hz == 48_000
    assert len(heard) == samples_of(what, CODEC) == soundfile.info(path).frames
    layout = lay_out(what, CODEC)
    assert layout is not None
    # The same audio encoded in one go: a timeline of which nothing is repeated.
    source = np.concatenate(list(what.blocks()))
    whole = timeline(source, 1, head=0, ending=0, rate_hz=rate_hz)
    method, _ = written(write_opus, whole, tmp_path / "b.opus")
    assert method == "encoded"
    alone, _ = soundfile.read(tmp_path / "b.opus", dtype="float32", always_2d=True)
    assert len(alone) == len(heard)
    assert lag(heard[:20_000], alone[:20_000]) == 0
    wide_source = 10 * 441  # a whole number of samples at both rates
    wide = wide_source * 48_000 // rate_hz
    limit_db = 0.0
    for joint, phase in joints(layout):
        # What sounds when the cycle has come as far as at the joint.
        place = what.head.frames + phase % PERIOD + PERIOD
        meant = soxr.resample(source[place - 2 * wide_source :][: 4 * wide_source], rate_hz, 48_000)
        after = min(wide, len(heard) - joint - 2 * what.fade_frames)
        meant = meant[wide : 2 * wide + after]
        around = heard[joint - wide : joint + after]
        # Up to the first joint, what was encoded in one go is the same.
        limit_db = limit_db or snr_db(alone[joint - wide : joint + after], meant) - 3
        assert lag(around, meant) == 0
        assert snr_db(around, meant) > limit_db


def test_the_last_unit_sounds_like_the_second(tmp_path: Path) -> None:
    """After any number of repetitions the decoder puts out the same samples."""
    what = timeline(music(960 * 100, rate_hz=48_000), 20, rate_hz=48_000)
    path = tmp_path / "a.opus"
    written(write_opus, what, path)
    heard, _ = soundfile.read(path, dtype="float32")
    layout = lay_out(what, CODEC)
    assert layout is not None
    # Up to where the ending begins to be heard.
    unit = layout.unit_source
    second, last, compared = layout.joint + unit, layout.ending_joint - unit, unit - 960
    np.testing.assert_allclose(heard[second:][:compared], heard[last:][:compared], atol=1e-6)


def test_tags_and_loop_points(tmp_path: Path) -> None:
    """Loop points are those of the output's first unit, or as given where all was encoded,
    in samples at 48 kHz; none where none are wanted."""
    what, loop = timeline(music(PERIOD), 14), LoopRegion(441, 882)
    layout = lay_out(what, CODEC)
    assert layout is not None
    _, file = written(write_opus, what, tmp_path / "a.opus", loop)
    assert "TITLE=Für immer".encode() in file
    assert f"LOOPSTART={layout.joint}".encode() in file
    unit = (layout.stretches[0] + layout.rest_frames) * 960
    assert f"LOOPLENGTH={unit}".encode() in file
    _, file = written(write_opus, timeline(music(PERIOD), 1), tmp_path / "b.opus", loop)
    assert b"LOOPSTART=480" in file
    _, file = written(write_opus, what, tmp_path / "c.opus")
    assert b"LOOPSTART" not in file


def test_the_same_render_gives_the_same_file(tmp_path: Path) -> None:
    """Nothing in it is drawn by chance."""
    what = timeline(music(PERIOD), 8)
    first = written(write_opus, what, tmp_path / "a.opus")
    assert written(write_opus, what, tmp_path / "b.opus") == first


def test_six_channels_are_refused(tmp_path: Path) -> None:
    """Such a source is UNSUPPORTED_FORMAT."""
    with pytest.raises(UnsupportedFormat, match="6 channels"):
        written(write_opus, timeline(music(44_100, 6), 2), tmp_path / "a.opus")


@pytest.mark.parametrize("repeats", [2, 14])
def test_it_takes_no_more_space_than_was_said(repeats: int, tmp_path: Path) -> None:
    """The estimate for the disk covers the file and its temporary parts."""
    what = timeline(music(PERIOD), repeats)
    _, file = written(write_opus, what, tmp_path / "a.opus")
    assert len(file) < opus_bytes_at_most(what) < 8 * len(file)


def test_a_cancel_leaves_no_temporary_files(tmp_path: Path) -> None:
    """Neither one while encoding nor one while writing."""

    def cancel(_: float) -> None:
        raise Cancelled("enough")

    what = timeline(music(PERIOD), 14)
    for wrote, encoding in ((lambda _: None, cancel), (cancel, lambda _: None)):
        with Sink(tmp_path / "a.opus", wrote) as sink, pytest.raises(Cancelled):
            write_opus(what, sink, TAGS, None, encoding)
        assert [path.name for path in tmp_path.iterdir()] == ["a.opus"]
