from __future__ import annotations

import dataclasses
import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.artifacts import sha256_of
from musicgen.audio.codecs import Format, probe
from musicgen.audio.mp4_boxes import top_boxes
from musicgen.errors import InvalidAudio
from services.library import mp4_container
from services.library.containers import copy_tagged
from services.library.track import LoopPoints, Track
from tests.unit.library.sounds import ID3, RATE_HZ, TAGGED, TXXX, samples, tags_of, tone, write

pytestmark = pytest.mark.unit

FRAMES = RATE_HZ + 13
ID3_FORMATS = (Format.WAV, Format.MP3)
OGG_FORMATS = (Format.OPUS, Format.OGG)


def track_of(path: Path) -> Track:
    """A track with every tag."""
    return Track(
        track_id="a" * 16,
        title="Nächte\u2019",
        artist="Ana",
        album="Rain",
        genre="lofi",
        year=987,
        tags=("calm", "tape hiss"),
        audio=probe(path),
        size_bytes=path.stat().st_size,
        source_sha256="0" * 64,
        job_id="job",
        output_index=0,
        create_time_us=1,
        update_time_us=1,
        recipe={"seed": 7, "prompt": "café"},
        tempo_bpm=82.5,
        musical_key="F# minor",
        loop_points=LoopPoints(100, 22_100),
    )


@pytest.mark.parametrize("format", Format)
def test_tags_can_be_read_back_and_samples_stay(tmp_path: Path, format: Format) -> None:
    """Mutagen reads every tag back, and libsndfile decodes the very same samples."""
    source = write(tmp_path / "in", format, FRAMES)
    before = sha256_of(source)
    copied = copy_tagged(source, tmp_path / "out", format, track_of(source))
    tags = tags_of(tmp_path / "out", format)
    assert tags["TITLE"] == ["Nächte\u2019"]
    assert tags["ARTIST"] == ["Ana"]
    assert tags["ALBUM"] == ["Rain"]
    assert tags["GENRE"] == ["lofi"]
    assert tags["DATE"] == ["0987"]
    assert tags["KEYWORDS"] == ["calm", "tape hiss"]
    assert tags["LOOPSTART"] == ["100"]
    assert tags["LOOPLENGTH"] == ["22000"]
    assert json.loads(tags["MUSICGEN_RECIPE"][0]) == {"seed": 7, "prompt": "café"}
    assert tags["INITIALKEY"] == (["F#m"] if format in ID3_FORMATS else ["F# minor"])
    assert np.array_equal(samples(source), samples(tmp_path / "out"))
    assert probe(tmp_path / "out") == probe(source)
    assert sha256_of(source) == before, "the source must stay as it is"
    assert copied.sha256 == sha256_of(tmp_path / "out")
    assert copied.size_bytes == (tmp_path / "out").stat().st_size


@pytest.mark.parametrize("format", Format)
def test_tags_are_replaced_not_added(tmp_path: Path, format: Format) -> None:
    """Tagging again leaves one set of tags, removes emptied ones, and does not grow."""
    source = write(tmp_path / "in", format, FRAMES)
    track = track_of(source)
    copy_tagged(source, tmp_path / "one", format, track)
    copy_tagged(tmp_path / "one", tmp_path / "two", format, track)
    assert sha256_of(tmp_path / "one") == sha256_of(tmp_path / "two")
    bare = dataclasses.replace(
        track,
        title="New",
        artist="",
        year=None,
        tags=(),
        recipe=None,
        loop_points=None,
        tempo_bpm=None,
        musical_key="",
        album="",
        genre="",
    )
    copy_tagged(tmp_path / "two", tmp_path / "three", format, bare)
    left = tags_of(tmp_path / "three", format)
    left.pop("ENCODER", None)  # libsndfile's own
    assert left == {"TITLE": ["New"]}
    assert np.array_equal(samples(source), samples(tmp_path / "three"))


