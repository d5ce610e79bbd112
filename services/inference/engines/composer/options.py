"""The engine's own options: their JSON Schema and their reading. They win over the prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from musicgen.errors import InvalidField
from services.inference.engines.composer import lexicon
from services.inference.engines.composer.profiles import PARTS, PROFILES
from services.inference.engines.composer.quantities import MAX_TEMPO_BPM, MIN_TEMPO_BPM
from services.inference.engines.composer.streams import LAYERS
from services.inference.engines.composer.theory import METRES, SCALES, pitch_class

MAX_SEED = (1 << 32) - 1
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
        "loop": {
            "type": "boolean",
            "title": "Loop",
            "description": (
                "Whole bars that join end to start. The tempo wins over the length: the"
                " nearest whole number of bars is made."
            ),
            "default": False,
        },
        "stems": {
            "type": "boolean",
            "title": "Stems",
            "description": "Also write each part as a file of its own.",
            "default": False,
        },
        "seeds": {
            "type": "object",
            "title": "Seeds of layers",
            "description": "Give a layer another seed; all others stay as they were.",
            "additionalProperties": False,
            "properties": {
                layer: {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": MAX_SEED,
                    "description": f"Decides {what}.",
                }
                for layer, what in LAYERS.items()
            },
        },
        "plan": {
            "type": "object",
            "title": "Plan",
            "description": (
                "A plan as an earlier piece's recipe has it, edited or not. It wins over the"
                " prompt and the length; tempo_bpm, key, mode, texture and seeds win over it."
            ),
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
    loop: bool = False
    stems: bool = False
    seeds: Mapping[str, int] = field(default_factory=dict)
    plan: Mapping[str, Any] | None = None
    """A plan as JSON, not read yet: see plan_json."""


def read_options(values: Mapping[str, Any]) -> Options:
    """Check options against SCHEMA and translate them. Raises InvalidField."""
    wrong = {
        f"options.{name}{inside}": problem
        for name, value in values.items()
        for inside, problem in _problems(name, value)
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
        loop=values.get("loop", False),
        stems=values.get("stems", False),
        seeds={layer: int(seed) for layer, seed in values.get("seeds", {}).items()},
        plan=values.get("plan"),
    )


def _problems(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an option: the path inside it, and the problem."""
    schema = SCHEMA["properties"].get(name)
    if schema is None:
        yield "", f"There is no such option; the options are {', '.join(SCHEMA['properties'])}."
    elif schema["type"] == "object":
        if not isinstance(value, Mapping):
            yield "", "An object is needed."
        elif "properties" in schema:
            for key, item in value.items():
                known = schema["properties"].get(key)
                problem = _seed_problem(item) if known else "There is no such layer."
                if problem:
                    yield f".{key}", problem
    elif problem := _simple_problem(schema, value):
        yield "", problem


def _simple_problem(schema: Mapping[str, Any], value: object) -> str:
    if schema["type"] == "number":
        return _number_problem(schema, value)
    if schema["type"] == "array":
        return _list_problem(schema, value)
    if schema["type"] == "boolean":
        return "" if isinstance(value, bool) else "True or false is needed."
    return "" if value in schema["enum"] else f"Must be one of {', '.join(schema['enum'])}."


def _seed_problem(value: object) -> str:
    problem = _number_problem({"minimum": 0, "maximum": MAX_SEED}, value)
    if problem or not isinstance(value, int | float):
        return problem
    return "" if value == int(value) else "A whole number is needed."


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
