"""The music network's layers: attention between two halves of a feed-forward, and a convolution.

Rotary positions turn what goes into the products for queries and keys, not what comes out.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from services.inference.engines.diffrhythm.layer import Rotary
from services.inference.engines.diffrhythm.mulan.config import MuqConfig
from services.inference.engines.diffrhythm.precision import FULL


class FeedForward(nn.Module):
    """Widens, SiLU, narrows: each frame by itself."""

    def __init__(self, dim: int, ff_dim: int) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(dim, ff_dim)
        self.output_dense = nn.Linear(ff_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape, [frames, dim]."""
        out: Tensor = self.output_dense(functional.silu(self.intermediate_dense(x)))
        return out


class Attention(nn.Module):
    """Each frame takes from all frames."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.linear_q = nn.Linear(dim, dim)
        self.linear_k = nn.Linear(dim, dim)
        self.linear_v = nn.Linear(dim, dim)
        self.linear_out = nn.Linear(dim, dim)
        self._heads = heads

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Return the same shape, [frames, dim]."""
        turned = self._joined(rotary.turn(self._parted(x)))
        mixed = functional.scaled_dot_product_attention(
            self._parted(self.linear_q(turned)),
            self._parted(self.linear_k(turned)),
            self._parted(self.linear_v(x)),
        )
        out: Tensor = self.linear_out(self._joined(mixed))
        return out

    def _parted(self, x: Tensor) -> Tensor:
        """[frames, dim] as [1, heads, frames, head_dim]."""
        return x.view(1, len(x), self._heads, -1).transpose(1, 2)

    def _joined(self, x: Tensor) -> Tensor:
        """[1, heads, frames, head_dim] as [frames, dim]."""
        return x.transpose(1, 2).flatten(2).squeeze(0)


class Convolution(nn.Module):
    """Each feature takes from the frames nearby; a gate before, a norm of fixed numbers after."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(dim)
        self.pointwise_conv1 = nn.Conv1d(dim, 2 * dim, 1, bias=False)
        self.depthwise_conv = nn.Conv1d(
            dim, dim, kernel, padding=(kernel - 1) // 2, groups=dim, bias=False
        )
        self.batch_norm = nn.BatchNorm1d(dim)
        self.pointwise_conv2 = nn.Conv1d(dim, dim, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape, [frames, dim]."""
        h = self.layer_norm(x).T[None]  # [1, dim, frames]
        h = functional.glu(self.pointwise_conv1(h), dim=1)
        h = functional.silu(self.batch_norm(self.depthwise_conv(h)))
        out: Tensor = self.pointwise_conv2(h)[0].T
        return out


class Layer(nn.Module):
    """One layer. Names are those of the checkpoint."""

    def __init__(self, config: MuqConfig) -> None:
        super().__init__()
        dim = config.dim
        self.ffn1_layer_norm = nn.LayerNorm(dim)
        self.ffn1 = FeedForward(dim, config.ff_dim)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.self_attn = Attention(dim, config.heads)
        self.conv_module = Convolution(dim, config.kernel)
        self.ffn2_layer_norm = nn.LayerNorm(dim)
        self.ffn2 = FeedForward(dim, config.ff_dim)
        self.final_layer_norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Return the same shape, [frames, dim]."""
        x = x + self.ffn1(self.ffn1_layer_norm(x)) / 2
        x = x + self.self_attn(self.self_attn_layer_norm(x), rotary)
        x = x + self.conv_module(x)
        out: Tensor = self.final_layer_norm(x + self.ffn2(self.ffn2_layer_norm(x)) / 2)
        return out


class Conformer(nn.Module):
    """All layers, as far as they are asked for."""

    def __init__(self, config: MuqConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        self.layer_norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self._config = config

    def forward(self, x: Tensor) -> Tensor:
        """Return the hidden state that the configuration names, [frames, dim]."""
        config = self._config
        rotary = Rotary(len(x), config.dim // config.heads, FULL, x.device)
        for layer in self.layers[: config.state]:
            x = layer(x, rotary)
        return self.layer_norm(x) if config.state == config.depth else x
