"""The engine's own options: their JSON Schema and their reading. They win over the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from musicgen.errors import InvalidField
from services.inference.engines.composer import lexicon
from services.inference.engines.composer.profiles import PARTS, PROFILES
from services.inference.engines.composer.prompt import MAX_TEMPO_BPM, MIN_TEMPO_BPM
from services.inference.engines.composer.theory import METRES, SCALES, pitch_class

KEYS = tuple(f"{letter}{sign}" for letter in "CDEFGAB" for sign in ("", "#", "b"))
INSTRUMENTS = tuple(sorted(set(lexicon.INSTRUMENTS.values())))
TEXTURES = (*sorted(set(lexicon.TEXTURES.values())), "none")

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Composer options",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "tempo_bpm": {
            "type": "number",
            "title": "Tempo",
            "description": "Beats per minute.",
            "minimum": MIN_TEMPO_BPM,
            "maximum": MAX_TEMPO_BPM,
        },
        "key": {
            "type": "string",
            "title": "Key",
            "description": "The tonic.",
            "enum": list(KEYS),
        },
        "mode": {"type": "string", "title": "Mode", "enum": list(SCALES)},
        "metre": {"type": "string", "title": "Metre", "enum": list(METRES)},
        "genre": {
            "type": "string",
            "title": "Genre",
            "description": "The family of music.",
            "enum": list(PROFILES),
        },
        "energy": {
            "type": "number",
            "title": "Energy",
            "description": "0 is sparse and soft, 1 is dense and strong.",
            "minimum": 0,
            "maximum": 1,
        },
        "instruments": {
            "type": "array",
            "title": "Instruments",
            "description": "Instruments that must play.",
            "items": {"type": "string", "enum": list(INSTRUMENTS)},
            "uniqueItems": True,
            "maxItems": len(PARTS) - 1,
        },
        "without": {
            "type": "array",
            "title": "Leave out",
            "description": "Instruments and parts that must not play.",
            "items": {"type": "string", "enum": [*PARTS, *INSTRUMENTS]},
            "uniqueItems": True,
        },
        "texture": {
            "type": "string",
            "title": "Texture",
            "description": "A bed of sound under the music.",
            "enum": list(TEXTURES),
        },
    },
}
"""JSON Schema (draft 2020-12) of the options."""


@dataclass(frozen=True, slots=True)
class Options:
    """Explicit wishes. None and empty leave the choice to the prompt."""

    tempo_bpm: float | None = None
    tonic: int | None = None
    mode: str | None = None
    metre: str | None = None
    genre: str | None = None
    energy: float | None = None
    instruments: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    texture: str | None = None


def read_options(values: Mapping[str, Any]) -> Options:
    """Check options against SCHEMA and translate them. Raises InvalidField."""
    wrong = {
        f"options.{name}": problem
        for name, value in values.items()
        if (problem := _problem(name, value))
    }
    if wrong:
        raise InvalidField("Some options of the composer can't be used.", fields=wrong)
    key = values.get("key")
    tempo_bpm, energy = values.get("tempo_bpm"), values.get("energy")
    return Options(
        tempo_bpm=None if tempo_bpm is None else float(tempo_bpm),
        tonic=None if key is None else pitch_class(key[0], key[1:]),
        mode=values.get("mode"),
        metre=values.get("metre"),
        genre=values.get("genre"),
        energy=None if energy is None else float(energy),
        instruments=tuple(values.get("instruments", ())),
        without=tuple(values.get("without", ())),
        texture=values.get("texture"),
    )


def _problem(name: str, value: object) -> str:
    """Say what is wrong with an option, "" if nothing is."""
    schema = SCHEMA["properties"].get(name)
    if schema is None:
        return f"There is no such option; the options are {', '.join(SCHEMA['properties'])}."
    if schema["type"] == "number":
        return _number_problem(schema, value)
    if schema["type"] == "array":
        return _list_problem(schema, value)
    return "" if value in schema["enum"] else f"Must be one of {', '.join(schema['enum'])}."


def _number_problem(schema: Mapping[str, Any], value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "A number is needed."
    if not schema["minimum"] <= value <= schema["maximum"]:
        return f"Must lie between {schema['minimum']:g} and {schema['maximum']:g}."
    return ""


def _list_problem(schema: Mapping[str, Any], value: object) -> str:
    if not isinstance(value, list | tuple):
        return "A list is needed."
    allowed = schema["items"]["enum"]
    if unknown := [item for item in value if item not in allowed]:
        return f"{unknown[0]!r} is none of {', '.join(allowed)}."
    most = schema.get("maxItems", len(allowed))
    if len(set(value)) < len(value) or len(value) > most:
        return f"Name each once, {most} at most."
    return ""