@pytest.mark.parametrize("format", [each for each in Format if each is not Format.WAV])
def test_foreign_tags_are_kept(tmp_path: Path, format: Format) -> None:
    """A comment that a person's tag editor wrote survives an edit."""
    source = write(tmp_path / "in", format, FRAMES)
    copy_tagged(source, tmp_path / "out", format, track_of(source))
    file = TAGGED[format](tmp_path / "out")
    if format is Format.M4A:
        file.tags["----:com.apple.iTunes:COMMENT"] = b"mine"
    elif format is not Format.MP3:
        file["COMMENT"] = "mine"
    else:
        file.tags.add(TXXX(encoding=3, desc="COMMENT", text="mine"))
    file.save()
    copy_tagged(tmp_path / "out", tmp_path / "again", format, track_of(source))
    assert tags_of(tmp_path / "again", format)["COMMENT"] == ["mine"]


def test_rf64_gets_tags(tmp_path: Path) -> None:
    """The big sibling of WAV is tagged like it: its sizes are right, its samples stay."""
    source = tmp_path / "in.wav"
    soundfile.write(source, tone(FRAMES), RATE_HZ, format="RF64", subtype="PCM_16")
    track = track_of(source)
    copy_tagged(source, tmp_path / "one", Format.WAV, track)
    copy_tagged(tmp_path / "one", tmp_path / "two", Format.WAV, track)
    data = (tmp_path / "two").read_bytes()
    assert data.startswith(b"RF64")
    assert struct.unpack_from("<Q", data, 20) == (len(data) - 8,)
    assert data.count(b"id3 ") == 1
    assert ID3(fileobj_at(data, b"id3 "))["TIT2"].text == ["Nächte\u2019"]
    assert np.array_equal(samples(source), samples(tmp_path / "two"))


def fileobj_at(data: bytes, chunk: bytes) -> io.BytesIO:
    """The content of a chunk, as a file."""
    return io.BytesIO(data[data.index(chunk) + 8 :])


def test_odd_wav_chunks_and_old_id3v1(tmp_path: Path) -> None:
    """An odd data chunk without its pad byte, and an MP3 with an ID3v1 tag, come out right."""
    mono = tmp_path / "odd.wav"
    soundfile.write(mono, tone(101)[:, 0], RATE_HZ, format="WAV", subtype="PCM_24")
    mono.write_bytes(mono.read_bytes()[: 44 + 303])  # cut the pad byte off
    copy_tagged(mono, tmp_path / "out", Format.WAV, track_of(mono))
    assert tags_of(tmp_path / "out", Format.WAV)["TITLE"] == ["Nächte\u2019"]
    assert np.array_equal(samples(mono), samples(tmp_path / "out"))

    mp3 = write(tmp_path / "in.mp3", Format.MP3, FRAMES)
    with mp3.open("ab") as file:
        file.write(b"TAG" + b"Old title".ljust(125, b"\0"))
    copy_tagged(mp3, tmp_path / "out.mp3", Format.MP3, track_of(mp3))
    assert b"Old title" not in (tmp_path / "out.mp3").read_bytes()


@pytest.mark.parametrize(
    ("format", "data"),
    [
        (Format.FLAC, b"RIFFnope"),
        (Format.FLAC, b"fLaC\x00\x00\x00"),
        (Format.FLAC, b"fLaC\x84\x00\x00\x02ab"),
        (Format.WAV, b"RIFF"),
        (Format.WAV, b"OggS" + bytes(60)),
        (Format.WAV, b"RF64\xff\xff\xff\xffWAVE" + b"data\x00\x00\x00\x00"),
        (Format.OPUS, b"RIFFnope"),
        (Format.OPUS, b"OggS" + bytes(60)),
        (Format.OGG, b"OggS\0\2" + bytes(20) + b"\1\x20" + b"\1vorbis" + bytes(25)),
        (Format.M4A, b"RIFFnope"),
        (Format.M4A, b"\0\0\0\x08ftyp\0\0\0\x09moov"),
        (Format.M4A, b"\0\0\0\x08ftyp\0\0\0\x08mdat"),
    ],
)
def test_broken_containers_are_invalid_audio(tmp_path: Path, format: Format, data: bytes) -> None:
    """What only pretends to be the format is refused, whatever is wrong with it."""
    good = write(tmp_path / "good", Format.FLAC, 100)
    (tmp_path / "bad").write_bytes(data)
    with pytest.raises(InvalidAudio):
        copy_tagged(tmp_path / "bad", tmp_path / "out", format, track_of(good))


