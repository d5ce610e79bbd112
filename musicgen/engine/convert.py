"""The plain values of engines to and from their messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import struct_pb2

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.engine.v1 import engine_pb2, engine_service_pb2
from musicgen.engine.base import (
    MAX_EXTRA_FILES,
    CheckedLyrics,
    Checkpoint,
    ExtraFile,
    ExtraRole,
    Generation,
    Manifest,
    Parameters,
    Preview,
    TimeRange,
)
from musicgen.errors import EngineCrashed, InvalidField

_EXACT = 1 << 53
"""Whole numbers below this survive a double, which is all that a Struct has."""

_MIX = engine_pb2.GeneratedFile.ROLE_MIX
_ROLES: Mapping[ExtraRole, engine_pb2.GeneratedFile.Role.ValueType] = {
    "midi": engine_pb2.GeneratedFile.ROLE_MIDI,
    "stem": engine_pb2.GeneratedFile.ROLE_STEM,
}


def manifest_to_proto(manifest: Manifest) -> engine_pb2.EngineManifest:
    """Convert a manifest."""
    return engine_pb2.EngineManifest(
        name=manifest.name,
        display_name=manifest.display_name,
        version=manifest.version,
        description=manifest.description,
        license=manifest.license,
        sample_rate_hz=manifest.sample_rate_hz,
        channels=manifest.channels,
        min_duration_seconds=manifest.min_duration_s,
        max_duration_seconds=manifest.max_duration_s,
        default_duration_seconds=manifest.default_duration_s,
        supports_lyrics=manifest.supports_lyrics,
        options_schema=struct_from_dict(manifest.options_schema),
        supports_style_audio=manifest.supports_style_audio,
        supports_edit=manifest.supports_edit,
        checks_lyrics=manifest.checks_lyrics,
    )


def manifest_from_proto(message: engine_pb2.EngineManifest) -> Manifest:
    """Convert a manifest."""
    return Manifest(
        name=message.name,
        display_name=message.display_name,
        version=message.version,
        description=message.description,
        license=message.license,
        sample_rate_hz=message.sample_rate_hz,
        channels=message.channels,
        min_duration_s=message.min_duration_seconds,
        max_duration_s=message.max_duration_seconds,
        default_duration_s=message.default_duration_seconds,
        supports_lyrics=message.supports_lyrics,
        options_schema=dict_from_struct(message.options_schema),
        supports_style_audio=message.supports_style_audio,
        supports_edit=message.supports_edit,
        checks_lyrics=message.checks_lyrics,
    )


def parameters_to_proto(parameters: Parameters) -> engine_pb2.GenerationParameters:
    """Convert complete parameters."""
    return engine_pb2.GenerationParameters(
        prompt=parameters.prompt,
        lyrics=parameters.lyrics,
        duration_seconds=parameters.duration_s,
        seed=parameters.seed,
        options=struct_from_dict(parameters.options),
    )


def parameters_from_proto(
    message: engine_pb2.GenerationParameters, *, at: str = "parameters"
) -> Parameters:
    """Convert parameters whose duration and seed are set. Raises InvalidField if the seed
    is absent; everything else is for `validation.validate` to judge."""
    if not message.HasField("seed"):
        raise InvalidField(f"{at}.seed is missing.", fields={f"{at}.seed": "is missing"})
    return Parameters(
        prompt=message.prompt,
        lyrics=message.lyrics,
        duration_s=message.duration_seconds,
        seed=message.seed,
        options=dict_from_struct(message.options),
    )


def parts_to_proto(parts: Iterable[TimeRange]) -> list[engine_pb2.TimeRange]:
    """Convert parts of a piece."""
    return [
        engine_pb2.TimeRange(start_seconds=part.start_s, end_seconds=part.end_s) for part in parts
    ]


def parts_from_proto(messages: Iterable[engine_pb2.TimeRange]) -> tuple[TimeRange, ...]:
    """Convert parts of a piece; whether they make sense is for `validation` to judge."""
    return tuple(
        TimeRange(one.start_seconds, one.end_seconds if one.HasField("end_seconds") else None)
        for one in messages
    )


def checked_to_proto(checked: CheckedLyrics) -> engine_service_pb2.CheckLyricsResponse:
    """Convert what was found in lyrics."""
    return engine_service_pb2.CheckLyricsResponse(
        findings=[
            engine_pb2.LyricsFinding(
                line=found.line,
                severity=engine_pb2.LyricsFinding.Severity.Value(
                    f"SEVERITY_{found.severity.upper()}"
                ),
                code=found.code,
                message=found.message,
                remedy=found.remedy,
            )
            for found in checked.findings
        ],
        timed_lyrics=checked.timed_lyrics,
    )


def generation_to_proto(made: Generation, mix_name: str) -> engine_pb2.Generation:
    """Convert what an engine made. Raises TypeError if its decisions are no JSON values."""
    message = engine_pb2.Generation(
        files=[
            engine_pb2.GeneratedFile(name=mix_name, role=_MIX),
            *(
                engine_pb2.GeneratedFile(name=file.name, role=_ROLES[file.role], label=file.label)
                for file in made.files
            ),
        ],
        title=made.title,
        genre=made.genre,
        tempo_bpm=made.tempo_bpm,
        musical_key=made.musical_key,
        decides_length=made.decides_length,
        rung=made.rung,
        decisions=struct_from_dict(made.decisions),
    )
    if made.loop_frames is not None:
        start, end = made.loop_frames
        message.loop_points.CopyFrom(audio_pb2.LoopPoints(start_frame=start, end_frame=end))
    return message


def generation_from_proto(message: engine_pb2.Generation) -> tuple[Generation, str]:
    """Convert what an engine made; also return the file name of its mix. Raises
    EngineCrashed if there is not exactly one mix with a plain name, or another file that
    can't be kept: the host is broken."""
    mixes = [file.name for file in message.files if file.role == _MIX]
    if len(mixes) != 1 or "/" in mixes[0] or mixes[0] in ("", ".", ".."):
        raise EngineCrashed("The engine did not say where its mix is.")
    points = message.loop_points
    made = Generation(
        title=message.title,
        genre=message.genre,
        tempo_bpm=message.tempo_bpm if message.HasField("tempo_bpm") else None,
        musical_key=message.musical_key,
        loop_frames=(
            (points.start_frame, points.end_frame) if message.HasField("loop_points") else None
        ),
        decides_length=message.decides_length,
        rung=message.rung,
        decisions=dict_from_struct(message.decisions),
        files=_extra_files(message.files, mixes[0]),
    )
    return made, mixes[0]


