"""What a model is, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from services.inference.models.licences import Licence

Source = Literal["hub", "git"]
"""A repository of a model hub, or one of GitHub, of which single files are fetched."""

_NAME = re.compile(r"[a-z][a-z0-9.-]{0,63}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a repository. `size_bytes` 0 and `sha256` "" mean that the hub is to say.
    Raises ValueError for a path that leads out of its folder, or a hash that is none."""

    path: str
    size_bytes: int = 0
    sha256: str = ""

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.path).parts
        plain = bool(parts) and parts[0] != "/" and not {"..", "."} & set(self.path.split("/"))
        if not plain or "\\" in self.path or str(PurePosixPath(self.path)) != self.path:
            raise ValueError(f"{self.path!r} is no path inside a repository")
        if self.sha256 and not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"{self.sha256!r} is no SHA-256")
        if self.size_bytes < 0:
            raise ValueError("size_bytes must not be negative")


@dataclass(frozen=True, slots=True)
class Model:
    """Weights that can be installed.

    `revision` is a commit, or a branch whose commit is looked up and kept when the model is
    installed. `size_bytes` is about, for files whose size isn't known before. `needs` are
    names of models that are installed with it. `variant` is what the engine calls it, "" for
    a part that is not chosen by itself. Raises ValueError for what can't be a model.
    """

    name: str
    display_name: str
    description: str
    engine: str
    repository: str
    revision: str
    files: tuple[ModelFile, ...]
    licence: Licence
    size_bytes: int = 0
    variant: str = ""
    capabilities: tuple[str, ...] = ()
    memory_bytes: int = 0
    max_duration_s: float = 0.0
    defaults: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    source: Source = "hub"

    def __post_init__(self) -> None:
        for rule, value, what in (
            (_NAME, self.name, "name"),
            (_REPOSITORY, self.repository, "repository"),
            (_REVISION, self.revision, "revision"),
        ):
            if not rule.fullmatch(value):
                raise ValueError(f"{value!r} can't be a model's {what}")
        if not self.files:
            raise ValueError(f"model {self.name} has no files")
        if self.source not in ("hub", "git"):
            raise ValueError(f"{self.source!r} is no source of models")
        if self.source == "git" and not all(file.sha256 for file in self.files):
            raise ValueError(f"model {self.name}: only a hub says what a file hashes to")

    @property
    def about_bytes(self) -> int:
        """Bytes to fetch, as far as they are known before."""
        return self.size_bytes or sum(file.size_bytes for file in self.files)
