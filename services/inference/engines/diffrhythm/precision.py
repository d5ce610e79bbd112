"""In which numbers the network is computed, and where and in which its weights are kept."""

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


PROCESSOR = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where weights are. `stored` is what those of products are kept in, None as they are in
    the file; with `offload` they also stay where the file is mapped. Nine in ten bytes are of
    products; all else is on the device, in the precision of the computation."""

    device: torch.device = PROCESSOR
    stored: torch.dtype | None = None
    offload: bool = False


AS_READ = Placement()


class Product(nn.Module):
    """A linear layer without bias, computed where and in what its input is: weights that are
    stored elsewhere, or in fewer bits, are brought one product at a time."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))

    def matrix(self, x: Tensor) -> Tensor:
        """Return the weight [outputs, inputs] as a product with x takes it."""
        return self.weight.to(x.device, x.dtype, non_blocking=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return [..., outputs] of [..., inputs]."""
        return functional.linear(x, self.matrix(x))
