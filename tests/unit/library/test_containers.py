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
from musicgen.errors import InvalidAudio
from services.library.containers import copy_tagged
from services.library.track import LoopPoints, Track
from tests.unit.library.sounds import ID3, RATE_HZ, TAGGED, TXXX, samples, tone, write

pytestmark = pytest.mark.unit

FRAMES = RATE_HZ + 13


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


def read_back(path: Path, format: Format) -> dict[str, list[str]]:
    """The tags as mutagen reads them, by one set of names."""
    if format is Format.FLAC:
        tags = TAGGED[format](path).tags
        return {name.upper(): list(tags[name]) for name in dict(tags)}
    tags = TAGGED[format](path).tags
    names = {"TIT2": "TITLE", "TPE1": "ARTIST", "TALB": "ALBUM", "TCON": "GENRE", "TDRC": "DATE"}
    names |= {"TBPM": "BPM", "TKEY": "INITIALKEY"}
    found = {names.get(key, key.removeprefix("TXXX:")): list(tags[key].text) for key in tags}
    return {name: [str(value) for value in values] for name, values in found.items()}


@pytest.mark.parametrize("format", Format)
def test_tags_can_be_read_back_and_samples_stay(tmp_path: Path, format: Format) -> None:
    """Mutagen reads every tag back, and libsndfile decodes the very same samples."""
    source = write(tmp_path / "in", format, FRAMES)
    before = sha256_of(source)
    copied = copy_tagged(source, tmp_path / "out", format, track_of(source))
    tags = read_back(tmp_path / "out", format)
    assert tags["TITLE"] == ["Nächte\u2019"]
    assert tags["ARTIST"] == ["Ana"]
    assert tags["ALBUM"] == ["Rain"]
    assert tags["GENRE"] == ["lofi"]
    assert tags["DATE"] == ["0987"]
    assert tags["KEYWORDS"] == ["calm", "tape hiss"]
    assert tags["LOOPSTART"] == ["100"]
    assert tags["LOOPLENGTH"] == ["22000"]
    assert json.loads(tags["MUSICGEN_RECIPE"][0]) == {"seed": 7, "prompt": "café"}
    assert tags["INITIALKEY"] == (["F# minor"] if format is Format.FLAC else ["F#m"])
    assert np.array_equal(samples(source), samples(tmp_path / "out"))
    assert probe(tmp_path / "out").duration_frames == FRAMES
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
    assert read_back(tmp_path / "three", format) == {"TITLE": ["New"]}
    assert np.array_equal(samples(source), samples(tmp_path / "three"))


@pytest.mark.parametrize("format", [Format.FLAC, Format.MP3])
def test_foreign_tags_are_kept(tmp_path: Path, format: Format) -> None:
    """A comment that a person's tag editor wrote survives an edit."""
    source = write(tmp_path / "in", format, FRAMES)
    copy_tagged(source, tmp_path / "out", format, track_of(source))
    file = TAGGED[format](tmp_path / "out")
    if format is Format.FLAC:
        file["COMMENT"] = "mine"
    else:
        file.tags.add(TXXX(encoding=3, desc="COMMENT", text="mine"))
    file.save()
    copy_tagged(tmp_path / "out", tmp_path / "again", format, track_of(source))
    assert read_back(tmp_path / "again", format)["COMMENT"] == ["mine"]


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
    assert read_back(tmp_path / "out", Format.WAV)["TITLE"] == ["Nächte\u2019"]
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
    assert read_back(tmp_path / "out.mp3", Format.MP3)["ARTIST"] == ["Ana"]
