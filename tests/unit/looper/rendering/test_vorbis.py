from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.audio.codecs import Format, probe
from musicgen.errors import Cancelled, UnsupportedFormat
from services.looper.rendering import ogg
from services.looper.rendering.sink import Sink
from services.looper.rendering.tagging import LoopRegion, Tags
from services.looper.rendering.vorbis import vorbis_bytes_at_most, write_vorbis
from tests.unit.looper.rendering.music import TAGS, lag, music, snr_db, timeline, written

pytestmark = pytest.mark.unit

PERIOD = 96_017


def pages(file: bytes) -> list[ogg.Page]:
    """Return the pages of a file; each must have its checksum and its number."""
    found = list(ogg.pages([file]))
    assert b"".join(page.data for page in found) == file
    serials = set()
    for number, page in enumerate(found):
        serial, sequence, crc = struct.unpack_from("<III", page.data, 14)
        serials.add(serial)
        assert sequence == number
        bare = bytearray(page.data)
        bare[22:26] = bytes(4)
        assert crc == ogg.checksum(bare)
    assert len(serials) == 1
    return found


def comments(file: bytes) -> dict[str, str]:
    """Return the tags of a file."""
    packets = [packet for page in pages(file) for packet in page.packets]
    assert [packet[:7] for packet in packets[:3]] == [b"\x01vorbis", b"\x03vorbis", b"\x05vorbis"]
    body, place, found = packets[1], 7, []
    assert body[-1] == 1
    (vendor,) = struct.unpack_from("<I", body, place)
    place += 4 + vendor
    (count,) = struct.unpack_from("<I", body, place)
    place += 4
    for _ in range(count):
        (size,) = struct.unpack_from("<I", body, place)
        found.append(body[place + 4 : place + 4 + size].decode())
        place += 4 + size
    assert place == len(body) - 1
    return dict(text.split("=", 1) for text in found)


@pytest.mark.parametrize(
    ("rate_hz", "channels", "repeats"), [(44_100, 2, 4), (48_000, 1, 2), (22_050, 2, 0)]
)
def test_a_file_is_as_long_as_the_render(
    tmp_path: Path, rate_hz: int, channels: int, repeats: int
) -> None:
    """Its last granule is its length; it sounds like the render, and not a frame later."""
    what = timeline(music(PERIOD, channels, rate_hz), repeats, rate_hz=rate_hz, head=40_000)
    path = tmp_path / "a.ogg"
    method, file = written(write_vorbis, what, path)
    assert method == "encoded"
    found = pages(file)
    granules = [page.granule for page in found]
    assert granules == sorted(granules)
    assert granules[:2] == [0, 0]
    assert granules[-1] == what.length_frames
    assert [page.data[5] & ogg.LAST for page in found[:-1]] == [0] * (len(found) - 1)
    assert found[-1].data[5] & ogg.LAST
    facts = probe(path)
    assert (facts.format, facts.duration_frames) == (Format.OGG, what.length_frames)
    heard, _ = soundfile.read(path, dtype="float32", always_2d=True)
    meant = np.concatenate(list(what.blocks()))
    assert len(heard) == len(meant)
    assert snr_db(heard, meant) > 10
    assert lag(heard, meant) == 0
    assert len(file) <= vorbis_bytes_at_most(what)


def test_tags_and_loop_points(tmp_path: Path) -> None:
    """Loop points are told in frames of the render; none where there are none."""
    what = timeline(music(PERIOD), 2)
    _, file = written(write_vorbis, what, tmp_path / "a.ogg", LoopRegion(20_000, 116_017))
    assert comments(file) == {
        "TITLE": "Für immer",
        "ARTIST": "A.N.",
        "LOOPSTART": "20000",
        "LOOPLENGTH": "96017",
    }
    _, file = written(write_vorbis, what, tmp_path / "b.ogg")
    assert comments(file) == {"TITLE": "Für immer", "ARTIST": "A.N."}


def test_tags_may_be_longer_than_a_page(tmp_path: Path) -> None:
    """Readers find them whole, and the audio behind them."""
    what, text = timeline(music(PERIOD), 0), "la " * 50_000
    with Sink(tmp_path / "a.ogg", lambda _: None) as sink:
        write_vorbis(what, sink, Tags((("LYRICS", text),)), None, lambda _: None)
    assert comments((tmp_path / "a.ogg").read_bytes()) == {"LYRICS": text}
    assert probe(tmp_path / "a.ogg").duration_frames == what.length_frames


def test_the_same_render_gives_the_same_file(tmp_path: Path) -> None:
    """Nothing in it is drawn by chance."""
    what = timeline(music(PERIOD), 1)
    first = written(write_vorbis, what, tmp_path / "a.ogg")
    assert written(write_vorbis, what, tmp_path / "b.ogg") == first


def test_six_channels_are_refused(tmp_path: Path) -> None:
    """Such a source is UNSUPPORTED_FORMAT, with a remedy."""
    with pytest.raises(UnsupportedFormat, match="6 channels") as refused:
        written(write_vorbis, timeline(music(44_100, 6), 2), tmp_path / "a.ogg")
    assert "FLAC" in refused.value.remedy


def test_a_cancel_stops_it(tmp_path: Path) -> None:
    """What is raised on the way comes out."""
    seconds: list[float] = []

    def cancel(done: float) -> None:
        seconds.append(done)
        if done > 2:
            raise Cancelled("enough")

    with Sink(tmp_path / "a.ogg", lambda _: None) as sink, pytest.raises(Cancelled):
        write_vorbis(timeline(music(PERIOD), 8), sink, TAGS, None, cancel)
    assert seconds == sorted(seconds)
    assert seconds[-1] < 4
