"""The parts that run a studio, which a client of somebody else's studio may lack."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from musicgen.errors import StudioError


class NotInstalled(StudioError):
    """Only the client was installed."""

    reason = "NOT_INSTALLED"
    default_remedy = "Install all of it: pip install 'musicgen-local[all]'."


def launcher() -> Any:
    """Return the module that starts a studio. Raises NotInstalled."""
    return _load("musicgen.local.launcher")


def doctor() -> Any:
    """Return the module that looks for what is wrong. Raises NotInstalled."""
    return _load("musicgen.local.doctor")


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("musicgen."):
            raise  # ours: that is a defect
        raise NotInstalled(f"What runs a studio is not installed here ({error}).") from error
