"""What is embedded in an audio file. The one module that imports mutagen (GPL-2.0+).

Works on tag bytes only; containers.py puts them into files.
"""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import mutagen
import mutagen.flac
import mutagen.id3
import mutagen.mp4

from musicgen.errors import InvalidAudio
from services.library.track import Track

RECIPE = "MUSICGEN_RECIPE"
# mutagen's annotations cover a part of it only.
flac: Any = mutagen.flac
id3: Any = mutagen.id3
mp4: Any = mutagen.mp4

_FREE_FORM = "----:com.apple.iTunes:"
_PADDING_BYTES = 2048
"""Room for a person's tag editor to work in without moving the audio."""


def flac_head(head: bytes, track: Track) -> bytes:
    """Return the metadata blocks of a FLAC file ("fLaC" up to the first audio frame)
    with the tags of `track` in place of the same tags in them. Raises InvalidAudio."""
    buffer = io.BytesIO(head)
    try:
        file = flac.FLAC(buffer)
        if file.tags is None:
            file.add_tags()
        for name, values in _comments(track).items():
            file.tags[name] = values  # none: the comment goes
        buffer.seek(0)
        file.save(buffer, padding=lambda _: _PADDING_BYTES)
    except mutagen.MutagenError as error:
        raise InvalidAudio(f"The FLAC file's metadata can't be read ({error}).") from error
    return buffer.getvalue()


def id3_tag(old: bytes, track: Track) -> bytes:
    """Return an ID3v2.4 tag: `old` (may be empty) with the tags of `track` in place of
    the same tags in it. An old tag that can't be read is dropped."""
    try:
        tag = id3.ID3(io.BytesIO(old)) if old else id3.ID3()
    except mutagen.MutagenError:
        tag = id3.ID3()
    for frame in _frames(track):
        tag.delall(frame.HashKey)
        if frame.text and frame.text != [""]:
            tag.add(frame)
    buffer = io.BytesIO()
    tag.save(buffer, padding=lambda _: _PADDING_BYTES)
    return buffer.getvalue()


def vorbis_comment(old: bytes, track: Track) -> bytes:
    """Return a Vorbis comment without a framing bit, as Opus and Vorbis streams hold it:
    `old` with the tags of `track` in place of the same tags in it. Raises InvalidAudio."""
    try:
        comment = flac.VCFLACDict(old)
    except (mutagen.MutagenError, ValueError) as error:
        raise InvalidAudio(f"The Ogg file's tags can't be read ({error}).") from error
    for name, values in _comments(track).items():
        comment[name] = values  # none: the comment goes
    written: bytes = comment.write()
    return written


def mp4_user_data(old: bytes, track: Track) -> bytes:
    """Return the `udta` box of an MP4 file: `old` (may be empty) with the tags of `track`
    in place of the same tags in it. An old one that can't be read is dropped."""
    try:
        return _mp4_user_data(old, track)
    except (mutagen.MutagenError, mp4.AtomError, struct.error, ValueError, LookupError):
        return _mp4_user_data(b"", track)


def _mp4_user_data(old: bytes, track: Track) -> bytes:
    # The least that mutagen takes for the head of an MP4 file.
    buffer = io.BytesIO(_box(b"moov", old))
    atoms = mp4.Atoms(buffer)
    tag = mp4.MP4Tags(atoms, buffer) if b"moov.udta.meta.ilst" in atoms else mp4.MP4Tags()
    for name, value in _items(track).items():
        if value:
            tag[name] = value
        else:
            tag.pop(name, None)
    buffer.seek(0)
    tag.save(buffer, padding=lambda _: _PADDING_BYTES)
    return buffer.getvalue()[8:]


def _box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def _items(track: Track) -> dict[str, list[Any]]:
    """The same as iTunes' atoms; one without a value removes the atom."""
    comments = _comments(track)

    def own(name: str) -> list[bytes]:
        return [text.encode() for text in comments[name]]

    tempo = [] if track.tempo_bpm is None else [min(round(track.tempo_bpm), 0xFFFF)]
    return {
        "\xa9nam": comments["TITLE"],
        "\xa9ART": comments["ARTIST"],
        "\xa9alb": comments["ALBUM"],
        "\xa9gen": comments["GENRE"],
        "\xa9day": comments["DATE"],
        "tmpo": tempo,
        f"{_FREE_FORM}initialkey": own("INITIALKEY"),
        **{
            f"{_FREE_FORM}{name}": own(name)
            for name in ("KEYWORDS", "LOOPSTART", "LOOPLENGTH", RECIPE)
        },
    }


def _comments(track: Track) -> dict[str, list[str]]:
    """Vorbis comments by name; an empty list removes the comment."""
    loop = track.loop_points
    return {
        "TITLE": [track.title],
        "ARTIST": _some(track.artist),
        "ALBUM": _some(track.album),
        "GENRE": _some(track.genre),
        "DATE": _some(_year(track)),
        "KEYWORDS": list(track.tags),
        "BPM": _some(_tempo(track)),
        "INITIALKEY": _some(track.musical_key),
        "LOOPSTART": [str(loop.start_frame)] if loop else [],
        "LOOPLENGTH": [str(loop.end_frame - loop.start_frame)] if loop else [],
        RECIPE: _some(_recipe(track)),
    }


def _frames(track: Track) -> list[Any]:
    """The same as ID3v2.4 frames; one without text removes the frame."""

    def user(name: str) -> Any:
        return id3.TXXX(encoding=id3.Encoding.UTF8, desc=name, text=_comments(track)[name])

    def standard(kind: Any, text: str) -> Any:
        return kind(encoding=id3.Encoding.UTF8, text=_some(text))

    tempo = "" if track.tempo_bpm is None else str(round(track.tempo_bpm))
    return [
        standard(id3.TIT2, track.title),
        standard(id3.TPE1, track.artist),
        standard(id3.TALB, track.album),
        standard(id3.TCON, track.genre),
        standard(id3.TDRC, _year(track)),
        standard(id3.TBPM, tempo),
        standard(id3.TKEY, _short_key(track.musical_key)),
        user("KEYWORDS"),
        user("LOOPSTART"),
        user("LOOPLENGTH"),
        user(RECIPE),
    ]


def _some(text: str) -> list[str]:
    return [text] if text else []


def _year(track: Track) -> str:
    return "" if track.year is None else f"{track.year:04d}"


def _tempo(track: Track) -> str:
    return "" if track.tempo_bpm is None else f"{track.tempo_bpm:g}"


def _recipe(track: Track) -> str:
    if not track.recipe:
        return ""
    return json.dumps(track.recipe, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _short_key(key: str) -> str:
    """Return a key as TKEY wants it: "A minor" is "Am", at most three characters."""
    tonic, _, mode = key.partition(" ")
    short = tonic + ("m" if mode.lower() == "minor" else "")
    return short if len(short) <= 3 else ""
