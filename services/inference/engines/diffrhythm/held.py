"""What of a model is in memory, from one song to the next."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from services.inference.engines.diffrhythm.checkpoints import Checkpoint, vae_config
from services.inference.engines.diffrhythm.dit import DiT
from services.inference.engines.diffrhythm.memory import forget_pages, give_back
from services.inference.engines.diffrhythm.rungs import Rung
from services.inference.engines.diffrhythm.vae.oobleck import Autoencoder
from services.inference.engines.diffrhythm.weights import assign

Tick = Callable[[], None]
"""Called again and again while weights are brought; what it raises ends that."""


class Held:
    """One network and one autoencoder at most."""

    def __init__(self) -> None:
        self._network: tuple[object, DiT] | None = None
        self._autoencoder: tuple[object, Autoencoder] | None = None
        self.model = ""
        """The name of the model that the network is of, "" if none is here."""
        self.rung = ""
        """The name of the rung that the network was brought for."""

    def network(self, checkpoint: Checkpoint, rung: Rung, tick: Tick) -> DiT:
        """Return the network as the rung wants it. Raises ModelUnusable."""
        wanted = (checkpoint.name, rung.precision, rung.placement)
        if not rung.together:
            self._drop_autoencoder()
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
        self._network, self.model, self.rung = (wanted, dit), checkpoint.name, rung.name
        return dit

    def autoencoder(self, checkpoint: Checkpoint, rung: Rung, tick: Tick) -> Autoencoder:
        """Return the autoencoder, in fp32. Raises ModelUnusable."""
        wanted = (checkpoint.name, rung.device)
        if not rung.together:
            self._drop_network()
        if self._autoencoder and self._autoencoder[0] == wanted:
            return self._autoencoder[1]
        self._drop_autoencoder()
        tensors = checkpoint.autoencoder()
        tick()
        with torch.device("meta"):
            vae = Autoencoder(vae_config(tensors))
        assign(vae, tensors, checkpoint.name)
        vae.to(rung.device)
        self._autoencoder = (wanted, vae)
        return vae

    def drop(self) -> None:
        """Give all memory back."""
        self._drop_network()
        self._drop_autoencoder()
        give_back()

    def _drop_network(self) -> None:
        if self._network:
            self._network, self.model, self.rung = None, "", ""
            give_back()

    def _drop_autoencoder(self) -> None:
        if self._autoencoder:
            self._autoencoder = None
            give_back()
