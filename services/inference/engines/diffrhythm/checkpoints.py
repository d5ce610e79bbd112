"""Which models there are to sing with, and where their parts come from."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from musicgen.engine.base import Parameters
from musicgen.errors import InvalidField, ModelNotInstalled, ModelUnusable
from services.inference.engines.diffrhythm import synthetic
from services.inference.engines.diffrhythm.config import (
    SAMPLE_RATE_HZ,
    SAMPLES_PER_LATENT,
    TINY,
    TINY_VAE,
    VARIANTS,
    DiTConfig,
    VaeConfig,
)
from services.inference.engines.diffrhythm.dit import DiT
from services.inference.engines.diffrhythm.style import (
    Style,
    StyleCache,
    load_style,
    middle_clip,
    synthetic_style,
    validated,
)
from services.inference.engines.diffrhythm.vae.oobleck import Autoencoder
from services.inference.engines.diffrhythm.weights import DIT_PREFIX, Tensors, folded, read
from services.inference.models import locate
from services.inference.models.manager import ModelManager
from services.inference.models.model import Model

TINY_VARIANT = "tiny"
TINY_SALT = "tiny:"
FULL_MIN_FRAMES = -(-96 * SAMPLE_RATE_HZ // SAMPLES_PER_LATENT)
"""Shorter songs were not among those that the full model learnt from."""


class Checkpoint(abc.ABC):
    """A model: names of its parts are those of the published files."""

    name: str
    config: DiTConfig

    @abc.abstractmethod
    def network(self) -> Tensors:
        """Return the network's tensors. Raises ModelUnusable."""

    @abc.abstractmethod
    def autoencoder(self) -> Tensors:
        """Return the autoencoder's tensors, weight norms folded, in fp32. Raises
        ModelUnusable."""

    @abc.abstractmethod
    def negative_style(self) -> Style:
        """Return what guidance leads away from."""

    @abc.abstractmethod
    def style(self, parameters: Parameters) -> Style:
        """Return the style of the prompt, or of the music that is given instead."""

    def revisions(self) -> Mapping[str, str]:
        """Return which version each part is, for the recipe."""
        return {}

    @property
    def max_duration_s(self) -> float:
        """The longest song, in seconds."""
        return float(int(self.config.max_frames * SAMPLES_PER_LATENT / SAMPLE_RATE_HZ))

    def run_frames(self, frames: int) -> int:
        """Return how many frames to refine for a song of `frames`: models are at their best at
        lengths that they learnt from, and what is too much is cut off."""
        if self.config.knows_duration:
            return max(frames, FULL_MIN_FRAMES)
        return self.config.max_frames

    def style_for(self, parameters: Parameters) -> Tensor:
        """Return the style to sing in, [1, STYLE_DIM]. Raises InvalidField, InvalidAudio,
        InvalidPrompt, ModelNotInstalled."""
        given = parameters.options.get("style")
        if given is not None:
            style = validated(np.array(given, np.float32), "parameters.options.style")
        else:
            style = self.style(parameters)
        return torch.from_numpy(style)


class TinyCheckpoint(Checkpoint):
    """The model whose weights are made from their names, in a second or two."""

    name = TINY_VARIANT
    config = TINY

    def run_frames(self, frames: int) -> int:
        """Any number is as good as another."""
        return frames

    def network(self) -> Tensors:
        """Make them."""
        with torch.device("meta"):
            shapes = {name: tuple(one.shape) for name, one in DiT(TINY).state_dict().items()}
        return dict(synthetic.tensors(shapes, TINY_SALT))

    def autoencoder(self) -> Tensors:
        """Make them."""
        with torch.device("meta"):
            vae = Autoencoder(TINY_VAE)
        return folded(synthetic.with_norms(vae, TINY_SALT))

    def negative_style(self) -> Style:
        """Any will do."""
        return synthetic_style("negative", TINY_SALT)

    def style(self, parameters: Parameters) -> Style:
        """Another for each prompt, and for each piece of music."""
        if parameters.style_audio:
            clip = middle_clip(parameters.style_audio)
            return synthetic_style(hashlib.sha256(clip.tobytes()).hexdigest(), TINY_SALT)
        return synthetic_style(parameters.prompt, TINY_SALT)


@dataclasses.dataclass(frozen=True)
class InstalledCheckpoint(Checkpoint):
    """A model of the studio's catalogue whose files are on the disk."""

    name: str
    config: DiTConfig
    files: Path
    autoencoder_files: Path
    negative_file: Path
    style_folders: Sequence[Path]
    """Of MuQ-MuLan, and of what it needs."""
    styles: Path
    any_length: bool = False

    def run_frames(self, frames: int) -> int:
        """See Checkpoint."""
        return frames if self.any_length else super().run_frames(frames)

    def network(self) -> Tensors:
        """Read them; they are mapped."""
        tensors = read(_one_of(self.files, "cfm_model.safetensors", "cfm_model.pt"))
        return {name.removeprefix(DIT_PREFIX): one for name, one in tensors.items()}

    def autoencoder(self) -> Tensors:
        """Read them."""
        path = _one_of(self.autoencoder_files, "vae_model.safetensors", "vae_model.pt")
        return {name: one.float() for name, one in folded(read(path)).items()}

    def revisions(self) -> Mapping[str, str]:
        """Return the commits of the files."""
        return {
            "network": self.files.name,
            "autoencoder": self.autoencoder_files.name,
            "style": self.style_folders[0].name,
        }

    def negative_style(self) -> Style:
        """Read it."""
        return load_style(self.negative_file)

    def style(self, parameters: Parameters) -> Style:
        """Ask MuQ-MuLan, unless it was asked the same before."""
        from services.inference.engines.diffrhythm.mulan import MuqMulan  # noqa: PLC0415  # seldom

        cache, encoder = StyleCache(self.styles), MuqMulan.from_folders(*self.style_folders)
        if parameters.style_audio:
            return cache.of_audio(parameters.style_audio, encoder.name, lambda: encoder)
        return cache.of_text(parameters.prompt, encoder.name, lambda: encoder)


