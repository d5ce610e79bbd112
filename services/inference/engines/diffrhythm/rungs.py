"""Ways to make a song in less and less memory, and which of them to begin with.

full      all in memory, in the numbers that it is computed in
chunked   audio is decoded in shorter stretches
in-turn   the network makes room for the autoencoder
half      weights are kept in half precision, and widened when they are needed
offload   weights stay in their file, or in the processor's memory, until they are needed
cpu       a card is left alone
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from musicgen.engine.devices import Device
from musicgen.errors import InvalidField
from services.inference.engines.diffrhythm.config import SAMPLES_PER_LATENT, DiTConfig
from services.inference.engines.diffrhythm.precision import (
    FULL,
    PROCESSOR,
    Placement,
    Precision,
)

Choice = Literal["auto", "full", "half"]

_NETWORK_BYTES_A_FRAME = 512 * 1024
"""Of a network 2,048 wide, measured; what is between products, and what is kept of the words."""
_ALIVE = 3
"""Activations of the autoencoder that are alive at once."""
_PARAMETERS_OF_VAE = 156_000_000
_SPARE = 0.9
"""Of the memory that is there, how much is counted on."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A way to make a song: in which numbers, where the weights are, in stretches of how many
    frames audio is decoded, and whether network and autoencoder are in memory together."""

    name: str
    precision: Precision
    placement: Placement
    stretch_frames: int
    together: bool

    @property
    def device(self) -> torch.device:
        """Where it is computed."""
        return self.placement.device

    def need_bytes(self, config: DiTConfig, parameters: int, frames: int) -> int:
        """Return about what it takes on its device, for a network with so many parameters."""
        stored = self.placement.stored or torch.float16
        weights = 0.05 if self.placement.offload else 1.0
        network = weights * parameters * stored.itemsize
        network += frames * _NETWORK_BYTES_A_FRAME * config.dim / 2_048
        stretch = self.stretch_frames * SAMPLES_PER_LATENT * 128 * 4 * _ALIVE
        autoencoder = (4 * _PARAMETERS_OF_VAE + stretch) * min(1.0, config.dim / 2_048)
        return int(network + autoencoder if self.together else max(network, autoencoder))


def precision_for(device: Device, choice: Choice) -> Precision:
    """Return the numbers to compute in. Raises InvalidField for half precision on hardware that
    computes it more slowly than full."""
    if choice == "full" or (choice == "auto" and device.half == "none"):
        return FULL
    if device.half == "none":
        raise InvalidField(
            f"{device.name} computes half precision several times more slowly than full.",
            remedy='Leave "precision" at "auto".',
            fields={"parameters.options.precision": "is of no use on this device"},
        )
    # Of the two, fp16 is nearer to the fp32 result; processors have bf16 only.
    on_processor = device.kind == "cpu" and device.half == "bf16"
    return Precision(torch.bfloat16 if on_processor else torch.float16, torch.float32)


def ladder(device: Device, choice: Choice) -> Sequence[Rung]:
    """Return the ways on this device, the one that takes most memory first. Raises
    InvalidField."""
    place = torch.device(device.torch_name)
    on_card = device.kind != "cpu"
    precision = precision_for(device, choice)
    wide = Placement(place, precision.compute)
    long, short = (256, 64) if on_card else (64, 16)
    rungs = [
        Rung("full", precision, wide, long, True),
        Rung("chunked", precision, wide, short, True),
        Rung("in-turn", precision, wide, short, False),
    ]
    if precision == FULL:
        stored = Placement(place, torch.float16)
        rungs.append(Rung("half", precision, stored, short, False))
    rungs.append(Rung("offload", precision, Placement(place, offload=True), short, False))
    if on_card:
        rungs.append(Rung("cpu", FULL, Placement(PROCESSOR, offload=True), short, False))
    return rungs


def first_that_fits(
    rungs: Sequence[Rung],
    config: DiTConfig,
    parameters: int,
    frames: int,
    available: int,
) -> int:
    """Return the index of the rung to begin with: the first whose need is there, or else the
    last on the same device. `available` bytes; 0: not known, then the first."""
    here = [rung for rung in rungs if rung.device == rungs[0].device]
    for index, rung in enumerate(here):
        if not available or rung.need_bytes(config, parameters, frames) <= _SPARE * available:
            return index
    return len(here) - 1
