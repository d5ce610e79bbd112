"""A track of the library, its id, its etag and its sidecar JSON."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

from musicgen.audio.codecs import Format, Properties

SCHEMA = 1
_ID_BYTES = 10
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_INT32_LARGEST, _INT64_LARGEST = (1 << 31) - 1, (1 << 63) - 1
_LATEST_US = (dt.datetime(9999, 1, 1, tzinfo=dt.UTC) - _EPOCH) // _MICROSECOND
_RECIPE_DEPTH = 32


class SidecarDamaged(Exception):
    """A sidecar can't be understood; its folder is left alone."""


@dataclass(frozen=True, slots=True)
class LoopPoints:
    """A region that repeats without a seam: frames [start_frame, end_frame)."""

    start_frame: int
    end_frame: int


@dataclass(frozen=True, slots=True)
class TrackFile:
    """A file beside the audio, kept as it came: a score, a stem."""

    name: str
    label: str
    size_bytes: int
    media_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Track:
    """What is known of a track. Times are microseconds since 1970 (UTC)."""

    track_id: str
    title: str
    audio: Properties
    size_bytes: int
    source_sha256: str
    job_id: str
    output_index: int
    create_time_us: int
    update_time_us: int
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: int | None = None
    tags: tuple[str, ...] = ()
    recipe: dict[str, Any] | None = None
    tempo_bpm: float | None = None
    musical_key: str = ""
    loop_points: LoopPoints | None = None
    parent_track_id: str = ""
    files: tuple[TrackFile, ...] = ()

    @property
    def format(self) -> Format:
        """The container and codec; a track always has one that we write."""
        if self.audio.format is None:
            raise SidecarDamaged("the sidecar names no format")
        return self.audio.format

    @property
    def audio_name(self) -> str:
        """The name of the audio file in the track's folder."""
        return f"audio.{self.format.extension}"

    @property
    def etag(self) -> str:
        """Changes with every change of the sidecar, also one made by hand."""
        content = json.dumps(to_sidecar(self), sort_keys=True).encode()
        return hashlib.blake2b(content, digest_size=12).hexdigest()


def track_id_of(job_id: str, output_index: int) -> str:
    """Return the id of a job's output: the same whenever it is asked for."""
    digest = hashlib.blake2b(f"{job_id}|{output_index}".encode(), digest_size=_ID_BYTES).digest()
    return base64.b32encode(digest).decode().lower()


def now_us() -> int:
    """Return the present time in microseconds since 1970."""
    return (dt.datetime.now(dt.UTC) - _EPOCH) // _MICROSECOND


def to_sidecar(track: Track) -> dict[str, Any]:
    """Describe a track as the JSON object that lies beside its audio."""
    loop = track.loop_points
    return {
        "schema": SCHEMA,
        "track_id": track.track_id,
        "title": track.title,
        "artist": track.artist,
        "album": track.album,
        "genre": track.genre,
        "year": track.year,
        "tags": list(track.tags),
        "audio": {
            "format": track.format.name,
            "sample_rate_hz": track.audio.sample_rate_hz,
            "channels": track.audio.channels,
            "duration_frames": track.audio.duration_frames,
        },
        "size_bytes": track.size_bytes,
        "source_sha256": track.source_sha256,
        "tempo_bpm": track.tempo_bpm,
        "musical_key": track.musical_key,
        "loop_points": None
        if loop is None
        else {"start_frame": loop.start_frame, "end_frame": loop.end_frame},
        "parent_track_id": track.parent_track_id,
        "job_id": track.job_id,
        "output_index": track.output_index,
        "create_time": _to_text(track.create_time_us),
        "update_time": _to_text(track.update_time_us),
        "files": [dataclasses.asdict(file) for file in track.files],
        "recipe": track.recipe,
    }


def from_sidecar(sidecar: object) -> Track:
    """Rebuild a track from its sidecar. Raises SidecarDamaged."""
    try:
        return _from_sidecar(sidecar)  # type: ignore[arg-type]  # anything may be in a file
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise SidecarDamaged(f"{type(error).__name__}: {error}") from error