def _extra_files(
    messages: Iterable[engine_pb2.GeneratedFile], mix_name: str
) -> tuple[ExtraFile, ...]:
    roles = {number: role for role, number in _ROLES.items()}
    try:
        files = tuple(
            ExtraFile(file.name, roles[file.role], file.label)
            for file in messages
            if file.role in roles  # one of a later contract can't be kept
        )
    except ValueError as error:
        raise EngineCrashed(f"The engine named a file that can't be one: {error}.") from error
    names = [mix_name, *(file.name for file in files)]
    if len(set(names)) < len(names) or len(files) > MAX_EXTRA_FILES:
        raise EngineCrashed("The engine named a file twice, or too many files.")
    return files


def preview_to_proto(preview: Preview) -> engine_pb2.EnginePreview:
    """Convert a preview."""
    return engine_pb2.EnginePreview(name=preview.name, start_frame=preview.start_frame)


def preview_from_proto(message: engine_pb2.EnginePreview) -> Preview:
    """Convert a preview. Raises EngineCrashed if it can't be one: the host is broken."""
    try:
        return Preview(message.name, message.start_frame)
    except ValueError as error:
        raise EngineCrashed(f"The engine sent a preview that can't be one: {error}.") from error


def checkpoint_to_proto(checkpoint: Checkpoint) -> engine_service_pb2.EngineCheckpoint:
    """Convert a checkpoint."""
    return engine_service_pb2.EngineCheckpoint(name=checkpoint.name)


def checkpoint_from_proto(message: engine_service_pb2.EngineCheckpoint) -> Checkpoint:
    """Convert a checkpoint. Raises EngineCrashed if it can't be one: the host is broken."""
    try:
        return Checkpoint(message.name)
    except ValueError as error:
        raise EngineCrashed(f"The engine sent a checkpoint that can't be one: {error}.") from error


def struct_from_dict(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Convert JSON values. Raises TypeError for anything else."""
    return struct_pb2.Struct(fields={name: _to_value(value) for name, value in values.items()})


def dict_from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Convert to JSON values. Whole numbers become int: a Struct has doubles only, and
    1.0 and 1 are the same number in JSON. Keys are sorted: a Struct keeps no order."""
    return {name: _from_value(struct.fields[name]) for name in sorted(struct.fields)}


def _to_value(value: object) -> struct_pb2.Value:
    match value:
        case None:
            return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
        case bool():
            return struct_pb2.Value(bool_value=value)
        case int() | float():
            return struct_pb2.Value(number_value=value)
        case str():
            return struct_pb2.Value(string_value=value)
        case list() | tuple():
            items = struct_pb2.ListValue(values=[_to_value(item) for item in value])
            return struct_pb2.Value(list_value=items)
        case Mapping():
            return struct_pb2.Value(struct_value=struct_from_dict(value))
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _from_value(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) < _EXACT else number
        case "string_value":
            return value.string_value
        case "list_value":
            return [_from_value(item) for item in value.list_value.values]
        case "struct_value":
            return dict_from_struct(value.struct_value)
        case _:
            return None
