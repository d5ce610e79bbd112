"""What of a model is in memory, from one song to the next."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from services.inference.engines.diffrhythm.checkpoints import Checkpoint, vae_config
from services.inference.engines.diffrhythm.dit import DiT
from services.inference.engines.diffrhythm.memory import forget_pages, give_back
from services.inference.engines.diffrhythm.rungs import Rung
from services.inference.engines.diffrhythm.vae.oobleck import (
    Autoencoder,
    Decoder,
    Encoder,
)
from services.inference.engines.diffrhythm.weights import assign

Tick = Callable[[], None]
"""Called again and again while weights are brought; what it raises ends that."""


class Held:
    """One network and one decoder at most."""

    def __init__(self) -> None:
        self._network: tuple[object, DiT] | None = None
        self._decoder: tuple[object, Decoder] | None = None
        self.model = ""
        """The name of the model that the network is of, "" if none is here."""

    def network(self, checkpoint: Checkpoint, rung: Rung, tick: Tick) -> DiT:
        """Return the network as the rung wants it. Raises ModelUnusable."""
        wanted = (checkpoint.name, rung.precision, rung.placement)
        if not rung.together:
            self._drop_decoder()
        if self._network and self._network[0] == wanted:
            return self._network[1]
        self._drop_network()
        with torch.device("meta"):
            dit = DiT(checkpoint.config)
        assign(dit, checkpoint.network(), checkpoint.name)

        def copied(weight: Tensor) -> None:
            forget_pages(weight)
            tick()

        dit.use(rung.precision, rung.placement, copied)
        self._network, self.model = (wanted, dit), checkpoint.name
        return dit

    def decoder(self, checkpoint: Checkpoint, rung: Rung, tick: Tick) -> Decoder:
        """Return what turns latents into audio, in fp32. Raises ModelUnusable."""
        wanted = (checkpoint.name, rung.device)
        if not rung.together:
            self._drop_network()
        if self._decoder and self._decoder[0] == wanted:
            return self._decoder[1]
        self._drop_decoder()
        decoder = _autoencoder(checkpoint, tick).decoder.to(rung.device)
        self._decoder = (wanted, decoder)
        return decoder

    def encoder(self, checkpoint: Checkpoint, rung: Rung, tick: Tick) -> Encoder:
        """Return what turns audio into latents, in fp32. It is needed once a song, and not
        kept. Raises ModelUnusable."""
        if not rung.together:
            self.drop()
        return _autoencoder(checkpoint, tick).encoder.to(rung.device)

    def bytes_on(self, device: torch.device) -> int:
        """Return what is taken of a device's memory, and would be given back for something
        else; weights that stay in their file take none."""
        modules = [
            one for _, one in filter(None, (self._network, self._decoder))
            if not getattr(one, "offloads", False)
        ]  # fmt: skip
        parameters = (weight for module in modules for weight in module.parameters())
        return sum(one.nbytes for one in parameters if one.device.type == device.type)

    def drop(self) -> None:
        """Give all memory back."""
        self._drop_network()
        self._drop_decoder()
        give_back()

    def _drop_network(self) -> None:
        if self._network:
            self._network, self.model = None, ""
            give_back()

    def _drop_decoder(self) -> None:
        if self._decoder:
            self._decoder = None
            give_back()


def _autoencoder(checkpoint: Checkpoint, tick: Tick) -> Autoencoder:
    tensors = checkpoint.autoencoder()
    tick()
    with torch.device("meta"):
        vae = Autoencoder(vae_config(tensors))
    assign(vae, tensors, checkpoint.name)
    return vae
