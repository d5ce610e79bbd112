"""A studio's folder in which a tiny model is installed, as an engine's host sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.inference.engines.diffrhythm.config import TINY, TINY_VAE, DiTConfig, VaeConfig
from services.inference.engines.diffrhythm.publication import publish
from services.inference.models.catalogue import load_catalogue
from services.inference.models.manager import ModelManager

MODEL = "diffrhythm-tiny-published"


def install(
    folder: Path, patch: pytest.MonkeyPatch, config: DiTConfig = TINY, vae: VaeConfig = TINY_VAE
) -> ModelManager:
    """Publish a model and import it into the studio of this process."""
    catalogue = publish(folder / "hub", config, vae)
    patch.setenv("MUSICGEN_DATA_ROOT", str(folder / "data"))
    patch.setenv("MUSICGEN_MODELS_FILE", str(catalogue))
    patch.setenv("MUSICGEN_DEVICE", "cpu")
    manager = ModelManager(folder / "data" / "models", load_catalogue(catalogue))
    manager.install(MODEL, lambda _: None, accept_licence=True, folder=folder / "hub")
    return manager


def write_music(path: Path, seconds: float = 12.0, rate_hz: int = 44_100) -> Path:
    """Write a chord that swells, in 16 bits."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    tones = sum(np.sin(2 * np.pi * hz * time) for hz in (220.0, 277.2, 329.6))
    swell = 0.1 + 0.05 * np.sin(2 * np.pi * 0.3 * time)
    soundfile.write(path, np.stack([tones * swell, tones * swell[::-1]], axis=1), rate_hz, "PCM_16")
    return path
