"""The files of one repository on the disk, laid out as huggingface_hub lays out its cache.

    models--ORG--NAME/blobs/<etag>               the bytes; <etag>.part while they come
    models--ORG--NAME/snapshots/<commit>/<path>  links to them
    models--ORG--NAME/refs/<branch>              the commit that a branch stands for

so that `from_pretrained` of any library finds them with `HF_HUB_CACHE` set to the root and no
network. The etag of a large file is its SHA-256, that of a small one the id of its git blob.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from musicgen.artifacts import publish, sync_folder
from musicgen.errors import DiskFull, ModelInUse
from services.inference.models.model import Model

CHUNK_BYTES = 1 << 20
SHA256_DIGITS = 64
_LOOK_AGAIN_S = 0.05
FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Tick = Callable[[int], None]
"""Told of every chunk how many bytes it had; what it raises ends the work."""


class Hash(Protocol):
    """As in hashlib."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """Return the hash of all bytes so far."""


def hash_for(etag: str, size_bytes: int) -> Hash:
    """Return the hash whose result is the etag: SHA-256, or that of a git blob, which is the
    SHA-1 of a head and the bytes."""
    if len(etag) == SHA256_DIGITS:
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)


class Repository:
    """The folder of one repository. All methods block."""

    def __init__(self, root: Path, model: Model) -> None:
        kind = "models" if model.source == "hub" else "git"
        self.name = "--".join((kind, *model.repository.split("/")))
        self.folder = root / self.name
        self.blobs = self.folder / "blobs"
        self._lock = root / ".locks" / f"{self.name}.lock"

    def blob(self, etag: str) -> Path:
        """Return where the bytes of an etag are, or would be."""
        return self.blobs / etag

    def part(self, etag: str) -> Path:
        """Return where the bytes of an etag are while they come."""
        return self.blobs / f"{etag}.part"

    def pointer(self, commit: str, path: str) -> Path:
        """Return where a file is, or would be, to those that read it."""
        return self.folder / "snapshots" / commit / path

    def link(self, commit: str, path: str, etag: str) -> None:
        """Let a file of a commit be the bytes of an etag; atomic."""
        pointer = self.pointer(commit, path)
        pointer.parent.mkdir(parents=True, exist_ok=True)
        target = os.path.relpath(self.blob(etag), pointer.parent)
        temporary = pointer.with_name(f".{pointer.name}.{os.getpid()}.part")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(pointer)

    def ref(self, branch: str) -> Path:
        """Return where it says, or would say, which commit a branch stands for."""
        return self.folder / "refs" / branch

    def point(self, branch: str, commit: str) -> None:
        """Say which commit a branch stands for; atomic."""
        ref = self.ref(branch)
        ref.parent.mkdir(parents=True, exist_ok=True)
        temporary = ref.with_name(f".{ref.name}.{os.getpid()}.part")
        temporary.write_text(commit, encoding="ascii")
        publish(temporary, ref)
        sync_folder(self.folder)

    def size_bytes(self) -> int:
        """Return what the bytes take on the disk, also those of files that are not complete."""
        try:
            return sum(entry.stat().st_size for entry in self.blobs.iterdir())
        except FileNotFoundError:
            return 0

    def remove(self) -> None:
        """Remove the whole repository: its links first, so that no half of it is believed."""
        for part in ("snapshots", "refs", "blobs"):
            shutil.rmtree(self.folder / part, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_empty_folders(self) -> None:
        """Remove folders in which nothing is left."""
        folders = sorted((p for p in self.folder.rglob("*") if p.is_dir()), reverse=True)
        for folder in (*folders, self.folder):
            with contextlib.suppress(OSError):
                folder.rmdir()

    @contextlib.contextmanager
    def locked(self, wait_s: float = 0.0) -> Iterator[None]:
        """Be the only one who changes this repository; a lock ends with its process. Raises
        ModelInUse if somebody else still is after `wait_s`."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            until_s = time.monotonic() + wait_s
            while not _taken(lock):
                if time.monotonic() < until_s:
                    time.sleep(_LOOK_AGAIN_S)
                    continue
                raise ModelInUse(
                    f"{self.name} is being installed, verified or removed already.",
                    metadata={"repository": self.name},
                )
            yield
        finally:
            os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_into(hashed: Hash, path: Path, tick: Tick) -> None:
    """Feed a file to a hash."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            hashed.update(chunk)
            tick(len(chunk))


@contextlib.contextmanager
def full_disk_is_told(what: str) -> Iterator[None]:
    """Raise DiskFull for an OSError that says so."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL_ERRNOS:
            raise DiskFull(
                f"No space is left for {what}.",
                remedy="Free some disk space, then install the model again.",
            ) from error
        raise
