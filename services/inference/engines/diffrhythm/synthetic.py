"""Weights that are made from their names: for golden values, benches and the tiny model.

Element i of a tensor is the (i + 1)-th output of splitmix64 with the CRC-32 of salt and name in
the seed's upper half, as a uniform number of unit variance, scaled and shifted by the
tensor's kind. It needs no library's random generator, so anybody can make the same.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

GOLDEN_RATIO = 0x9E3779B97F4A7C15
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_AT_ONCE = 1 << 20


def unit(name: str, count: int, salt: str = "", first: int = 0) -> npt.NDArray[np.float64]:
    """Return elements [first, first + count) of the numbers of `name`: uniform, unit variance."""
    seed = np.uint64(zlib.crc32((salt + name).encode()) << 32)
    with np.errstate(over="ignore"):
        z = seed + np.arange(first + 1, first + count + 1, dtype=np.uint64) * np.uint64(
            GOLDEN_RATIO
        )
        z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX_1)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_2)
    z ^= z >> np.uint64(31)
    return ((z >> np.uint64(11)).astype(np.float64) * 2.0**-53 * 2 - 1) * math.sqrt(3)


def tensor(
    name: str, shape: Sequence[int], salt: str, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return a tensor by its name."""
    offset, scale = _kind(name, shape)
    flat = torch.empty(math.prod(shape), dtype=dtype)
    for first in range(0, flat.numel(), _AT_ONCE):
        count = min(_AT_ONCE, flat.numel() - first)
        values = offset + scale * unit(name, count, salt, first)
        flat[first : first + count] = torch.from_numpy(values.astype(np.float32))
    return flat.view(*shape)


def tensors(
    shapes: Mapping[str, Sequence[int]], salt: str, dtype: torch.dtype = torch.float32
) -> Iterator[tuple[str, Tensor]]:
    """Yield tensors by name."""
    for name, shape in shapes.items():
        yield name, tensor(name, shape, salt, dtype)


def fill(module: nn.Module, salt: str, *, prefix: str = "") -> None:
    """Give each parameter of a module the values of its name under `prefix`."""
    for name, parameter in module.named_parameters():
        parameter.data = tensor(prefix + name, parameter.shape, salt, parameter.dtype)


def with_norms(module: nn.Module, salt: str) -> dict[str, Tensor]:
    """Return tensors for a module whose convolutions have a weight norm, not folded yet: a
    gain and a direction for each weight."""
    made = {}
    for name, parameter in module.named_parameters():
        shape = tuple(parameter.shape)
        if name.endswith("weight"):
            made[f"{name}_g"] = tensor(f"{name}_g", (shape[0], 1, 1), salt)
            made[f"{name}_v"] = tensor(f"{name}_v", shape, salt)
        else:
            made[name] = tensor(name, shape, salt)
    return made


def _kind(name: str, shape: Sequence[int]) -> tuple[float, float]:
    """Return offset and scale."""
    fan_in = math.prod(shape[1:]) or 1
    width = 1.5 if ".q_proj." in name or ".k_proj." in name else 1.0
    kinds = (
        (name.endswith(("layernorm.weight", ".norm.weight")), (1.0, 0.1)),
        (name.endswith(".weight_g"), (0.7, 0.07)),
        (name.endswith(".alpha") or (name.endswith(".beta") and "grn" not in name), (0.0, 0.2)),
        (".grn." in name, (0.0, 0.3)),
        (name.endswith("text_embed.text_embed.weight"), (0.0, 1.0)),
        (len(shape) == 1, (0.0, 0.05)),
    )
    return next((kind for fits, kind in kinds if fits), (0.0, width / math.sqrt(fan_in)))
