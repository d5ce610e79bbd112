"""In which numbers the network is computed: weights may be stored in fewer bits than that."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Precision:
    """`compute` is that of matrix products, `residual` that of what layers add to.

    `like_published` imitates the published script, which rounds the rotary frequencies and
    the times to fp16 too: for comparing with it, not for better music.
    """

    compute: torch.dtype = torch.float32
    residual: torch.dtype = torch.float32
    like_published: bool = False


FULL = Precision()
PUBLISHED = Precision(torch.float16, torch.float16, like_published=True)


class Product(nn.Module):
    """A linear layer without bias, computed in the precision of its input: weights that are
    stored in half precision are widened one layer at a time."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return [..., outputs] of [..., inputs]."""
        return functional.linear(x, self.weight.to(x.dtype))
