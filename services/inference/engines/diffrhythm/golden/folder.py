"""Runs what a folder has golden values of."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from services.inference.engines.diffrhythm import synthetic
from services.inference.engines.diffrhythm.config import DiTConfig, VaeConfig
from services.inference.engines.diffrhythm.dit import DiT
from services.inference.engines.diffrhythm.embeddings import sinusoid
from services.inference.engines.diffrhythm.golden.audio import compared
from services.inference.engines.diffrhythm.golden.network import finals, pieces
from services.inference.engines.diffrhythm.golden.values import (
    HALF,
    PIECE,
    RESULT,
    Arrays,
    Finding,
    Given,
    difference,
)
from services.inference.engines.diffrhythm.golden.words import lyrics_findings
from services.inference.engines.diffrhythm.precision import FULL, PUBLISHED, Precision
from services.inference.engines.diffrhythm.vae.oobleck import Autoencoder
from services.inference.engines.diffrhythm.weights import DIT_PREFIX, assign, folded


class Folder:
    """A folder of golden values, and the networks that they are of."""

    def __init__(self, path: Path, salt: str) -> None:
        self.path, self._salt = path, salt
        self.checks: dict[str, dict[str, Any]] = {
            file.stem.removeprefix("weights_check_"): json.loads(file.read_text(encoding="utf-8"))
            for file in sorted(path.glob("weights_check_*.json"))
        }
        self._dit = functools.lru_cache(1)(self._make_dit)

    def findings(self) -> Iterator[Finding]:
        """Run everything."""
        for name in self.checks:
            yield from self._weights(name)
        for file in sorted(self.path.glob("*.npz")):
            with np.load(file) as arrays:
                yield from self._compare(file.stem, dict(arrays))
        if (words := self.path / "lrc.json").exists():
            yield from lyrics_findings(words)

    def _compare(self, file: str, arrays: Arrays) -> Iterator[Finding]:
        values: Iterator[tuple[str, Tensor, float]] = iter(())
        if "sinus" in arrays:
            values = self._times(arrays)
        elif "z" in arrays:
            values = self._vae(file, arrays)
        elif "in_text" in arrays:
            values = self._network(file, arrays)
        for name, value, allowed in values:
            if name in arrays:
                yield Finding(file, name, difference(value, arrays[name]), allowed)

    def _weights(self, name: str) -> Iterator[Finding]:
        weights = self.checks[name]["weights"]
        groups = weights if "config" not in self.checks[name] else {"": weights}
        for group, keys in groups.items():
            worst = 0.0
            for key, (shape, total, first) in keys.items():
                made = synthetic.tensor(key, shape, self._salt)
                worst = max(worst, difference(made.flatten()[: len(first)], np.array(first)))
                worst = max(worst, abs(float(made.double().sum()) - total) / max(1, made.numel()))
            yield Finding(f"weights_check_{name}", group or "all", worst, 1e-6)

    def _make_dit(self, config: DiTConfig, precision: Precision) -> DiT:
        with torch.device("meta"):
            dit = DiT(config)
        dtype = precision.compute
        shapes = {DIT_PREFIX + name: tuple(one.shape) for name, one in dit.state_dict().items()}
        made = dict(synthetic.tensors(shapes, self._salt, dtype))
        assign(dit, {name.removeprefix(DIT_PREFIX): one for name, one in made.items()}, "golden")
        return dit.use(precision)

    def _network_of(self, file: str, arrays: Arrays) -> DiT:
        name = next((name for name in self.checks if f"_{name}" in file), "")
        if not name:
            raise click.ClickException(f"{file}: no weights_check_NAME.json is of this file")
        sizes = self.checks[name]["config"]
        knows_duration = "p_duration_embed" in arrays or "full" in file
        config = DiTConfig(
            dim=sizes["dim"],
            depth=sizes["depth"],
            heads=sizes["heads"],
            ff_mult=sizes["ff_mult"],
            text_layers=sizes["conv_layers"],
            max_frames=6_144 if knows_duration else 2_048,
            causal="causal" in file,
            knows_duration=knows_duration,
        )
        return self._dit(config, PUBLISHED if "fp16" in file else FULL)

    def _times(self, arrays: Arrays) -> Iterator[tuple[str, Tensor, float]]:
        for suffix, precision in (("", FULL), ("_fp16", PUBLISHED)):
            allowed = HALF if suffix else PIECE
            # Embeddings of scalars are the same at any size of the rest.
            dit = self._dit(DiTConfig(dim=64, depth=2, heads=4), precision)
            time = torch.from_numpy(arrays[f"t{suffix}"])
            yield f"sinus{suffix}", sinusoid(time), allowed
            yield f"time_embed{suffix}", dit.time_embed(time), allowed
            yield f"start_time_embed{suffix}", dit.start_time_embed(time), allowed

    def _network(self, file: str, arrays: Arrays) -> Iterator[tuple[str, Tensor, float]]:
        dit = self._network_of(file, arrays)
        half = dit.precision == PUBLISHED
        piece, result = (HALF, HALF) if half else (PIECE, RESULT)
        given = Given(arrays, dit.precision.residual)
        if "in_x" in arrays:
            yield from pieces(dit, given, piece, result)
        noise = next((given.get(key) for key in ("y0", "y0_fp16") if key in arrays), None)
        if noise is not None:
            yield from finals(dit, given, noise, result)

    def _vae(self, file: str, arrays: Arrays) -> Iterator[tuple[str, Tensor, float]]:
        groups = next(one["weights"] for one in self.checks.values() if "config" not in one)
        # The first convolution is 16 times as wide as the last.
        sizes = {name: keys["decoder.layers.6.alpha"][0][0] for name, keys in groups.items()}
        wanted = (
            arrays["p_conv_in"].shape[1] // 16 if "p_conv_in" in arrays else max(sizes.values())
        )
        group = next(name for name, size in sizes.items() if size == wanted)
        vae = Autoencoder(VaeConfig(channels=wanted))
        shapes = {key: value[0] for key, value in groups[group].items()}
        assign(vae, folded(dict(synthetic.tensors(shapes, self._salt))), file)
        yield from compared(vae, {key: torch.from_numpy(one) for key, one in arrays.items()})
