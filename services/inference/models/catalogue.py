"""The models that can be installed.

The studio's own are below. A JSON file can add more:

    {"models": [{"name": "mine", "display_name": "Mine", "engine": "diffrhythm",
                 "repository": "me/mine", "revision": "main", "licence": "MIT",
                 "files": [{"path": "cfm_model.pt", "size_bytes": 1, "sha256": "…"}]}]}

with the fields of services.inference.models.model.Model; `licence` is an id of `licences`, or an
object with the fields of Licence.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from musicgen.errors import ModelNotFound
from musicgen.settings import SettingsError
from services.inference.models.licences import (
    APACHE_2,
    CC_BY_NC_4,
    LICENCES,
    MIT,
    STABILITY_COMMUNITY,
    Licence,
)
from services.inference.models.model import Model, ModelFile

DIFFRHYTHM = "diffrhythm"
_PARTS = ("diffrhythm-vae", "muq-mulan-large", "diffrhythm-vocal-style")
_DEFAULTS: Mapping[str, Any] = {"steps": 31, "guidance": 4.0, "solver": "euler"}
_GB = 10**9
_CFM_BYTES = 2_219_000_000
"""1.109 billion parameters in half precision, and the pickle around them."""


def _diffrhythm(
    version: str, length: str, repository: str, revision: str, *, seconds: float, about: str
) -> Model:
    variant = f"v{version}-{length}"
    return Model(
        name=f"diffrhythm-{version}-{length}",
        display_name=f"DiffRhythm {version} {length}",
        description=f"Whole songs with vocals from lyrics and a style: {about}.",
        engine=DIFFRHYTHM,
        variant=variant,
        repository=repository,
        revision=revision,
        files=(ModelFile("cfm_model.pt"),),
        size_bytes=_CFM_BYTES,
        licence=APACHE_2,
        capabilities=("lyrics", "instrumental", "style-text", "style-audio", "edit"),
        # Half precision, one song with its activations, decoded in chunks.
        memory_bytes=int((4.5 if length == "base" else 6.0) * _GB),
        max_duration_s=seconds,
        defaults={**_DEFAULTS, "model": f"diffrhythm-{version}-{length}"},
        needs=_PARTS,
    )


BUILT_IN = (
    _diffrhythm(
        "1.2", "base", "ASLP-lab/DiffRhythm-1_2", "185bdeb80541b9260d266c5f041859017441f307",
        seconds=95.0, about="95 seconds, the newest version",
    ),
    _diffrhythm(
        "1.2", "full", "ASLP-lab/DiffRhythm-1_2-full", "main",
        seconds=285.0, about="any length from 96 to 285 seconds, the newest version",
    ),
    _diffrhythm(
        "1.0", "base", "ASLP-lab/DiffRhythm-base", "main",
        seconds=95.0, about="95 seconds, the first version",
    ),
    _diffrhythm(
        "1.0", "full", "ASLP-lab/DiffRhythm-full", "8971c6a2709d6619e9865ce8f81ee24c06ef788c",
        seconds=285.0, about="285 seconds, the first version",
    ),
    Model(
        name="diffrhythm-vae",
        display_name="DiffRhythm VAE",
        description="Turns DiffRhythm's latents into audio, and audio into latents.",
        engine=DIFFRHYTHM,
        repository="ASLP-lab/DiffRhythm-vae",
        revision="74e2afacfd91dd1b96662c96dcef763c1258768b",
        files=(
            ModelFile(
                "vae_config.json",
                sha256="56a478261e94359d51c91d627745c4a4775e85495f6d48a7c2201cdf54fb4bce",
            ),
            ModelFile(
                "vae_model.safetensors",
                sha256="1a83d2d42e4c7a86de6276183d2ad58dc0dba95785c841f8fbdeb3ef6be45812",
            ),
        ),
        size_bytes=625_000_000,
        licence=STABILITY_COMMUNITY,
        capabilities=("decode", "encode"),
        memory_bytes=700_000_000,
    ),
    Model(
        name="muq-mulan-large",
        display_name="MuQ-MuLan large",
        description="Understands a style that is given as text or as audio.",
        engine=DIFFRHYTHM,
        repository="OpenMuQ/MuQ-MuLan-large",
        revision="2e01c796b71dca71b45251384c04cd7b237c9020",
        files=(ModelFile("config.json"), ModelFile("pytorch_model.bin")),
        size_bytes=2_654_000_000,
        licence=CC_BY_NC_4,
        capabilities=("style-text", "style-audio"),
        # The larger of its two halves, and what that computes with.
        memory_bytes=1_800_000_000,
        needs=("muq-large-msd", "xlm-roberta-base"),
    ),
    Model(
        name="muq-large-msd",
        display_name="MuQ large",
        description="Sizes of the music encoder in MuQ-MuLan, which has the weights.",
        engine=DIFFRHYTHM,
        repository="OpenMuQ/MuQ-large-msd-iter",
        revision="0562a57814f6f8bbd9fdea0a25921a2fce1a841a",
        files=(ModelFile("config.json"),),
        size_bytes=3_000,
        licence=CC_BY_NC_4,
    ),
    Model(
        name="xlm-roberta-base",
        display_name="XLM-RoBERTa base",
        description="Sizes and tokens of the text encoder in MuQ-MuLan, which has the weights.",
        engine=DIFFRHYTHM,
        repository="FacebookAI/xlm-roberta-base",
        revision="e73636d4f797dec63c3081bb6ed5c7b0bb3f2089",
        files=(ModelFile("config.json"), ModelFile("tokenizer.json")),
        size_bytes=9_100_000,
        licence=MIT,
    ),
    Model(
        name="diffrhythm-vocal-style",
        display_name="DiffRhythm's negative style",
        description="The fixed style that guidance leads away from.",
        engine=DIFFRHYTHM,
        repository="ASLP-lab/DiffRhythm",
        revision="main",
        files=(
            ModelFile(
                "infer/example/vocal.npy",
                size_bytes=2_176,
                sha256="6cb7d74eb7a8eda12acb8247b21d373928301db8a8cb0db480d341799fed3ce5",
            ),
        ),
        licence=APACHE_2,
        capabilities=("negative-style",),
        source="git",
    ),
)  # fmt: skip


class Catalogue:
    """All models by name, in the order in which people see them."""

    def __init__(self, models: tuple[Model, ...] = BUILT_IN) -> None:
        """Raises ValueError for a name that is there twice, or a need that is not there."""
        self._models = {model.name: model for model in models}
        if len(self._models) < len(models):
            raise ValueError("two models have one name")
        for model in models:
            for need in model.needs:
                if need not in self._models:
                    raise ValueError(f"model {model.name} needs {need}, which is not there")
        for model in models:
            self.with_needs(model.name)  # no circles

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def get(self, name: str) -> Model:
        """Return a model. Raises ModelNotFound."""
        if model := self._models.get(name):
            return model
        available = ", ".join(self._models)
        raise ModelNotFound(
            f"There is no model called {name[:100]!r}.",
            remedy="`musicgen models` lists those that can be installed.",
            metadata={"model": name[:100], "available": available},
        )

    def with_needs(self, name: str) -> list[Model]:
        """Return all that the model needs, in the order of installing, and itself last.
        Raises ModelNotFound."""
        found: dict[str, Model] = {}

        def add(model: Model, above: tuple[str, ...]) -> None:
            if model.name in above:
                raise ValueError(f"model {model.name} needs itself")
            for need in model.needs:
                add(self._models[need], (*above, model.name))
            found.setdefault(model.name, model)

        add(self.get(name), ())
        return list(found.values())


def load_catalogue(models_file: Path | None = None) -> Catalogue:
    """Return the studio's models and those of a file. Raises SettingsError if it is wrong."""
    if models_file is None:
        return Catalogue()
    try:
        listed = json.loads(models_file.read_text(encoding="utf-8"))["models"]
        return Catalogue((*BUILT_IN, *(_from_json(entry) for entry in listed)))
    except KeyError as error:
        raise SettingsError(f"{models_file}: {error} is missing") from error
    except (OSError, TypeError, ValueError, AttributeError) as error:
        raise SettingsError(f"{models_file}: {error}") from error


def _from_json(entry: Mapping[str, Any]) -> Model:
    values = dict(entry)
    licence = values.pop("licence")
    known = {field.name for field in dataclasses.fields(Model)}
    if unknown := set(values) - known:
        raise ValueError(f"unknown fields of a model: {sorted(unknown)}")
    for name in ("capabilities", "needs"):
        values[name] = tuple(values.get(name, ()))
    return Model(
        **{
            "description": "",
            "revision": "main",
            **values,
            "files": tuple(ModelFile(**file) for file in values["files"]),
            "licence": LICENCES[licence] if isinstance(licence, str) else Licence(**licence),
        }
    )
