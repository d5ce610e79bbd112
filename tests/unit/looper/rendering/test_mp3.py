from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.audio.codecs import Samples, probe
from musicgen.errors import Cancelled, UnsupportedFormat
from services.looper.rendering.layout import lay_out
from services.looper.rendering.mp3 import LEVELS, mp3_bytes_at_most, mp3_codec, write_mp3
from services.looper.rendering.mp3_frames import Packer, Unpacker, kind_of, padding, rate_index
from services.looper.rendering.mp3_info import Checksums, checksum, delays
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

PERIOD = 88_217


@pytest.fixture(autouse=True)
def short_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less to encode."""
    shorten_units(monkeypatch)


def straight(audio: Samples, rate_hz: int) -> bytes:
    """Return what LAME makes of audio in one go."""
    file = io.BytesIO()
    with soundfile.SoundFile(
        file,
        "w",
        rate_hz,
        audio.shape[1],
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=LEVELS[audio.shape[1]],
        bitrate_mode="CONSTANT",
    ) as mp3:
        for start in range(0, len(audio), 32_768):
            mp3.write(audio[start : start + 32_768])
    return file.getvalue()


def taken_apart(stream: bytes) -> list[bytes]:
    """Return the frames of a stream, without the one that tells of the others."""
    return list(Unpacker().feed(stream))[1:]


def after_tag(file: bytes) -> bytes:
    """Return a file without its ID3v2 tag."""
    size = 0
    for byte in file[6:10]:
        size = size << 7 | byte
    return file[10 + size :]


def crc16(data: bytes) -> int:
    """Return CRC-16/ARC, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 * (crc & 1)
    return crc


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(44_100, 2), (48_000, 1), (22_050, 2), (24_000, 1), (8_000, 2)]
)
def test_frames_laid_out_again_hold_the_same_music(rate_hz: int, channels: int) -> None:
    """From any frame on, main data is moved but not changed, and the first needs none before
    it."""
    frames = taken_apart(straight(music(4 * rate_hz, channels, rate_hz), rate_hz))
    kind = kind_of(frames[0][:4])
    assert (kind.sample_rate_hz, kind.mono) == (rate_hz, channels == 1)
    for first in (0, 17, 18, 19, 40):
        some = frames[first:]
        sizes = [len(frame) - kind.prefix_bytes for frame in some]
        packer = Packer(kind, rate_index(some[-1][:4]))
        packed = list(packer.pack(some, sizes, [padding(frame[:4]) for frame in some]))
        assert kind.begin(packed[0][4:]) == 0
        for before, after in zip(some, Unpacker().feed(b"".join(packed)), strict=True):
            assert after[kind.prefix_bytes :] == before[kind.prefix_bytes :]
            assert after[6 : kind.prefix_bytes] == before[6 : kind.prefix_bytes]
    assert packer.varied  # the last ones had to make room


def test_frames_from_the_start_stay_as_they_were() -> None:
    """Laid out from its first frame, a stream comes out as long as it was, and decodes to
    the same bits."""
    stream = straight(music(3 * 44_100), 44_100)
    frames = taken_apart(stream)
    kind = kind_of(frames[0][:4])
    sizes = [len(frame) - kind.prefix_bytes for frame in frames]
    packer = Packer(kind, rate_index(frames[0][:4]))
    packed = b"".join(packer.pack(frames, sizes, [padding(frame[:4]) for frame in frames]))
    info = stream[: len(stream) - len(packed)]
    assert not packer.varied
    before, _ = soundfile.read(io.BytesIO(stream), dtype="float32")
    after, _ = soundfile.read(io.BytesIO(info + packed), dtype="float32")
    assert np.array_equal(before, after)


def test_what_doesnt_fit_is_refused() -> None:
    """More main data than the highest bit rate holds can't follow a joint."""
    kind = kind_of(bytes.fromhex("fffbb064"))
    packer = Packer(kind, 11)
    most = packer.slot_bytes(14, 0)
    assert packer.fits([most, 10, 10])
    assert not packer.fits([most + 1, 10, 10])
    assert not packer.fits([most - 5, most + 6, 10])
    with pytest.raises(ValueError, match="doesn't fit"):
        list(packer.pack([b""], [most + 1], [0]))


@pytest.mark.parametrize("data", [b"RIFFWAVE", bytes.fromhex("fffab06400000000")])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    """Neither other files nor frames with a checksum are taken for ours."""
    with pytest.raises(ValueError, match="no header"):
        list(Unpacker().feed(data))


def test_checksums_join() -> None:
    """The checksum of pieces is that of the whole."""
    data = np.random.default_rng(1).bytes(5000)
    total = Checksums()
    for start, end in ((0, 1), (1, 1030), (1030, 1030), (1030, 5000)):
        total.add(checksum(data[start:end]), end - start)
    assert total.total == checksum(data) == crc16(data)


def test_the_file_tells_of_itself_truly(tmp_path: Path) -> None:
    """Frames, bytes, places, delays and checksums are those of the file."""
    what = timeline(music(PERIOD), 14)
    method, file = written(write_mp3, what, tmp_path / "a.mp3")
    assert method == "spliced"
    stream = after_tag(file)
    start = stream.index(b"Xing")
    flags, frames, size = struct.unpack_from(">III", stream, start + 4)
    unpacked = taken_apart(stream)
    assert (flags, frames, size) == (15, len(unpacked), len(stream))
    places = list(stream[start + 16 : start + 116])
    assert places == sorted(places)
    assert all(abs(place / 256 - percent / 100) < 0.02 for percent, place in enumerate(places))
    info_bytes = kind_of(stream[:4]).frame_bytes(rate_index(stream[:4]), padding(stream[:4]))
    delay, left = delays(stream[:info_bytes])
    assert frames * 1152 == delay + what.length_frames + left
    length, of_music, of_tag = struct.unpack_from(">IHH", stream, start + 148)
    assert length == len(stream)
    assert of_music == crc16(stream[info_bytes:])
    assert of_tag == crc16(stream[: start + 154])


