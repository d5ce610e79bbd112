"""One named random stream per layer, so that changing one layer leaves the others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Streams:
    """The root of all randomness of one piece."""

    seed: int
    prompt: str

    def layer(self, *name: object) -> np.random.Generator:
        """Return a fresh generator for the layer called `name`, always the same one."""
        words = " ".join(self.prompt.split())
        text = "|".join([str(self.seed), words, *map(str, name)])
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """Choose one item, all alike."""
    return items[int(rng.integers(len(items)))]


def weighted(rng: np.random.Generator, weights: Mapping[T, float]) -> T:
    """Choose a key with a chance proportional to its weight."""
    mark = rng.random() * sum(weights.values())
    items = list(weights)
    for item in items[:-1]:
        mark -= weights[item]
        if mark < 0:
            return item
    return items[-1]
