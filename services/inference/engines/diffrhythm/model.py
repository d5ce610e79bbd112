"""A network with its autoencoder, ready to be asked."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from services.inference.engines.diffrhythm import synthetic
from services.inference.engines.diffrhythm.config import TINY, TINY_VAE
from services.inference.engines.diffrhythm.dit import DiT
from services.inference.engines.diffrhythm.style import synthetic_style
from services.inference.engines.diffrhythm.vae.oobleck import Autoencoder
from services.inference.engines.diffrhythm.weights import assign, folded

TINY_SALT = "tiny:"


@dataclass(frozen=True, slots=True)
class Model:
    """What a song is made with. `negative_style` [1, STYLE_DIM] is what guidance leads away
    from."""

    name: str
    dit: DiT
    vae: Autoencoder
    negative_style: Tensor


def tiny_model() -> Model:
    """Return a model whose weights are made from their names, in a second or two."""
    with torch.device("meta"):
        dit, vae = DiT(TINY), Autoencoder(TINY_VAE)
    shapes = {name: tuple(one.shape) for name, one in dit.state_dict().items()}
    assign(dit, dict(synthetic.tensors(shapes, TINY_SALT)), "the tiny model")
    assign(vae, folded(synthetic.with_norms(vae, TINY_SALT)), "the tiny model")
    negative = torch.from_numpy(synthetic_style("negative", TINY_SALT))
    return Model("tiny", dit.use(dit.precision), vae, negative)