def test_a_damaged_old_tag_is_dropped(tmp_path: Path) -> None:
    """An ID3 tag that can't be read doesn't keep the new one away."""
    mp3 = write(tmp_path / "in.mp3", Format.MP3, FRAMES)
    body = mp3.read_bytes()
    mp3.write_bytes(b"ID3\x09\x00\x00\x00\x00\x00\x04abcd" + body)
    copy_tagged(mp3, tmp_path / "out.mp3", Format.MP3, track_of(tmp_path / "in.mp3"))
    assert tags_of(tmp_path / "out.mp3", Format.MP3)["ARTIST"] == ["Ana"]


def pages_of(path: Path) -> list[tuple[int, int]]:
    """The number and the position of each page, whose checksums are checked bit by bit."""
    data, found, start = path.read_bytes(), [], 0
    while start < len(data):
        granule, _, sequence, crc, segments = struct.unpack_from("<qIIIB", data, start + 6)
        lacing = data[start + 27 : start + 27 + segments]
        end = start + 27 + segments + sum(lacing)
        blank = data[start : start + 22] + bytes(4) + data[start + 26 : end]
        assert crc == ogg_crc(blank), f"page {sequence}"
        found.append((sequence, granule))
        start = end
    return found


def ogg_crc(data: bytes) -> int:
    """Ogg's checksum by the plainest means."""
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


@pytest.mark.parametrize("format", OGG_FORMATS)
def test_ogg_pages_are_numbered_anew(tmp_path: Path, format: Format) -> None:
    """Tags that need several pages shift the numbers of all later ones, and no position;
    tags that need one again shift them back."""
    source = write(tmp_path / "in", format, FRAMES)
    track = track_of(source)
    long = dataclasses.replace(track, recipe={"prompt": "rain " * 30_000})
    copy_tagged(source, tmp_path / "short", format, track)
    copy_tagged(tmp_path / "short", tmp_path / "long", format, long)
    copy_tagged(tmp_path / "long", tmp_path / "again", format, track)
    short, grown = pages_of(tmp_path / "short"), pages_of(tmp_path / "long")
    assert [sequence for sequence, _ in grown] == list(range(len(grown)))
    assert len(grown) == len(short) + 2
    assert [granule for _, granule in grown][4:] == [granule for _, granule in short][2:]
    assert json.loads(tags_of(tmp_path / "long", format)["MUSICGEN_RECIPE"][0]) == long.recipe
    assert np.array_equal(samples(source), samples(tmp_path / "long"))
    assert probe(tmp_path / "long") == probe(source)
    assert sha256_of(tmp_path / "again") == sha256_of(tmp_path / "short")


@pytest.mark.parametrize("format", OGG_FORMATS)
def test_ogg_that_breaks_off(tmp_path: Path, format: Format) -> None:
    """A file that ends among its tags is refused; one that ends later is copied as it is."""
    source = write(tmp_path / "in", format, FRAMES)
    track = dataclasses.replace(track_of(source), recipe={"prompt": "rain " * 30_000})
    content = source.read_bytes()
    source.write_bytes(content[:-100])
    copy_tagged(source, tmp_path / "out", format, track)
    assert tags_of(tmp_path / "out", format)["ARTIST"] == ["Ana"]
    assert (tmp_path / "out").read_bytes()[-50:] == content[-150:-100]
    source.write_bytes(content[:100])
    with pytest.raises(InvalidAudio):
        copy_tagged(source, tmp_path / "out", format, track)