@pytest.mark.parametrize(
    ("rate_hz", "channels", "repeats"), [(44_100, 2, 14), (48_000, 1, 14), (22_050, 2, 22)]
)
def test_a_spliced_file_sounds_like_an_encoded_one(
    rate_hz: int, channels: int, repeats: int, tmp_path: Path
) -> None:
    """Its length is exact, its start is where it should be, and around each joint the error
    is no larger than the encoder's own."""
    what = timeline(music(PERIOD, channels, rate_hz), repeats, rate_hz=rate_hz)
    path = tmp_path / "a.mp3"
    method, _ = written(write_mp3, what, path)
    assert method == "spliced"
    assert probe(path).duration_frames == what.length_frames
    heard, _ = soundfile.read(path, dtype="float32", always_2d=True)
    source = np.concatenate(list(what.blocks()))
    assert len(heard) == what.length_frames
    alone, _ = soundfile.read(io.BytesIO(straight(source, rate_hz)), always_2d=True)
    layout = lay_out(what, mp3_codec(what))
    assert layout is not None
    assert lag(heard[:20_000], source[:20_000]) == 0
    # Within a zone of the joints, samples are those of the source, if later or earlier.
    wide = layout.zone - 4000
    for joint, phase in joints(layout):
        place = what.head.frames + phase % PERIOD + PERIOD
        after = min(wide, len(heard) - joint - what.fade_frames)
        meant = source[place - wide : place + after]
        around = heard[joint - wide : joint + after]
        assert lag(around, meant) == 0
        assert snr_db(around, meant) > snr_db(alone[place - wide : place + after], meant) - 3


def test_the_last_unit_sounds_like_the_second(tmp_path: Path) -> None:
    """After any number of repetitions the decoder puts out the same samples."""
    what = timeline(music(1152 * 80), 20)
    path = tmp_path / "a.mp3"
    written(write_mp3, what, path)
    heard, _ = soundfile.read(path, dtype="float32")
    layout = lay_out(what, mp3_codec(what))
    assert layout is not None
    # Up to where the ending begins to be heard.
    unit = layout.unit_source
    second, last, compared = layout.joint + unit, layout.ending_joint - unit, unit - 2304
    np.testing.assert_allclose(heard[second:][:compared], heard[last:][:compared], atol=1e-6)


def test_few_repetitions_are_encoded_straight(tmp_path: Path) -> None:
    """Then the file is LAME's own, as long as the timeline."""
    what = timeline(music(PERIOD), 2)
    method, file = written(write_mp3, what, tmp_path / "a.mp3")
    source = np.concatenate(list(what.blocks()))
    assert method == "encoded"
    assert b"Info" in file
    heard, _ = soundfile.read(tmp_path / "a.mp3")
    alone, _ = soundfile.read(io.BytesIO(straight(source, 44_100)))
    assert np.array_equal(heard, alone)


def test_tags_and_loop_points(tmp_path: Path) -> None:
    """Loop points are those of the output's first unit, or as given where all was encoded;
    none where none are wanted."""
    what, loop = timeline(music(PERIOD), 14), LoopRegion(11, 22)
    layout = lay_out(what, mp3_codec(what))
    assert layout is not None
    _, file = written(write_mp3, what, tmp_path / "a.mp3", loop)
    assert "Für immer".encode() in file
    assert f"LOOPSTART\0{layout.joint}".encode() in file
    unit = (layout.stretches[0] + layout.rest_frames) * 1152
    assert f"LOOPLENGTH\0{unit}".encode() in file
    _, file = written(write_mp3, timeline(music(PERIOD), 1), tmp_path / "b.mp3", loop)
    assert b"LOOPSTART\x0011" in file
    _, file = written(write_mp3, what, tmp_path / "c.mp3")
    assert b"LOOPSTART" not in file


def test_what_mp3_cant_hold_is_refused(tmp_path: Path) -> None:
    """Other rates and more channels are UNSUPPORTED_FORMAT."""
    with pytest.raises(UnsupportedFormat, match="96000 Hz"):
        written(write_mp3, timeline(music(96_000), 2, rate_hz=96_000), tmp_path / "a.mp3")
    with pytest.raises(UnsupportedFormat, match="6 channels"):
        written(write_mp3, timeline(music(44_100, 6), 2), tmp_path / "a.mp3")


@pytest.mark.parametrize("repeats", [2, 14])
def test_it_takes_no_more_space_than_was_said(repeats: int, tmp_path: Path) -> None:
    """The estimate for the disk covers the file and its temporary parts."""
    what = timeline(music(PERIOD), repeats)
    _, file = written(write_mp3, what, tmp_path / "a.mp3")
    assert len(file) < mp3_bytes_at_most(what) < 4 * len(file)


def test_a_cancel_leaves_no_temporary_files(tmp_path: Path) -> None:
    """Neither one while encoding nor one while writing."""

    def cancel(_: float) -> None:
        raise Cancelled("enough")

    what = timeline(music(PERIOD), 14)
    for wrote, encoding in ((lambda _: None, cancel), (cancel, lambda _: None)):
        with Sink(tmp_path / "a.mp3", wrote) as sink, pytest.raises(Cancelled):
            write_mp3(what, sink, TAGS, None, encoding)
        assert [path.name for path in tmp_path.iterdir()] == ["a.mp3"]
