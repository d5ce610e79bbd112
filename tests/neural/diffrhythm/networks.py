"""Tiny networks with synthetic weights, and what is asked of them."""

from __future__ import annotations

import torch
from torch import Tensor

from services.inference.engines.diffrhythm import synthetic
from services.inference.engines.diffrhythm.config import STYLE_DIM, TINY, TINY_VAE, DiTConfig
from services.inference.engines.diffrhythm.dit import Conditions, DiT
from services.inference.engines.diffrhythm.precision import FULL, Precision
from services.inference.engines.diffrhythm.vae.oobleck import Autoencoder
from services.inference.engines.diffrhythm.weights import assign, folded

SALT = "t:"
FRAMES = 96


def tiny_dit(config: DiTConfig = TINY, precision: Precision = FULL) -> DiT:
    """Return a network."""
    dit = DiT(config)
    synthetic.fill(dit, SALT)
    return dit.use(precision).requires_grad_(False)


def tiny_vae() -> Autoencoder:
    """Return an autoencoder."""
    vae = Autoencoder(TINY_VAE)
    assign(vae, folded(synthetic.with_norms(vae, SALT)), "tiny")
    return vae


def numbers(name: str, *shape: int) -> Tensor:
    """Return numbers of unit variance, the same for the same name."""
    count = int(torch.Size(shape).numel())
    return torch.from_numpy(synthetic.unit(name, count)).float().view(*shape)


def style(name: str) -> Tensor:
    """Return a style of unit length."""
    return torch.nn.functional.normalize(numbers(name, 1, STYLE_DIM))


def conditions(frames: int = FRAMES) -> Conditions:
    """Ask for a piece with a few words."""
    tokens = torch.zeros(1, frames, dtype=torch.int64)
    tokens[0, 10:40] = torch.arange(1, 31)
    share = torch.tensor([frames / 6_144])
    return Conditions(tokens, style("asked"), torch.zeros(1, frames, 64), torch.zeros(1), share)
