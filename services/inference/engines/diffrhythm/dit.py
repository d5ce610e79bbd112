"""The diffusion transformer: which way noisy latents have to go, given text and style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.engines.diffrhythm.config import LATENT_DIM, STYLE_DIM, DiTConfig
from services.inference.engines.diffrhythm.embeddings import (
    TEXT_DIM,
    ScalarEmbedding,
    TextEmbedding,
)
from services.inference.engines.diffrhythm.layer import Layer, Rotary
from services.inference.engines.diffrhythm.precision import (
    AS_READ,
    FULL,
    Placement,
    Precision,
    Product,
)

CONV_WIDTH = 31
CONV_GROUPS = 16

Watch = Callable[[str, Tensor], None]
"""Is told each piece by its name, and "" between the products of a layer; what it raises ends
the work."""


def unwatched(name: str, piece: Tensor) -> None:
    """Look at nothing."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is asked for: a token for each frame [batch, frames], a style [batch, STYLE_DIM],
    latents to keep to [batch, frames, LATENT_DIM] (zeros where there are none), and as
    shares of the longest length where the piece starts and how long it is, [batch]."""

    tokens: Tensor
    style: Tensor
    latents: Tensor
    start: Tensor
    duration: Tensor

    def without(self, negative_style: Tensor) -> Conditions:
        """Return the conditions that guidance leads away from."""
        return Conditions(
            torch.zeros_like(self.tokens),
            negative_style,
            torch.zeros_like(self.latents),
            self.start,
            self.duration,
        )


@dataclass(frozen=True, slots=True)
class Branch:
    """Conditions, as far as they are the same at each step: `projected` [batch, frames, dim]
    is their part of the input, `fused` what is added after the first layers, `constant`
    [batch, STYLE_DIM] goes to the time's embedding."""

    projected: Tensor
    fused: Sequence[Tensor]
    constant: Tensor
    text: Tensor
    rotary: Rotary


def stacked(branches: Sequence[Branch]) -> Branch:
    """Return branches as one batch: on a GPU one evaluation of two is faster than two."""
    return Branch(
        torch.cat([one.projected for one in branches]),
        [torch.cat(parts) for parts in zip(*(one.fused for one in branches), strict=True)],
        torch.cat([one.constant for one in branches]),
        torch.cat([one.text for one in branches]),
        branches[0].rotary,
    )


class ConvPosition(nn.Module):
    """Two wide convolutions over time, by which frames learn where they are."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        first, second = (
            nn.Conv1d(dim, dim, CONV_WIDTH, padding=CONV_WIDTH // 2, groups=CONV_GROUPS)
            for _ in range(2)
        )
        self.conv1d = nn.Sequential(first, nn.Mish(), second, nn.Mish())

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved [batch, frames, dim]."""
        out: Tensor = self.conv1d(x.transpose(1, 2)).transpose(1, 2)
        return out


class InputEmbedding(nn.Module):
    """Projects latents and all conditions, frame by frame. `proj` takes them side by side:
    latents, latents to keep, text, style, time. Only the first and the last change from
    step to step, so its columns are used in parts."""

    WIDTHS = (LATENT_DIM, LATENT_DIM, TEXT_DIM, STYLE_DIM, STYLE_DIM)

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Linear(sum(self.WIDTHS), dim)
        self.conv_pos_embed = ConvPosition(dim)

    def fixed(self, latents: Tensor, text: Tensor, style: Tensor) -> Tensor:
        """Return what the conditions contribute, [batch, frames, dim]."""
        _, keep, words, sound, _ = torch.split(self.proj.weight, list(self.WIDTHS), dim=1)
        projected = functional.linear(text, words, self.proj.bias)
        projected += functional.linear(latents, keep)
        return projected.add_(functional.linear(style, sound)[:, None])

    def moving(self, x: Tensor, time: Tensor) -> Tensor:
        """Return what noisy latents [batch, frames, LATENT_DIM] and the time [batch,
        STYLE_DIM] contribute."""
        noisy, _, _, _, clock = torch.split(self.proj.weight, list(self.WIDTHS), dim=1)
        return functional.linear(x, noisy) + functional.linear(time, clock)[:, None]


