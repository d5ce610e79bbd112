"""Which engines there are: for each a command that starts its host, and its manifest.

The studio's own engines are one line each below. More come from a JSON file:

    {"engines": [{"command": ["/opt/e/bin/python", "-m", "musicgen.engine.host", "e:Engine"],
                  "manifest": {"name": "e", "display_name": "E", ...}}]}

where a manifest has the fields of musicgen.engine.base.Manifest.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import re
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from musicgen.engine.base import Engine, Manifest
from musicgen.engine.validation import check_schema
from musicgen.settings import SettingsError

BUILT_IN: Mapping[str, str] = {
    "composer": "services.inference.engines.composer.engine:Composer",
}

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclasses.dataclass(frozen=True, slots=True)
class EngineEntry:
    """One engine. `command` starts its host when "--socket PATH" is appended.

    `manifest()` never starts the host; it may import the engine's module the first time,
    so call it from a thread.
    """

    name: str
    command: tuple[str, ...]
    manifest: Callable[[], Manifest]


def load_registry(engines_file: Path | None = None) -> dict[str, EngineEntry]:
    """Return all engines by name. Raises SettingsError if the file is wrong."""
    entries = [_built_in(name, reference) for name, reference in BUILT_IN.items()]
    if engines_file is not None:
        entries += _from_file(engines_file)
    registry: dict[str, EngineEntry] = {}
    for entry in entries:
        if entry.name in registry:
            raise SettingsError(f"{engines_file}: there are two engines called {entry.name}")
        registry[entry.name] = entry
    return registry


def _built_in(name: str, reference: str) -> EngineEntry:
    @functools.cache
    def manifest() -> Manifest:
        module_name, _, class_name = reference.partition(":")
        engine: type[Engine] = getattr(importlib.import_module(module_name), class_name)
        return engine.manifest

    command = (sys.executable, "-m", "musicgen.engine.host", reference)
    return EngineEntry(name, command, manifest)


def _from_file(path: Path) -> Iterable[EngineEntry]:
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["engines"]
        for index, engine in enumerate(listed):
            try:
                yield _entry(engine)
            except (KeyError, TypeError, ValueError) as error:
                raise SettingsError(f"{path}: engines[{index}]: {_said(error)}") from error
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SettingsError(f"{path}: {_said(error)}") from error


def _entry(engine: Mapping[str, Any]) -> EngineEntry:
    command, manifest = engine["command"], manifest_from_json(engine["manifest"])
    if not command or not all(isinstance(part, str) for part in command):
        raise ValueError("command must be a list of strings")
    return EngineEntry(manifest.name, tuple(command), lambda: manifest)


def manifest_from_json(values: Mapping[str, Any]) -> Manifest:
    """Build a manifest from JSON values. Raises TypeError or ValueError if they don't fit."""
    hints = typing.get_type_hints(Manifest)
    for name, value in values.items():
        kind = typing.get_origin(hints.get(name)) or hints.get(name)
        fits = isinstance(value, (int, float) if kind is float else kind or object)
        if not fits or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f"manifest.{name} has the wrong type")
    manifest = Manifest(**values)
    if not _NAME.fullmatch(manifest.name):
        raise ValueError(f"manifest.name {manifest.name!r} must be like my-engine-2")
    if not 0 < manifest.min_duration_s <= manifest.default_duration_s <= manifest.max_duration_s:
        raise ValueError("manifest: 0 < min <= default <= max must hold for the durations")
    if manifest.sample_rate_hz <= 0 or manifest.channels <= 0:
        raise ValueError("manifest: sample_rate_hz and channels must be positive")
    check_schema(manifest)
    return manifest


def _said(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
