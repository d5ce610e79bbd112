"""One named random stream per layer, so that changing one layer leaves the others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

T = TypeVar("T")


LAYERS: dict[str, str] = {
    "plan": "tempo, key, metre, swing, instruments and patterns that nobody asked for",
    "harmony": "the chords and their changes",
    "form": "who plays in which section, drop-outs",
    "drums": "the drums' notes and touch",
    "bass": "the bass's notes and touch",
    "chords": "the chords' rhythm and touch",
    "pad": "the pad's notes and touch",
    "arp": "the arpeggio's figure and touch",
    "lead": "the melody and its touch",
    "sound": "the grain of the synthesised sounds",
    "room": "the reverb's noise",
    "texture": "rain, vinyl and the like",
    "title": "the title",
}
"""Layer → what its random stream decides. The first word of a stream's name is its layer."""


@dataclass(frozen=True, slots=True)
class Streams:
    """The root of all randomness of one piece.

    `words` are the prompt's, or what stands for them in a plan. `seeds` gives single layers
    seeds of their own.
    """

    seed: int
    words: str
    seeds: Mapping[str, int] = field(default_factory=dict)

    def layer(self, layer: object, *name: object) -> np.random.Generator:
        """Return a fresh generator for a stream of a layer, always the same one."""
        seed = self.seeds.get(str(layer), self.seed)
        words = " ".join(self.words.split())
        text = "|".join([str(seed), words, str(layer), *map(str, name)])
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def digest_of(prompt: str) -> str:
    """Return what stands for a prompt's words in a plan: 16 hexadecimal digits."""
    words = " ".join(prompt.split())
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=8).hexdigest()


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