def installed(engine: str) -> list[Checkpoint]:
    """Return the models of an engine that are on the disk, in the catalogue's order; none
    outside a studio. Raises SettingsError for a catalogue that can't be read."""
    if not locate.in_studio():
        return []
    manager = locate.manager()
    found: list[Checkpoint] = []
    for model in manager.catalogue:
        if model.engine != engine or not model.variant:
            continue
        try:
            found.append(_checkpoint(manager, model))
        except ModelNotInstalled:
            continue
    return found


def choose(
    checkpoints: Sequence[Checkpoint], wanted: str, duration_s: float, loaded: Sequence[str]
) -> Checkpoint:
    """Return the model that is asked for, or of those that can sing so long the one that is
    loaded, or the first. Raises ModelNotInstalled, InvalidField."""
    named = [one for one in checkpoints if one.name == wanted] if wanted else checkpoints
    if not named:
        raise ModelNotInstalled(
            f"The model {wanted[:100]!r} is not installed here."
            if wanted
            else "No model is installed that could sing this.",
            remedy="`musicgen models` lists the models, and how they are installed.",
            metadata={"model": wanted[:100]},
            fields={"parameters.options.model": "is not installed"} if wanted else {},
        )
    able = [one for one in named if duration_s <= one.max_duration_s + 0.1]
    if not able:
        longest = max(one.max_duration_s for one in named)
        names = ", ".join(one.name for one in named)
        raise InvalidField(
            f"{duration_s:g} s is too long for {names}, which can make {longest:g} s.",
            remedy="Ask for less, or install a model for longer songs.",
            fields={"parameters.duration_seconds": f"must be {longest:g} or less"},
        )
    return next((one for one in able if one.name in loaded), able[0])


def frames_of(duration_s: float) -> int:
    """Return how many latents hold a song."""
    return -(-round(duration_s * SAMPLE_RATE_HZ) // SAMPLES_PER_LATENT)


def sizes_for(
    checkpoints: Sequence[Checkpoint], wanted: str, duration_s: float, loaded: Sequence[str]
) -> tuple[int, int]:
    """Return (frames refined, frames at most) of the model that would sing; if none is there
    yet, of one that could."""
    frames = frames_of(duration_s)
    try:
        chosen = choose(checkpoints, wanted, duration_s, loaded)
    except ModelNotInstalled:
        base, full = VARIANTS["v1.2-base"].max_frames, VARIANTS["v1.2-full"].max_frames
        return (base, base) if frames <= base else (max(frames, FULL_MIN_FRAMES), full)
    return chosen.run_frames(frames), chosen.config.max_frames


def vae_config(tensors: Tensors) -> VaeConfig:
    """Return the sizes of an autoencoder by its tensors: strides and multiples are the same in
    all that are published. Raises ModelUnusable."""
    last = tensors.get("decoder.layers.6.alpha")
    if last is None or last.dim() != 1:
        raise ModelUnusable("The file is no autoencoder of DiffRhythm.")
    return VaeConfig(channels=last.shape[0])


def _checkpoint(manager: ModelManager, model: Model) -> InstalledCheckpoint:
    """Raises ModelNotInstalled."""
    files = manager.folder(model.name)
    needs = manager.catalogue.with_needs(model.name)[:-1]
    config = TINY if model.variant == TINY_VARIANT else VARIANTS.get(model.variant)
    if config is None:
        raise ModelNotInstalled(f"{model.name} is of a variant that is not known here.")

    def able_to(capability: str) -> list[Model]:
        return [need for need in needs if capability in need.capabilities]

    try:
        (autoencoder,), (negative,) = able_to("decode"), able_to("negative-style")
        (encoder,) = able_to("style-text")
    except ValueError as error:
        raise ModelNotInstalled(f"{model.name} lacks a part in the catalogue.") from error
    parts = [encoder, *(m for m in needs if m.name in encoder.needs)]
    return InstalledCheckpoint(
        model.name,
        config,
        files,
        manager.folder(autoencoder.name),
        manager.folder(negative.name) / negative.files[0].path,
        [manager.folder(part.name) for part in parts],
        manager.root / "styles",
        any_length=model.variant == TINY_VARIANT,
    )


def _one_of(folder: Path, *names: str) -> Path:
    """Return the first of these files that is there."""
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise ModelUnusable(f"{folder.name} has none of {', '.join(names)}.")
