"""What a track's recipe says of how an engine made it, in a few lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_NAMES = (("model", "model"), ("device", "device"), ("precision", "precision"))


def engine_facts(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names and values: the engine, the model and what that was computed on and with,
    how it made do with the memory there was, and the music it was made from. Nothing for what
    the recipe doesn't say."""
    decisions = _mapping(recipe.get("decisions"))
    yield (
        "engine",
        " ".join(text for name in ("engine", "engine_version") if (text := _text(recipe, name))),
    )
    for name, key in _NAMES:
        yield name, _text(decisions, key)
    yield "memory", _text(recipe, "rung")
    yield "style from", _source(_mapping(recipe.get("style_audio")))
    edit = _mapping(recipe.get("edit"))
    parts = edit.get("regenerate")
    yield "made anew", ", ".join(map(_part, parts)) if isinstance(parts, list) else ""
    yield "made anew of", _source(_mapping(edit.get("source")))


def _source(told: Mapping[str, Any]) -> str:
    """Name music by its title, else by its reference."""
    reference = _mapping(told.get("reference"))
    named = next((str(value) for value in reference.values()), "")
    title = _text(told, "title")
    return f"{title} ({named})" if title and named else title or named


def _part(part: object) -> str:
    """Say a part as `musicgen regenerate --part` takes it."""
    if not isinstance(part, list) or len(part) != 2:
        return "?"
    return "-".join(f"{at:g}" if isinstance(at, int | float) else "" for at in part)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""