def _from_sidecar(sidecar: dict[str, Any]) -> Track:
    audio, loop, recipe = sidecar["audio"], sidecar["loop_points"], sidecar["recipe"]
    year, tempo_bpm = sidecar["year"], sidecar["tempo_bpm"]
    if recipe is not None and not isinstance(recipe, dict):
        raise TypeError("recipe is no object")
    track = Track(
        track_id=str(sidecar["track_id"]),
        title=str(sidecar["title"]),
        artist=str(sidecar["artist"]),
        album=str(sidecar["album"]),
        genre=str(sidecar["genre"]),
        year=None if year is None else int(year),
        tags=tuple(str(tag) for tag in sidecar["tags"]),
        audio=Properties(
            Format[audio["format"]],
            int(audio["sample_rate_hz"]),
            int(audio["channels"]),
            int(audio["duration_frames"]),
        ),
        size_bytes=int(sidecar["size_bytes"]),
        source_sha256=str(sidecar["source_sha256"]),
        tempo_bpm=None if tempo_bpm is None else float(tempo_bpm),
        musical_key=str(sidecar["musical_key"]),
        loop_points=None
        if loop is None
        else LoopPoints(int(loop["start_frame"]), int(loop["end_frame"])),
        parent_track_id=str(sidecar["parent_track_id"]),
        job_id=str(sidecar["job_id"]),
        output_index=int(sidecar["output_index"]),
        create_time_us=_to_us(sidecar["create_time"]),
        update_time_us=_to_us(sidecar["update_time"]),
        recipe=recipe,
        files=tuple(_file(file) for file in sidecar.get("files", ())),  # absent in old ones
    )
    _check_can_be_sent(track)
    return track


def _file(entry: dict[str, Any]) -> TrackFile:
    return TrackFile(
        name=str(entry["name"]),
        label=str(entry["label"]),
        size_bytes=int(entry["size_bytes"]),
        media_type=str(entry["media_type"]),
        sha256=str(entry["sha256"]),
    )


def _check_can_be_sent(track: Track) -> None:
    """Raise ValueError for what no message could carry: one sidecar that was damaged by
    hand must not keep the whole list from being sent."""
    audio, loop = track.audio, track.loop_points
    numbers = {
        "sample_rate_hz": (1, audio.sample_rate_hz, _INT32_LARGEST),
        "channels": (1, audio.channels, _INT32_LARGEST),
        "duration_frames": (0, audio.duration_frames, _INT64_LARGEST),
        "size_bytes": (0, track.size_bytes, _INT64_LARGEST),
        "output_index": (0, track.output_index, _INT32_LARGEST),
        "year": (1, 1 if track.year is None else track.year, 9999),
        "create_time": (0, track.create_time_us, _LATEST_US),
        "update_time": (0, track.update_time_us, _LATEST_US),
        "loop start": (0, loop.start_frame if loop else 0, _INT64_LARGEST),
        "loop end": (0, loop.end_frame if loop else 0, _INT64_LARGEST),
    }
    for name, (least, number, most) in numbers.items():
        if not least <= number <= most:
            raise ValueError(f"{name} is out of range")
    if not all(0 <= file.size_bytes <= _INT64_LARGEST for file in track.files):
        raise ValueError("a file's size is out of range")
    texts = [track.title, track.artist, track.album, track.genre, track.musical_key, *track.tags]
    texts += [text for file in track.files for text in (file.name, file.label, file.media_type)]
    _check_json([*texts, track.parent_track_id, track.job_id, track.tempo_bpm, track.recipe])


def _check_json(value: object, depth: int = 0) -> None:
    if depth > _RECIPE_DEPTH:
        raise ValueError("the recipe is nested too deeply")
    if isinstance(value, str):
        value.encode()  # a lone half of a surrogate pair can't be
    elif isinstance(value, int | float) and not math.isfinite(value):
        raise ValueError("a number is not finite")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_json(key, depth + 1)
            _check_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, depth + 1)


def _to_text(time_us: int) -> str:
    return (_EPOCH + time_us * _MICROSECOND).isoformat(timespec="microseconds")


def _to_us(text: str) -> int:
    return (dt.datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
