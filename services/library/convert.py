"""The library's plain values to and from their messages."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format, struct_pb2, timestamp_pb2

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.library.v1 import library_service_pb2, track_pb2
from musicgen.artifacts import StoredFile
from musicgen.audio.codecs import Properties
from musicgen.errors import InvalidField
from musicgen.rpc.convert_audio import artifact_to_proto, properties_to_proto
from services.library.attachments import Attachment
from services.library.editing import Edit
from services.library.export import Exported
from services.library.library import Produced
from services.library.resolve import Resolved
from services.library.track import LoopPoints, Track


def track_to_proto(track: Track) -> track_pb2.Track:
    """Convert a track."""
    return track_pb2.Track(
        track_id=track.track_id,
        title=track.title,
        artist=track.artist,
        album=track.album,
        genre=track.genre,
        year=track.year,
        tags=track.tags,
        audio=properties_to_proto(track.audio),
        size_bytes=track.size_bytes,
        source_sha256=track.source_sha256,
        recipe=_struct(track.recipe),
        tempo_bpm=track.tempo_bpm,
        musical_key=track.musical_key,
        loop_points=_loop_to_proto(track.loop_points),
        parent_track_id=track.parent_track_id,
        job_id=track.job_id,
        create_time=_timestamp(track.create_time_us),
        update_time=_timestamp(track.update_time_us),
        etag=track.etag,
        audio_path=f"/v1/tracks/{track.track_id}/audio",
        peaks_path=f"/v1/tracks/{track.track_id}/peaks",
        files=[
            track_pb2.TrackFile(
                name=file.name,
                label=file.label,
                size_bytes=file.size_bytes,
                media_type=file.media_type,
                path=f"/v1/tracks/{track.track_id}/files/{file.name}",
                sha256=file.sha256,
            )
            for file in track.files
        ],
    )


def edit_from_proto(message: track_pb2.Track) -> Edit:
    """Take the fields that can be edited from a track."""
    return Edit(
        title=message.title,
        artist=message.artist,
        album=message.album,
        genre=message.genre,
        year=message.year if message.HasField("year") else None,
        tags=tuple(message.tags),
    )


def produced_from_proto(message: audio_pb2.ProducedTrack) -> Produced:
    """Convert what a worker made. Raises InvalidField if the artifact isn't named."""
    missing = {
        f"track.artifact.{field}": "must be set"
        for field in ("key", "sha256")
        if not getattr(message.artifact, field)
    }
    if missing:
        raise InvalidField("The artifact is not fully named.", fields=missing)
    return Produced(
        artifact_key=message.artifact.key,
        sha256=message.artifact.sha256,
        title=message.title,
        genre=message.genre,
        recipe=_plain(message.recipe) if message.HasField("recipe") else None,
        tempo_bpm=message.tempo_bpm if message.HasField("tempo_bpm") else None,
        musical_key=message.musical_key,
        loop_points=LoopPoints(message.loop_points.start_frame, message.loop_points.end_frame)
        if message.HasField("loop_points")
        else None,
        parent_track_id=message.parent_track_id,
        attachments=tuple(
            Attachment(
                artifact_key=one.artifact.key,
                sha256=one.artifact.sha256,
                name=one.name,
                label=one.label,
                media_type=one.artifact.media_type,
            )
            for one in message.attachments
        ),
    )


def resolved_to_proto(resolved: Resolved) -> audio_pb2.ProducedTrack:
    """Convert what a reference stands for."""
    artifact = _audio_artifact(resolved.file, resolved.properties)
    track = resolved.track
    if track is None:
        return audio_pb2.ProducedTrack(artifact=artifact)
    return audio_pb2.ProducedTrack(
        artifact=artifact,
        title=track.title,
        genre=track.genre,
        recipe=_struct(track.recipe),
        tempo_bpm=track.tempo_bpm,
        musical_key=track.musical_key,
        loop_points=_loop_to_proto(track.loop_points),
        parent_track_id=track.parent_track_id,
    )


def exported_to_proto(exported: Exported) -> library_service_pb2.ExportedFile:
    """Convert a finished export."""
    return library_service_pb2.ExportedFile(
        artifact=_audio_artifact(exported.file, exported.properties),
        file_name=exported.file_name,
    )


def _audio_artifact(file: StoredFile, properties: Properties) -> audio_pb2.Artifact:
    # Audio of a format that we don't write, such as OGG, is still audio.
    media_type = properties.format.media_type if properties.format else "application/octet-stream"
    return artifact_to_proto(file, media_type, properties)


def _loop_to_proto(loop: LoopPoints | None) -> audio_pb2.LoopPoints | None:
    if loop is None:
        return None
    return audio_pb2.LoopPoints(start_frame=loop.start_frame, end_frame=loop.end_frame)


def _timestamp(time_us: int) -> timestamp_pb2.Timestamp:
    timestamp = timestamp_pb2.Timestamp()
    timestamp.FromMicroseconds(time_us)
    return timestamp


def _struct(content: dict[str, Any] | None) -> struct_pb2.Struct | None:
    return None if content is None else json_format.ParseDict(content, struct_pb2.Struct())


def _plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    content = _whole(json_format.MessageToDict(struct))
    assert isinstance(content, dict)  # noqa: S101 - a Struct is an object
    return content


def _whole(value: Any) -> Any:
    """Write whole numbers as such: a Struct knows floats only, and a person who reads
    the sidecar expects seed 7, not 7.0."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
