"""Settings read once, at the edge, from the environment into a frozen dataclass."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path


class SettingsError(Exception):
    """Lists everything that is missing or wrong, not only the first thing."""


T = typing.TypeVar("T")


def load(settings: type[T], environ: Mapping[str, str], prefix: str = "MUSICGEN_") -> T:
    """Build `settings` (a frozen dataclass) from variables named prefix + FIELD.

    Fields may be str, int, float, bool or Path, or one of these `| None`. Every field
    carries its meaning as `metadata={"help": ...}`, which errors repeat.
    """
    hints = typing.get_type_hints(settings)
    values: dict[str, object] = {}
    faults: list[str] = []
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]  # T is a dataclass by contract
        name = prefix + field.name.upper()
        raw = environ.get(name)
        if raw is None:
            if field.default is dataclasses.MISSING:
                faults.append(f"{name} is not set ({field.metadata.get('help', 'required')})")
            continue
        try:
            values[field.name] = _parse(hints[field.name], raw)
        except ValueError as error:
            faults.append(f"{name}={raw!r}: {error}")
    if faults:
        raise SettingsError("\n".join(faults))
    try:
        return settings(**values)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _parse(hint: object, raw: str) -> object:
    if isinstance(hint, types.UnionType):
        hint = next(arm for arm in typing.get_args(hint) if arm is not types.NoneType)
    if hint is bool:
        flags = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if raw.lower() not in flags:
            raise ValueError("expected true or false")
        return flags[raw.lower()]
    if hint is int:
        return int(raw)
    if hint is float:
        return float(raw)
    if hint is Path:
        return Path(raw)
    return raw
