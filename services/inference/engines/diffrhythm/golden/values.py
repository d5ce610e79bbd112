"""What a golden file holds, and how near is near enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from services.inference.engines.diffrhythm.dit import Conditions

PIECE, RESULT, HALF = 1e-4, 5e-4, 5e-2
"""Largest errors allowed: of pieces in fp32, of velocities and finals, and of anything in fp16."""

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One array: the largest absolute error, and what is allowed."""

    file: str
    array: str
    error: float
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether it is near enough; NaN is not."""
        return self.error <= self.allowed


class Given:
    """The inputs of a file, in the precision that the network is given them in."""

    def __init__(self, arrays: Arrays, dtype: torch.dtype) -> None:
        self._arrays, self._dtype = arrays, dtype

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def get(self, name: str) -> Tensor:
        """Return an array; integers stay integers."""
        one = torch.from_numpy(np.atleast_1d(self._arrays[name]))
        return one.to(self._dtype) if one.is_floating_point() else one

    def segments(self) -> list[tuple[int, int]]:
        """Return what an edit makes anew."""
        return [(int(start), int(end)) for start, end in self._arrays["edit_segments"]]

    def conditions(self, latents: Tensor) -> Conditions:
        """Return what is asked for."""
        start, duration = self.get("in_start_time"), self.get("in_duration")
        return Conditions(self.get("in_text"), self.get("in_style"), latents, start, duration)


def difference(value: Tensor, expected: npt.NDArray[Any]) -> float:
    """Return the largest absolute error; infinity where the shapes differ. Of some arrays only
    every so manieth frame is kept."""
    found = value.detach().double().numpy()
    wanted = np.asarray(expected, np.float64)
    if found.ndim == 3 and wanted.ndim == 3 and 1 < wanted.shape[1] < found.shape[1]:
        found = found[:, :: found.shape[1] // wanted.shape[1]]
    if found.shape != wanted.shape:
        return float("inf")
    return float(np.abs(found - wanted).max(initial=0.0))
