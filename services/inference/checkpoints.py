"""Checkpoints: what another attempt at a job can go on from, whatever happens to this one."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from musicgen.artifacts import ArtifactStore, StoredFile, sha256_of
from musicgen.engine.base import MAX_CHECKPOINT_BYTES, Checkpoint
from musicgen.errors import DiskFull, EngineCrashed, StudioError
from musicgen.rpc import log

MEDIA_TYPE = "application/octet-stream"
KEPT = 2
"""The newest may not be registered yet, so the one before stays too."""
KEPT_MOST, KEEP_S = 16, 600.0
"""While the job store is away none is registered: more stay, for as long as that may last."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint that is safe on disk."""

    stored: StoredFile


class Checkpoints:
    """The checkpoints of one attempt at a job, under their hashes."""

    def __init__(self, store: ArtifactStore, job_id: str, folder: Path, begun_from: str) -> None:
        """`folder` is the scratch folder of the host; `begun_from` the key of the checkpoint
        that the attempt goes on from, "" if there is none."""
        self._store = store
        self._prefix = store.stages_prefix(job_id)
        self._folder = folder
        self._kept: dict[str, float] = {}  # key → when it was stored, the oldest first
        if begun_from:
            self._kept[begun_from] = time.monotonic()

    def keep(self, checkpoint: Checkpoint) -> StoredCheckpoint | None:
        """Store one, and remove those that nobody needs any more. Blocks. None: it can't
        be written, for which no work is given up; the next one may find room.

        Raises EngineCrashed for one that isn't what was promised.
        """
        source = self._folder / checkpoint.name
        if source.is_symlink() or not source.is_file():
            raise EngineCrashed(f"The engine left no {checkpoint.name}.")
        size_bytes = source.stat().st_size
        if not 1 <= size_bytes <= MAX_CHECKPOINT_BYTES:
            raise EngineCrashed(
                f"The engine's {checkpoint.name} has {size_bytes:,} bytes; 1 to "
                f"{MAX_CHECKPOINT_BYTES:,} are allowed."
            )
        sha256 = sha256_of(source)
        key = f"{self._prefix}/{sha256}"
        try:
            with self._store.writing(key) as temporary:
                shutil.move(source, temporary)  # artifacts may be on another disk
        except (DiskFull, OSError) as error:
            log.get().warning("checkpoint not kept", why=str(error))
            self.discard(checkpoint)
            return None
        now_s = time.monotonic()
        self._kept.pop(key, None)
        self._kept[key] = now_s
        for old, stored_s in list(self._kept.items())[:-KEPT]:
            if len(self._kept) > KEPT_MOST or stored_s < now_s - KEEP_S:
                del self._kept[old]
                self._store.path(old).unlink(missing_ok=True)
        return StoredCheckpoint(StoredFile(key, sha256, size_bytes))

    def discard(self, checkpoint: Checkpoint) -> None:
        """Remove what the host left of one that a newer one replaces. Blocks."""
        (self._folder / checkpoint.name).unlink(missing_ok=True)


def usable(store: ArtifactStore, job_id: str, checkpoint: StoredFile) -> Path | None:
    """Return the path of a checkpoint of an earlier attempt at this job; None if it is gone,
    damaged or not of this job, which is logged: the work then begins anew. Blocks."""
    try:
        return _checked(store, job_id, checkpoint)
    except (ValueError, OSError, StudioError) as error:
        log.get().warning(
            "checkpoint passed over", job_id=job_id, key=checkpoint.key, why=str(error)
        )
        return None


def _checked(store: ArtifactStore, job_id: str, checkpoint: StoredFile) -> Path:
    sha256, size_bytes = checkpoint.sha256, checkpoint.size_bytes
    expected = f"{store.stages_prefix(job_id)}/{sha256}"
    if not _SHA256.fullmatch(sha256) or checkpoint.key != expected:
        raise ValueError("it is none of this job")
    if not 1 <= size_bytes <= MAX_CHECKPOINT_BYTES:
        raise ValueError("none can be so large")
    path = store.existing(checkpoint.key)
    if path.is_symlink() or path.stat().st_size != size_bytes or sha256_of(path) != sha256:
        raise ValueError("it is damaged")
    return path
