"""What is embedded in an audio file. The one module that imports mutagen (GPL-2.0+).

Works on tag bytes only; containers.py puts them into files.
"""

from __future__ import annotations

import io
import json
from typing import Any

import mutagen
import mutagen.flac
import mutagen.id3

from musicgen.errors import InvalidAudio
from services.library.track import Track

RECIPE = "MUSICGEN_RECIPE"
# mutagen's annotations cover a part of it only.
flac: Any = mutagen.flac
id3: Any = mutagen.id3

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
