"""On an NVIDIA card: one evaluation of the network, recorded once and played again each step, so
that the processor needn't launch its hundreds of kernels anew."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

Evaluate = Callable[[Tensor, Tensor], Tensor]
"""Returns the velocity [batch, frames, LATENT_DIM] of latents at a time [1]."""

_WARM_UPS = 2


class Recorded:
    """`evaluate` for inputs of one shape. What it returns is overwritten by the next call."""

    def __init__(self, evaluate: Evaluate, y: Tensor, time: Tensor) -> None:
        """Raises RuntimeError for what can't be recorded."""
        self._y, self._time = y.clone(), time.clone()
        # Libraries choose and prepare their kernels at first calls, which must not be recorded.
        stream = torch.cuda.Stream(y.device)  # type: ignore[no-untyped-call]  # torch's own
        stream.wait_stream(torch.cuda.current_stream(y.device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                evaluate(self._y, self._time)
        torch.cuda.current_stream(y.device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._out = evaluate(self._y, self._time)

    def __call__(self, y: Tensor, time: Tensor) -> Tensor:
        """Return the velocity."""
        self._y.copy_(y)
        self._time.copy_(time)
        self._graph.replay()
        return self._out


def recorded(evaluate: Evaluate, y: Tensor, time: Tensor) -> Evaluate:
    """Return `evaluate`, recorded where that is of use and possible."""
    if y.device.type != "cuda" or torch.version.hip:
        return evaluate
    try:
        with torch.cuda.device(y.device):
            return Recorded(evaluate, y, time)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        torch.cuda.synchronize(y.device)
        warnings.warn(f"the network can't be recorded, so it is slower: {error}", stacklevel=2)
        return evaluate
