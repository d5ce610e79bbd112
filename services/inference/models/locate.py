"""For engine hosts: where the files of an installed model are. Needs no network library."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from services.inference.models.catalogue import load_catalogue
from services.inference.models.manager import ModelManager


def models_root(data_root: Path, chosen: Path | None = None) -> Path:
    """Return the folder of the models: the one that was chosen, or its usual place."""
    return chosen or data_root / "models"


def in_studio(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process belongs to a studio, which keeps models."""
    return "MUSICGEN_DATA_ROOT" in environ


def manager(environ: Mapping[str, str] = os.environ) -> ModelManager:
    """Return the models of the studio that this process belongs to: a host has the variables
    of the inference service. Raises KeyError without MUSICGEN_DATA_ROOT, SettingsError."""
    chosen, more = environ.get("MUSICGEN_MODELS_ROOT"), environ.get("MUSICGEN_MODELS_FILE")
    root = Path(chosen) if chosen else models_root(Path(environ["MUSICGEN_DATA_ROOT"]))
    return ModelManager(root, load_catalogue(Path(more) if more else None))


def folder(model: str) -> Path:
    """Return the folder in which the files of a model lie under their paths in its
    repository. Raises ModelNotFound, ModelNotInstalled."""
    return manager().folder(model)


def hub_cache() -> Path:
    """Return what HF_HUB_CACHE is to be for libraries that load models by themselves;
    with HF_HUB_OFFLINE=1 they then ask no hub."""
    return manager().hub_cache
