"""What is installed: a small JSON file for each model, written when all of it is there."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

from musicgen.artifacts import publish
from services.inference.models.model import Model


@dataclass(frozen=True, slots=True)
class Placed:
    """A file as it was installed. `etag` is what its bytes hash to."""

    path: str
    etag: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Record:
    """An installed model. `revision` is what the catalogue asked for, `commit` what that was."""

    repository: str
    revision: str
    commit: str
    files: tuple[Placed, ...]

    def is_of(self, model: Model) -> bool:
        """Whether this is what the catalogue means by the model now."""
        paths = {file.path for file in self.files}
        return (
            (self.repository, self.revision) == (model.repository, model.revision)
            and all(file.path in paths for file in model.files)
        )  # fmt: skip


class Records:
    """All of them, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> Record | None:
        """Return what is installed under a name; a record that can't be read is none."""
        try:
            said = json.loads(self._path(name).read_text(encoding="utf-8"))
            return Record(
                str(said["repository"]),
                str(said["revision"]),
                str(said["commit"]),
                tuple(Placed(**file) for file in said["files"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, name: str, record: Record) -> None:
        """Say that a model is installed; durable and atomic."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(name)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            temporary.write_text(json.dumps(dataclasses.asdict(record), indent=1), encoding="utf-8")
            publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Say that a model is not installed."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
