"""What a track was asked for, as its recipe tells, so that it can be asked for again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.errors import InvalidField


@dataclass(frozen=True, slots=True)
class Asked:
    """What an engine was asked for. `lyrics` have their times, if the engine told them;
    `style_audio` is music that the style was taken from."""

    engine: str
    prompt: str
    lyrics: str
    options: Mapping[str, Any]
    style_audio: audio_pb2.AudioRef | None


def asked_of(track: track_pb2.Track, engine: str = "") -> Asked:
    """Return what a track was asked for, to ask `engine` for it, "" meaning the one that made
    it. The options are left out for another one: they are not its own. Raises InvalidField
    for a track whose recipe names no engine and no prompt, such as a loop."""
    recipe: dict[str, Any] = json_format.MessageToDict(track.recipe)
    made_by, prompt = _text(recipe, "engine"), _text(recipe, "prompt")
    if not (engine or made_by):
        raise InvalidField(
            f"The recipe of track {track.track_id} names no engine.",
            remedy="Only what an engine made can be made anew by it; loops can't. Name an engine "
            "for another track.",
            fields={"track": "must be made by an engine"},
        )
    same = engine in ("", made_by)
    options = recipe.get("options")
    return Asked(
        engine or made_by,
        prompt or track.title,
        _text(_mapping(recipe.get("decisions")), "lyrics") or _text(recipe, "lyrics"),
        options if same and isinstance(options, Mapping) else {},
        _reference(_mapping(recipe.get("style_audio")).get("reference")),
    )


def _reference(told: object) -> audio_pb2.AudioRef | None:
    if not isinstance(told, Mapping):
        return None
    try:
        reference = json_format.ParseDict(dict(told), audio_pb2.AudioRef())
    except json_format.ParseError:
        return None  # of a later version
    return reference if reference.WhichOneof("source") else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""
