"""Writes a model with synthetic weights as if it had been published: the repositories of a hub,
and a catalogue that names them.

    python -m services.inference.engines.diffrhythm.publication FOLDER
    python -m musicgen.testing.loopback_hub FOLDER --port 8500
    HF_ENDPOINT=http://127.0.0.1:8500 MUSICGEN_MODELS_FILE=FOLDER/models.json make run

so that installing, loading and singing can be tried where no hub is in reach.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from services.inference.engines.diffrhythm import synthetic
from services.inference.engines.diffrhythm.config import TINY, TINY_VAE, DiTConfig, VaeConfig
from services.inference.engines.diffrhythm.dit import DiT
from services.inference.engines.diffrhythm.mulan.tiny import write_tiny_mulan
from services.inference.engines.diffrhythm.style import synthetic_style
from services.inference.engines.diffrhythm.vae.oobleck import Autoencoder
from services.inference.engines.diffrhythm.weights import DIT_PREFIX

OWNER = "tiny"
ENGINE = "diffrhythm-tiny"
SALT = "published:"


def publish(
    folder: Path,
    config: DiTConfig = TINY,
    vae: VaeConfig = TINY_VAE,
    *,
    variant: str = "tiny",
    dtype: torch.dtype = torch.float16,
) -> Path:
    """Write FOLDER/tiny/NAME/FILE for each repository, and return FOLDER/models.json. The network
    is a pickle in half precision, as the published one; `variant` names its sizes."""
    hub = folder / OWNER
    network, decoder, style = (
        _folder(hub / name) for name in ("DiffRhythm", "DiffRhythm-vae", "style")
    )
    with torch.device("meta"):
        dit, autoencoder = DiT(config), Autoencoder(vae)
    shapes = {DIT_PREFIX + name: tuple(one.shape) for name, one in dit.state_dict().items()}
    tensors = dict(synthetic.tensors(shapes, SALT, dtype))
    torch.save({"model_state_dict": tensors}, network / "cfm_model.pt")
    norms = synthetic.with_norms(autoencoder, SALT)
    safetensors.torch.save_file(norms, decoder / "vae_model.safetensors")
    np.save(style / "vocal.npy", synthetic_style("negative", SALT).astype(np.float16))
    encoders = write_tiny_mulan(hub)
    parts = {
        "tiny-vae": (decoder, ["decode", "encode"], []),
        "tiny-muq": (encoders[1], [], []),
        "tiny-xlm": (encoders[2], [], []),
        "tiny-mulan": (encoders[0], ["style-text", "style-audio"], ["tiny-muq", "tiny-xlm"]),
        "tiny-negative": (style, ["negative-style"], []),
    }
    models = [_entry(name, *part) for name, part in parts.items()]
    models[3] |= {"licence": "CC-BY-NC-4.0"}  # as that of the published one
    song = _entry("diffrhythm-tiny-published", network, ["lyrics", "edit"], list(parts))
    song |= {"display_name": "DiffRhythm tiny", "variant": variant, "max_duration_s": 95.0}
    catalogue = folder / "models.json"
    catalogue.write_text(json.dumps({"models": [*models, song]}, indent=1), encoding="utf-8")
    return catalogue


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _entry(name: str, repository: Path, able_to: list[str], needs: list[str]) -> dict[str, Any]:
    files = [{"path": one.name, "size_bytes": one.stat().st_size} for one in _files(repository)]
    return {
        "name": name,
        "display_name": name.replace("-", " "),
        "engine": ENGINE,
        "repository": f"{OWNER}/{repository.name}",
        "licence": "Apache-2.0",
        "files": files,
        "size_bytes": sum(one["size_bytes"] for one in files),
        "memory_bytes": 100_000_000,
        "capabilities": able_to,
        "needs": needs,
    }


def _files(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_file())


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the repositories are written")
    print(publish(parser.parse_args().folder))


if __name__ == "__main__":
    main()
