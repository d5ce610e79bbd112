"""Which engines there are: for each a command that starts its host, and its manifest.

The studio's own engines are one line each below. More come from a JSON file:

    {"engines": [{"command": ["/opt/e/bin/python", "-m", "musicgen.engine.host", "e:Engine"],
                  "manifest": {"name": "e", "display_name": "E", ...}}]}

where a manifest has the fields of musicgen.engine.base.Manifest. Instead of a command an
engine can name one of the studio's environments and its class there:

    {"environment": "diffrhythm", "engine": "e.engine:Engine", "manifest": {...}}
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

from musicgen.engine.base import Manifest
from musicgen.engine.devices import VARIABLE
from musicgen.engine.validation import check_schema
from musicgen.errors import EnvironmentMissing
from musicgen.settings import SettingsError
from services.inference.environments.environments import Environments


@dataclasses.dataclass(frozen=True, slots=True)
class BuiltIn:
    """An engine of the studio. `engine` is "module:Class".

    One with an `environment` (a name in environments/families.py) has a host there, and
    `manifest` ("module:NAME") is a Manifest that can be imported without what that has.
    """

    engine: str
    environment: str = ""
    manifest: str = ""


BUILT_IN: Mapping[str, BuiltIn] = {
    "composer": BuiltIn("services.inference.engines.composer.engine:Composer"),
    "diffrhythm": BuiltIn(
        "services.inference.engines.diffrhythm.engine:DiffRhythm",
        environment="diffrhythm",
        manifest="services.inference.engines.diffrhythm.manifest:MANIFEST",
    ),
    "diffrhythm-tiny": BuiltIn(
        "services.inference.engines.diffrhythm.engine:DiffRhythmTiny",
        environment="diffrhythm",
        manifest="services.inference.engines.diffrhythm.manifest:TINY_MANIFEST",
    ),
}

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_HOST = "musicgen.engine.host"


@dataclasses.dataclass(frozen=True, slots=True)
class EngineEntry:
    """One engine.

    `manifest()` never starts the host; it may import the engine's module the first time,
    so call it from a thread. `environment` is "" for an engine that needs none of its own.
    """

    name: str
    start: Callable[[], tuple[str, ...]]
    manifest: Callable[[], Manifest]
    environment: str = ""

    @property
    def command(self) -> tuple[str, ...]:
        """What starts the host when "--socket PATH" is appended; looked up each time, since
        environments come and go. Raises EnvironmentMissing, EnvironmentBroken."""
        return self.start()


def load_registry(
    engines_file: Path | None = None, environments: Environments | None = None
) -> dict[str, EngineEntry]:
    """Return all engines by name; `environments` has those of the neural ones. Raises
    SettingsError if the file is wrong."""
    entries = [_built_in(name, engine, environments) for name, engine in BUILT_IN.items()]
    if engines_file is not None:
        entries += _from_file(engines_file, environments)
    registry: dict[str, EngineEntry] = {}
    for entry in entries:
        if entry.name in registry:
            raise SettingsError(f"{engines_file}: there are two engines called {entry.name}")
        registry[entry.name] = entry
    return registry


def _built_in(name: str, engine: BuiltIn, environments: Environments | None) -> EngineEntry:
    @functools.cache
    def manifest() -> Manifest:
        found = _import(engine.manifest or engine.engine)
        declared: Manifest = found if engine.manifest else found.manifest
        return declared

    if engine.environment:
        start = _in_environment(engine.environment, engine.engine, environments)
        return EngineEntry(name, start, manifest, engine.environment)
    command = (sys.executable, "-m", _HOST, engine.engine)
    return EngineEntry(name, lambda: command, manifest)


def _in_environment(
    environment: str, engine: str, environments: Environments | None
) -> Callable[[], tuple[str, ...]]:
    def start() -> tuple[str, ...]:
        if environments is None:
            raise EnvironmentMissing(f"There is no place for the environment of {environment}.")
        python = environments.python(environment)
        device = f"{VARIABLE}={environments.choice()}"
        # Isolated: the launcher's PYTHONPATH would bring the core's packages along.
        return ("/usr/bin/env", device, str(python), "-I", "-m", _HOST, engine)

    return start


def _import(reference: str) -> Any:
    module_name, _, name = reference.partition(":")
    return getattr(importlib.import_module(module_name), name)


def _from_file(path: Path, environments: Environments | None) -> Iterable[EngineEntry]:
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["engines"]
        for index, engine in enumerate(listed):
            try:
                yield _entry(engine, environments)
            except (KeyError, TypeError, ValueError) as error:
                raise SettingsError(f"{path}: engines[{index}]: {_said(error)}") from error
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SettingsError(f"{path}: {_said(error)}") from error


def _entry(engine: Mapping[str, Any], environments: Environments | None) -> EngineEntry:
    manifest = manifest_from_json(engine["manifest"])
    if "environment" in engine:
        name, reference = engine["environment"], engine["engine"]
        if not (isinstance(reference, str) and _REFERENCE.fullmatch(reference)):
            raise ValueError('engine must be like "my.package:MyEngine"')
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise ValueError("environment must be a name like my-engine-2")
        start = _in_environment(name, reference, environments)
        return EngineEntry(manifest.name, start, lambda: manifest, name)
    command = engine["command"]
    if not command or not all(isinstance(part, str) for part in command):
        raise ValueError("command must be a list of strings")
    return EngineEntry(manifest.name, lambda: tuple(command), lambda: manifest)


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
