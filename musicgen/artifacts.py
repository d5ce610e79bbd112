"""The artifact store: immutable files under one root, written atomically.

Keys are relative, made of ids and fixed words only, never of user text:

    artifacts/<job>/<fence>/<name>    output of one claim of a job
    artifacts/<job>/stages/<sha256>   what another attempt at a job can go on from
    library/<track>/<name>            the library's tracks
    uploads/<upload>                  finished uploads
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from musicgen.errors import ArtifactNotFound, DiskFull, InvalidField

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_CHUNK_BYTES = 1 << 20

PREVIEW_PREFIX = "preview-"
"""Begins the names of previews, which are of no use when their job has ended."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the store. `sha256` is lower-case hexadecimal."""

    key: str
    sha256: str
    size_bytes: int


class ArtifactStore:
    """A folder. All paths come from here, so that no key can lead out of it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def path(self, key: str) -> Path:
        """Return the absolute path of `key`. Raises InvalidField for a key that isn't one."""
        segments = key.split("/")
        if len(key) > 512 or not all(_SEGMENT.fullmatch(segment) for segment in segments):
            raise InvalidField(
                f"{key[:100]!r} is no artifact key.", fields={"key": "not an artifact key"}
            )
        return self.root.joinpath(*segments)

    def existing(self, key: str) -> Path:
        """Return the path of a file that is there. Raises ArtifactNotFound."""
        path = self.path(key)
        if not path.is_file():
            raise ArtifactNotFound(f"There is no artifact {key}.", metadata={"key": key})
        return path

    @staticmethod
    def job_prefix(job_id: str, fence: int) -> str:
        """Return the key prefix that belongs to one claim of a job."""
        return f"artifacts/{job_id}/{fence}"

    @staticmethod
    def stages_prefix(job_id: str) -> str:
        """Return the key prefix of a job's checkpoints, of all its claims."""
        return f"artifacts/{job_id}/stages"

    @contextlib.contextmanager
    def writing(self, key: str) -> Iterator[Path]:
        """Give a temporary path; on success make it durable and visible as `key`.

        Nothing is left behind if the body raises. A full disk raises DiskFull.
        """
        target = self.path(key)
        temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            publish(temporary, target)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(f"No space is left to write {key}.") from error
            raise
        finally:
            temporary.unlink(missing_ok=True)

    def stat(self, key: str) -> StoredFile:
        """Hash and measure a stored file (reads all of it)."""
        path = self.existing(key)
        return StoredFile(key, sha256_of(path), path.stat().st_size)

    def remove_prefix(self, prefix: str) -> None:
        """Remove everything under `prefix`; fine if nothing is there."""
        shutil.rmtree(self.path(prefix), ignore_errors=True)


def publish(temporary: Path, target: Path) -> None:
    """Make `temporary` durable, then give it its final name atomically."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path, tick: Callable[[int], None] | None = None) -> str:
    """Return the lower-case hexadecimal SHA-256 of a file.

    `tick` is told how many bytes each chunk had; what it raises ends the reading.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            if tick:
                tick(len(chunk))
    return digest.hexdigest()
