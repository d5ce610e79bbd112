"""Audio formats, facts and artifacts to and from their messages."""

from __future__ import annotations

from musicgen.api.audio.v1 import audio_pb2
from musicgen.artifacts import StoredFile
from musicgen.audio.codecs import Format, Properties
from musicgen.errors import UnsupportedFormat


def format_from_proto(value: int, default: Format = Format.FLAC) -> Format:
    """Convert an AudioFormat. Raises UnsupportedFormat for a number that means nothing."""
    if value == audio_pb2.AUDIO_FORMAT_UNSPECIFIED:
        return default
    try:
        name = audio_pb2.AudioFormat.Name(value)  # type: ignore[arg-type]  # any int may arrive
    except ValueError as error:
        raise UnsupportedFormat(f"{value} is no audio format.") from error
    return Format[name.removeprefix("AUDIO_FORMAT_")]


def artifact_to_proto(
    stored: StoredFile, media_type: str, properties: Properties | None = None
) -> audio_pb2.Artifact:
    """Describe a stored file; with `properties` if it is audio."""
    message = audio_pb2.Artifact(
        key=stored.key,
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        media_type=media_type,
    )
    if properties is not None:
        message.audio.CopyFrom(properties_to_proto(properties))
    return message


def properties_to_proto(properties: Properties) -> audio_pb2.AudioProperties:
    """Convert the facts of an audio file; a format we don't write is UNSPECIFIED."""
    name = properties.format.name if properties.format else "UNSPECIFIED"
    return audio_pb2.AudioProperties(
        format=audio_pb2.AudioFormat.Value(f"AUDIO_FORMAT_{name}"),
        sample_rate_hz=properties.sample_rate_hz,
        channels=properties.channels,
        duration_frames=properties.duration_frames,
    )
