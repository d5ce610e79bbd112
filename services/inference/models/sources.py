"""Where the bytes of a model come from: a hub, or a folder that has them already."""

from __future__ import annotations

import abc
import re
from dataclasses import dataclass
from pathlib import Path

from musicgen.artifacts import sha256_of
from musicgen.errors import ChecksumMismatch, InvalidField
from services.inference.models.cache import CHUNK_BYTES, Tick, full_disk_is_told, hash_for
from services.inference.models.model import Model, ModelFile

_COMMIT = re.compile(r"[0-9a-f]{40}")
IMPORTED = "imported"
"""Stands for the commit of files whose commit nobody knows."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that can be brought: what it must hash to, and how large it is."""

    file: ModelFile
    etag: str
    size_bytes: int
    commit: str


class Source(abc.ABC):
    """Finds files and brings them. Blocks."""

    stage: str
    """What bringing is called in progress."""

    @abc.abstractmethod
    def find(self, model: Model) -> list[Found]:
        """Find all files of a model, of one commit. Raises a StudioError."""

    @abc.abstractmethod
    def bring(self, model: Model, found: Found, part: Path, tick: Tick) -> None:
        """Bring the bytes to `part`, verified. `tick` is told of every chunk."""


class Hub(Source):
    """The model hub, or a mirror that HF_ENDPOINT names; GitHub for single files."""

    stage = "downloading"

    def __init__(self) -> None:
        # Here, since it takes a third of a second and only downloads need it.
        from services.inference.models import fetch  # noqa: PLC0415  # see above

        self._fetch = fetch
        self._remotes: dict[tuple[str, str], fetch.Remote] = {}

    def find(self, model: Model) -> list[Found]:
        """Ask the hub. Raises DownloadFailed, DownloadRefused."""
        revision, found = model.revision, []
        for file in model.files:
            remote = self._fetch.resolve(model, file, revision)
            revision = remote.commit  # a branch may move on meanwhile
            self._remotes[model.name, file.path] = remote
            found.append(Found(file, remote.etag, remote.size_bytes, remote.commit))
        return found

    def bring(self, model: Model, found: Found, part: Path, tick: Tick) -> None:
        """Download, going on where `part` ends."""
        self._fetch.fetch(model, found.file, self._remotes[model.name, found.file.path], part, tick)


class Folder(Source):
    """A folder of this machine, for those without a network. Files may lie under their paths,
    in folders named like the model or its repository, or in a hub's cache."""

    stage = "importing"

    def __init__(self, folder: Path) -> None:
        """Raises InvalidField unless it is a folder that can be read."""
        if not (folder.is_absolute() and folder.is_dir()):
            rule = "must be the absolute path of a folder on the studio's machine"
            raise InvalidField(f"folder {rule}.", fields={"folder": rule})
        self._folder = folder
        self._paths: dict[tuple[str, str], Path] = {}

    def find(self, model: Model) -> list[Found]:
        """Look for the files and hash them. Raises InvalidField if one is missing,
        ChecksumMismatch if one is not what is known of it."""
        found = []
        for file in model.files:
            path = self._locate(model, file)
            etag = sha256_of(path)
            if file.sha256 not in ("", etag):
                raise ChecksumMismatch(
                    f"{path.name} in the folder is not the file of {model.repository} "
                    "that is known.",
                    remedy="Copy the file anew, from the repository and revision of the model.",
                    metadata={"model": model.name, "files": file.path},
                )
            self._paths[model.name, file.path] = path
            commit = model.revision if model.source == "git" else _commit_of(model, path)
            found.append(Found(file, etag, path.stat().st_size, commit))
        return found

    def bring(self, model: Model, found: Found, part: Path, tick: Tick) -> None:
        """Copy; a link would change with the original."""
        hashed = hash_for(found.etag, found.size_bytes)
        source = self._paths[model.name, found.file.path]
        with full_disk_is_told(found.file.path), source.open("rb") as read, part.open("wb") as to:
            while chunk := read.read(CHUNK_BYTES):
                to.write(chunk)
                hashed.update(chunk)
                tick(len(chunk))
        if hashed.hexdigest() != found.etag:
            part.unlink()
            raise ChecksumMismatch(
                f"{found.file.path} changed while it was copied.",
                metadata={"model": model.name, "files": found.file.path},
            )

    def _locate(self, model: Model, file: ModelFile) -> Path:
        owner, name = model.repository.split("/")
        kept = self._folder / f"models--{owner}--{name}" / "snapshots"
        commits = sorted(kept.iterdir()) if kept.is_dir() else []
        # Named folders first: config.json lies in many repositories.
        places = [
            kept / model.revision,
            *commits,
            *(self._folder / folder for folder in (model.name, f"{owner}/{name}", name)),
            self._folder,
        ]
        for place in places:
            if (path := place / file.path).is_file():
                return path
        raise InvalidField(
            f"The folder has no {file.path} of {model.repository}.",
            remedy=f"Put it into {model.name}/{file.path} inside of the folder.",
            fields={"folder": f"has no {model.name}/{file.path}"},
        )


def _commit_of(model: Model, path: Path) -> str:
    """Return the commit that is pinned or that a hub's cache names; else IMPORTED."""
    if _COMMIT.fullmatch(model.revision):
        return model.revision
    named = [part for part in path.parts if _COMMIT.fullmatch(part)]
    return named[-1] if named else IMPORTED
