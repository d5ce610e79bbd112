"""The text network: XLM-RoBERTa, tokens of a hundred languages as vectors that tell what is meant.

Every token takes from all others; there is one text at a time, so that nothing is hidden.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.engines.diffrhythm.mulan.config import RobertaConfig


class Table(nn.Module):
    """A vector for each number, as nn.Embedding; but that draws random numbers, for which torch
    on the meta device imports its compiler: two seconds."""

    def __init__(self, rows: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, dim))

    def forward(self, numbers: Tensor) -> Tensor:
        """Return [count, dim] of numbers [count]."""
        return functional.embedding(numbers, self.weight)


class Embeddings(nn.Module):
    """A vector for each token, and one for where it is."""

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__()
        self.word_embeddings = Table(config.vocabulary, config.dim)
        self.position_embeddings = Table(config.positions, config.dim)
        self.token_type_embeddings = Table(1, config.dim)
        self.LayerNorm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self._pad_token = config.pad_token

    def forward(self, tokens: Tensor) -> Tensor:
        """Return [count, dim] of tokens [count]. A pad token, which only somebody who spells it
        out can have, stands nowhere and is not counted."""
        real = (tokens != self._pad_token).long()
        positions = self._pad_token + real.cumsum(0) * real
        out: Tensor = self.LayerNorm(
            self.word_embeddings(tokens)
            + self.token_type_embeddings.weight[0]
            + self.position_embeddings(positions)
        )
        return out


class Residual(nn.Module):
    """A product that is added to what it was made from, and normalised with it."""

    def __init__(self, dim_in: int, config: RobertaConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(dim_in, config.dim)
        self.LayerNorm = nn.LayerNorm(config.dim, eps=config.norm_eps)

    def forward(self, made: Tensor, x: Tensor) -> Tensor:
        """Return [count, dim]."""
        out: Tensor = self.LayerNorm(self.dense(made) + x)
        return out


class Products(nn.Module):
    """What attention compares and mixes."""

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__()
        self.query = nn.Linear(config.dim, config.dim)
        self.key = nn.Linear(config.dim, config.dim)
        self.value = nn.Linear(config.dim, config.dim)
        self._heads = config.heads

    def forward(self, x: Tensor) -> Tensor:
        """Return what each of [count, dim] takes from the others."""
        q, k, v = (
            product(x).view(1, len(x), self._heads, -1).transpose(1, 2)
            for product in (self.query, self.key, self.value)
        )  # [1, heads, count, head_dim]
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return mixed.transpose(1, 2).flatten(2)[0]


class Layer(nn.Module):
    """Attention, then a feed-forward. The dictionaries have the checkpoint's names."""

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__()
        parts = {"self": Products(config), "output": Residual(config.dim, config)}
        self.attention = nn.ModuleDict(parts)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(config.dim, config.ff_dim)})
        self.output = Residual(config.ff_dim, config)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape, [count, dim]."""
        x = self.attention["output"](self.attention["self"](x), x)
        out: Tensor = self.output(functional.gelu(self.intermediate["dense"](x)), x)
        return out


class Roberta(nn.Module):
    """The network, without its pooler, which nothing asks."""

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        layers = nn.Sequential(*(Layer(config) for _ in range(config.depth)))
        self.encoder = nn.ModuleDict({"layer": layers})

    def forward(self, tokens: Tensor) -> Tensor:
        """Return [count, dim] of tokens [count]."""
        out: Tensor = self.encoder["layer"](self.embeddings(tokens))
        return out
