"""One layer of the transformer: rotary attention and a gated feed-forward, as in Llama."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.engines.diffrhythm.config import DiTConfig
from services.inference.engines.diffrhythm.precision import Precision, Product

ROTARY_THETA = 10_000.0
ROWS = 2_048
"""Frames that go through the feed-forward at a time on a processor: bounds what lies between
its products."""

Tick = Callable[[], None]
"""Called between products, so that a cancel needn't wait for a layer; what it raises ends the
work."""


def _quiet() -> None:
    """Do nothing."""


class RootMeanSquareNorm(nn.Module):
    """Scales each frame to a root mean square of 1, then each feature by its weight."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Normalise [..., dim]: statistics in fp32, the result in `dtype` before the weight
        is applied."""
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + 1e-6)
        return (wide * scale).to(dtype) * self.weight.to(dtype)


class SelfAttention(nn.Module):
    """The four products around attention; names are those of the checkpoint."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.q_proj = Product(config.dim, config.dim)
        self.k_proj = Product(config.dim, config.dim)
        self.v_proj = Product(config.dim, config.dim)
        self.o_proj = Product(config.dim, config.dim)
        self._heads, self._causal = config.heads, config.causal

    def mix(self, x: Tensor, rotary: Rotary, tick: Tick = _quiet) -> Tensor:
        """Return what each of [batch, frames, dim] takes from the others, before `o_proj`."""
        batch, frames, dim = x.shape
        q, k, v = (
            product(x).view(batch, frames, self._heads, -1).transpose(1, 2)
            for product in (self.q_proj, self.k_proj, self.v_proj)
        )
        tick()
        mixed = functional.scaled_dot_product_attention(
            rotary.turn(q), rotary.turn(k), v.contiguous(), is_causal=self._causal
        )
        return mixed.transpose(1, 2).reshape(batch, frames, dim)

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Return attention's output for [batch, frames, dim]."""
        out: Tensor = self.o_proj(self.mix(x, rotary))
        return out


class FeedForward(nn.Module):
    """down(SiLU(gate(x)) * up(x))."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        wide = config.dim * config.ff_mult
        self.gate_proj = Product(config.dim, wide)
        self.up_proj = Product(config.dim, wide)
        self.down_proj = Product(wide, config.dim)

    def brought(self, x: Tensor) -> Gated:
        """Return the feed-forward with its weights as a product with x takes them."""
        products = (self.gate_proj, self.up_proj, self.down_proj)
        return Gated(*(product.matrix(x) for product in products))

    def forward(self, x: Tensor) -> Tensor:
        """Return the feed-forward's output for [..., dim]."""
        return self.brought(x)(x)


@dataclass(frozen=True, slots=True)
class Gated:
    """A feed-forward's weights [outputs, inputs], for any number of products."""

    gate: Tensor
    up: Tensor
    down: Tensor

    def __call__(self, x: Tensor, tick: Tick = _quiet) -> Tensor:
        """Return the output for [..., dim]."""
        gated = functional.silu(functional.linear(x, self.gate), inplace=True)
        tick()
        gated.mul_(functional.linear(x, self.up))
        tick()
        return functional.linear(gated, self.down)


class Layer(nn.Module):
    """One layer; frames attend to each other, then each is fed forward."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.input_layernorm = RootMeanSquareNorm(config.dim)
        self.self_attn = SelfAttention(config)
        self.post_attention_layernorm = RootMeanSquareNorm(config.dim)
        self.mlp = FeedForward(config)

    def forward(
        self, x: Tensor, rotary: Rotary, precision: Precision, tick: Tick = _quiet
    ) -> Tensor:
        """Add both parts to x [batch, frames, dim], in place."""
        attention = self.self_attn
        mixed = attention.mix(self.input_layernorm(x, precision.compute), rotary, tick)
        tick()
        rows = x.flatten(0, 1)  # a view: it is added to in place
        # Not addmm_: on a CPU its product takes half as long again.
        rows.add_(attention.o_proj(mixed.flatten(0, 1)))
        tick()
        feed_forward = self.mlp.brought(mixed)
        for part in torch.split(rows, len(rows) if x.is_cuda else ROWS):
            normed = self.post_attention_layernorm(part, precision.compute)
            part.add_(feed_forward(normed, tick))
        return x


class Rotary:
    """Where each frame is, as angles by which its queries and keys are turned: features i and
    i + head_dim / 2 are a pair. `cos` and `sin` are [frames, head_dim / 2]."""

    def __init__(
        self, frames: int, head_dim: int, precision: Precision, device: torch.device
    ) -> None:
        half = torch.arange(0, head_dim, 2, device=device).float() / head_dim
        frequencies = 1.0 / ROTARY_THETA**half
        if precision.like_published:
            frequencies = frequencies.half().float()
        angles = torch.outer(torch.arange(frames, device=device).float(), frequencies)
        self.cos, self.sin = angles.cos().to(precision.compute), angles.sin().to(precision.compute)

    def turn(self, x: Tensor) -> Tensor:
        """Turn [batch, heads, frames, head_dim]."""
        first, second = x.chunk(2, dim=-1)
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        left, right = out.chunk(2, dim=-1)
        torch.mul(first, self.cos, out=left).addcmul_(second, self.sin, value=-1)
        torch.mul(second, self.cos, out=right).addcmul_(first, self.sin)
        return out