class OutputNorm(nn.Module):
    """Normalises [batch, frames, dim], then scales and shifts it by the time's embedding."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(STYLE_DIM, 2 * dim)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Return the normalised x."""
        scale, shift = self.linear(functional.silu(time)).chunk(2, dim=1)
        normed = functional.layer_norm(x, x.shape[-1:], eps=1e-6)
        out: Tensor = normed * (1 + scale[:, None]) + shift[:, None]
        return out


class DiT(nn.Module):
    """The network; parameters have the checkpoint's names."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        self.precision, self.offloads = FULL, False
        self.time_embed = ScalarEmbedding()
        self.start_time_embed = ScalarEmbedding()
        if config.knows_duration:
            self.duration_time_embed = ScalarEmbedding()
        self.text_embed = TextEmbedding(config.text_layers, config.max_frames)
        self.input_embed = InputEmbedding(config.dim)
        self.transformer_blocks = nn.ModuleList(Layer(config) for _ in range(config.depth))
        self.text_fusion_linears = nn.ModuleList(
            nn.Sequential(nn.Linear(TEXT_DIM, config.dim), nn.SiLU())
            for _ in range(config.fused_layers)
        )
        self.norm_out = OutputNorm(config.dim)
        self.proj_out = nn.Linear(config.dim, LATENT_DIM)

    def use(
        self,
        precision: Precision,
        placement: Placement = AS_READ,
        on_weight: Callable[[Tensor], None] | None = None,
    ) -> DiT:
        """Compute in `precision` and keep weights as `placement` says from now on.
        `on_weight` is told each weight that was copied, and may end this by raising."""
        self.precision, self.offloads = precision, placement.offload
        products = {id(one.weight) for one in self.modules() if isinstance(one, Product)}
        for parameter in self.parameters():
            if id(parameter) not in products:
                placed = parameter.data.to(placement.device, precision.compute)
            elif placement.offload:
                placed = parameter.data
            else:
                placed = parameter.data.to(placement.device, placement.stored)
            before, parameter.data = parameter.data, placed
            if on_weight and placed.data_ptr() != before.data_ptr():
                on_weight(before)
        return self

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        return [one for one in self.transformer_blocks if isinstance(one, Layer)]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.proj_out.weight.device

    @torch.inference_mode()
    def branch(self, asked: Conditions) -> Branch:
        """Compute all of the conditions that no step changes."""
        compute = self.precision.compute
        style, latents = asked.style.to(compute), asked.latents.to(compute)
        text = self.text_embed(asked.tokens)
        constant = self.start_time_embed(asked.start)
        if self.config.knows_duration:
            constant = constant + self.duration_time_embed(asked.duration)
        frames = asked.tokens.shape[1]
        return Branch(
            self.input_embed.fixed(latents, text, style),
            [fusion(text) for fusion in self.text_fusion_linears],
            constant,
            text,
            Rotary(frames, self.config.head_dim, self.precision, self.device),
        )

    @torch.inference_mode()
    def forward(self, x: Tensor, time: Tensor, branch: Branch, watch: Watch = unwatched) -> Tensor:
        """Return the velocity [batch, frames, LATENT_DIM] of latents x of that shape (batch
        may be 1) at `time` [1], 0 (noise) to 1."""
        precision = self.precision
        clock = self.time_embed(time) + branch.constant
        h = self.input_embed.moving(x.to(precision.compute), clock) + branch.projected
        watch("input_proj", h)
        h = h + self.input_embed.conv_pos_embed(h)
        watch("input_embed", h)
        h = h.to(precision.residual)
        for number, layer in enumerate(self.layers):
            layer(h, branch.rotary, precision, lambda: watch("", h))
            watch(f"block{number}", h)
            if number < len(branch.fused):
                h.add_(branch.fused[number])
        out = self.norm_out(h.to(precision.compute), clock)
        watch("norm_out", out)
        velocity: Tensor = self.proj_out(out)
        watch("proj_out", velocity)
        return velocity
