"""The weights of one tower out of the file that holds both.

That file has MuQ and XLM-RoBERTa, too, as they are after the training of both towers: their own
published weights are not needed. It is mapped: what a tower doesn't use is not read from disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from musicgen.errors import ModelUnusable
from services.inference.engines.diffrhythm.mulan.towers import AudioTower, TextTower
from services.inference.engines.diffrhythm.weights import assign, read

FILES = ("model.safetensors", "pytorch_model.bin")
"""The first that is there is read."""

PREFIX = "mulan."
AUDIO, TEXT = ("audio.", "audio_to_latents."), ("text.", "text_to_latents.")
_MUQ = "audio.model.model."
IDLE = (
    "contrast.",  # the loss that brought both towers together
    "multi_layer_contrastive_learning.",
    "text_layers_indices",
    "audio_layers_indices",
    "audio.aggregator.",  # another way to choose a hidden state, never taken
    f"{_MUQ}rvq.",  # the targets of MuQ's training, and what guessed them
    f"{_MUQ}quantizer_melspec_2048.",
    f"{_MUQ}linear.",
    f"{_MUQ}recon_proj.",
    f"{_MUQ}cls_token",
    f"{_MUQ}conformer.pos_conv_embed.",  # made, but rotary positions are used
    f"{_MUQ}conformer.embed_positions.",  # computed again
    "text.model.embeddings.position_ids",  # computed again
    "text.model.embeddings.token_type_ids",
    "text.model.pooler.",
)
"""Names of what no style needs begin with these."""

Tower = TypeVar("Tower", AudioTower, TextTower)


def load(tower: Tower, folder: Path) -> Tower:
    """Give a tower, which may be on the meta device, its weights in fp32. Raises ModelUnusable
    for a file with other names than the published one has."""
    path = _file(folder)
    of_other: tuple[str, ...] = TEXT if isinstance(tower, AudioTower) else AUDIO
    mine = {
        short: one.float() if one.is_floating_point() else one
        for name, one in read(path).items()
        if not (short := name.removeprefix(PREFIX)).startswith((*of_other, *IDLE))
    }
    assign(tower, mine, path.name)
    return tower


def _file(folder: Path) -> Path:
    for name in FILES:
        if (folder / name).is_file():
            return folder / name
    raise ModelUnusable(f"{folder.name} holds no weights: neither {' nor '.join(FILES)}.")
