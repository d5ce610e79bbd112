"""The transformer on top of a pretrained network. Queries and keys have unit length before they
are scaled feature by feature: only what a learned scale makes important can stand out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.engines.diffrhythm.mulan.config import HeadConfig

_SHARPNESS = 8.0
"""By which the products of queries and keys are multiplied."""


class Norm(nn.Module):
    """Mean 0 and variance 1 over the features, then a scale, but no shift."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.learned_gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [count, dim]."""
        return functional.layer_norm(x, x.shape[-1:], self.learned_gamma)


class Attention(nn.Module):
    """Each vector takes from all vectors."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        self.norm = Norm(config.dim)
        self.to_q = nn.Linear(config.dim, inner, bias=False)
        self.to_kv = nn.Linear(config.dim, 2 * inner, bias=False)
        self.q_scale = nn.Parameter(torch.ones(config.head_dim))
        self.k_scale = nn.Parameter(torch.ones(config.head_dim))
        self.to_out = nn.Sequential(nn.Linear(inner, config.dim, bias=False))
        self._heads = config.heads

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added to x [count, dim]."""
        normed = self.norm(x)
        q, k, v = (
            one.view(1, len(x), self._heads, -1).transpose(1, 2)
            for one in (self.to_q(normed), *self.to_kv(normed).chunk(2, dim=-1))
        )  # [1, heads, count, head_dim]
        mixed = functional.scaled_dot_product_attention(
            functional.normalize(q, dim=-1) * self.q_scale,
            functional.normalize(k, dim=-1) * self.k_scale,
            v,
            scale=_SHARPNESS,
        )
        out: Tensor = self.to_out(mixed.transpose(1, 2).flatten(2)[0])
        return out


class Gated(nn.Module):
    """One half, as far as the GELU of the other half lets it through."""

    def forward(self, x: Tensor) -> Tensor:
        """Return [count, width / 2] of [count, width]."""
        half, gate = x.chunk(2, dim=-1)
        return half * functional.gelu(gate)


class Layer(nn.ModuleList):
    """Attention and a feed-forward, each added to what it was made from. Without a gate the
    feed-forward would be half as wide again: both cost the same. The identity stands where
    training drops features; the checkpoint counts it."""

    def __init__(self, config: HeadConfig) -> None:
        width = int(config.dim * config.ff_mult * 2 / 3)
        feed_forward = nn.Sequential(
            Norm(config.dim),
            nn.Linear(config.dim, 2 * width, bias=False),
            Gated(),
            nn.Identity(),
            nn.Linear(width, config.dim, bias=False),
        )
        super().__init__([Attention(config), feed_forward])

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape, [count, dim]."""
        for part in self:
            x = x + part(x)
        return x


class Head(nn.Module):
    """All layers; there may be none."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(Layer(config) for _ in range(config.depth)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape, [count, dim]."""
        out: Tensor = self.layers(x)
        return out
