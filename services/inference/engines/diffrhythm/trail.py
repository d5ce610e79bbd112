"""What a song leaves on its way, so that another attempt goes on where this one was: latents,
how many steps they have behind them, and a key of all that they depend on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from musicgen.engine.base import Checkpoint, Report
from musicgen.engine.determinism import runtime
from services.inference.engines.diffrhythm.config import LATENT_DIM
from services.inference.engines.diffrhythm.sampler import Begun

CHECKPOINT_S = 20.0
"""Of work that a crash may cost."""

VERSION = 1
"""Goes up with whatever changes the latents of a step for the same key."""

_LATENTS = "latents"


class Trail:
    """The newest latents of one song: those that it is given, then those that it leaves."""

    def __init__(
        self, given: Path | None, scratch: Path, report: Report, every_s: float = CHECKPOINT_S
    ) -> None:
        """`given` may be anything, or gone; `every_s` is the time of work between two."""
        self._scratch, self._report, self._every_s = scratch, report, every_s
        self._newest = _read(given) if given else None
        self._left = 0
        self._since_s = time.monotonic()

    def begun(self, key: str, steps: int, frames: int) -> Begun | None:
        """Return where to go on, if anything fits; the time of work counts from here."""
        self._since_s = time.monotonic()
        if self._newest is None:
            return None
        found, begun = self._newest
        shape = (1, frames, LATENT_DIM)
        fits = found == key and 0 < begun.steps <= steps and begun.latents.shape == shape
        return begun if fits and bool(torch.isfinite(begun.latents).all()) else None

    def step(self, key: str, steps: int, latents: Tensor) -> None:
        """Leave the latents, if it is time for that."""
        if time.monotonic() - self._since_s >= self._every_s:
            self.leave(key, steps, latents)

    def leave(self, key: str, steps: int, latents: Tensor) -> None:
        """Leave the latents after so many steps. A disk that is full ends no song here."""
        kept = latents.detach().to("cpu", copy=True).contiguous()
        self._newest = (key, Begun(steps, kept))
        self._since_s = time.monotonic()
        self._left += 1
        path = self._scratch / f"checkpoint-{self._left}.safetensors"
        try:
            safetensors.torch.save_file(
                {_LATENTS: kept}, path, metadata={"key": key, "steps": str(steps)}
            )
        except (OSError, safetensors.SafetensorError):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return
        self._report(Checkpoint(path.name))


def key_of(facts: Mapping[str, Any], device: torch.device) -> str:
    """Return a hash of JSON values that say what the latents are made of, and of what computes
    them."""
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    computer = {
        "version": VERSION,
        "device": [device.type, card],
        "torch": [torch.__version__, torch.version.cuda, torch.version.hip],
        "threads": torch.get_num_threads(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "runtime": dict(runtime()),
    }
    return digest(json.dumps([computer, facts], sort_keys=True).encode())


def digest(content: bytes) -> str:
    """Return the hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> tuple[str, Begun] | None:
    """Return a key and what belongs to it; None for a file that is none of ours."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            latents = file.get_tensor(_LATENTS)
            # A copy: the file may go.
            return told["key"], Begun(int(told["steps"]), latents.clone())
    except (OSError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError):
        return None