def mp4_kinds(path: Path) -> list[bytes]:
    """The outermost boxes of an MP4 file."""
    with path.open("rb") as file:
        return [found.kind for found in top_boxes(file, path.stat().st_size)]


def test_m4a_tables_come_first(tmp_path: Path) -> None:
    """A tagged M4A begins to play before it is there as a whole, and keeps what iTunes
    says of its gaps; the bytes of the sound stay."""
    source = write(tmp_path / "in", Format.M4A, FRAMES)
    assert mp4_kinds(source) == [b"ftyp", b"mdat", b"moov"]
    copy_tagged(source, tmp_path / "out", Format.M4A, track_of(source))
    assert mp4_kinds(tmp_path / "out") == [b"ftyp", b"moov", b"mdat"]
    gapless = "----:com.apple.iTunes:iTunSMPB"
    before, after = (TAGGED[Format.M4A](tmp_path / name).tags[gapless] for name in ("in", "out"))
    assert before == after
    assert f"{FRAMES:016X}".encode() in bytes(after[0])


def test_m4a_beyond_4_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where places don't fit in 32 bits any more the tables become wide, and stay so."""
    source = write(tmp_path / "in", Format.M4A, FRAMES)
    monkeypatch.setattr(mp4_container, "LARGEST_UINT32", 1000)
    copy_tagged(source, tmp_path / "one", Format.M4A, track_of(source))
    monkeypatch.undo()
    copy_tagged(tmp_path / "one", tmp_path / "two", Format.M4A, track_of(source))
    for name in ("one", "two"):
        assert b"co64" in (tmp_path / name).read_bytes()
        assert np.array_equal(samples(source), samples(tmp_path / name))


def test_m4a_in_fragments_is_copied_as_it_is(tmp_path: Path) -> None:
    """Fragments find their sound by other ways: such a file keeps its tags in the sidecar."""
    source = write(tmp_path / "in", Format.M4A, FRAMES)
    with source.open("ab") as file:
        file.write(b"\0\0\0\x08moof")
    copied = copy_tagged(source, tmp_path / "out", Format.M4A, track_of(source))
    assert copied.sha256 == sha256_of(source)


def test_m4a_of_another_muxer(tmp_path: Path) -> None:
    """Old tags that can't be read are dropped, others' boxes move along, gaps go."""
    source = write(tmp_path / "in", Format.M4A, FRAMES)
    content = source.read_bytes()
    head = content.index(b"mdat") - 4
    content = content[:head] + b"\0\0\0\x10free" + bytes(8) + content[head:]
    # All that is after the new box lies 16 bytes further.
    place = content.index(b"stco") + 8
    (count,) = struct.unpack_from(">I", content, place)
    moved = bytearray(content)
    for at in range(place + 4, place + 4 + 4 * count, 4):
        (offset,) = struct.unpack_from(">I", content, at)
        struct.pack_into(">I", moved, at, offset + 16)
    tags = moved.index(b"ilst") + 4
    moved[tags : tags + 4] = b"\xff" * 4
    odd = tmp_path / "odd"
    odd.write_bytes(bytes(moved) + b"\0\0\0\x18uuid" + b"1234" * 4)
    assert mp4_kinds(odd) == [b"ftyp", b"free", b"mdat", b"moov", b"uuid"]
    copy_tagged(odd, tmp_path / "out", Format.M4A, track_of(source))
    assert mp4_kinds(tmp_path / "out") == [b"ftyp", b"moov", b"mdat", b"uuid"]
    assert np.array_equal(samples(source), samples(tmp_path / "out"))
    assert tags_of(tmp_path / "out", Format.M4A)["ARTIST"] == ["Ana"]
