"""Previews: stretches of a piece that are stored while the rest is still being made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from musicgen.artifacts import PREVIEW_PREFIX, ArtifactStore, StoredFile
from musicgen.audio.codecs import Format, Properties
from musicgen.engine.base import Manifest, Preview
from musicgen.errors import EngineCrashed
from services.inference.encoder import check_preview, encode

FORMAT = Format.FLAC


@dataclass(frozen=True, slots=True)
class StoredPreview:
    """A stretch that can be heard; it begins at `start_frame` of the piece."""

    stored: StoredFile
    properties: Properties
    start_frame: int


class Previews:
    """The previews of one generation: checked, encoded and stored, one after the other."""

    def __init__(self, store: ArtifactStore, prefix: str, folder: Path, manifest: Manifest) -> None:
        """`prefix` is the claim's, `folder` the scratch folder of its host."""
        self._store = store
        self._prefix = prefix
        self._folder = folder
        self._manifest = manifest
        self._count = 0
        self._end_frame = 0

    def keep(self, preview: Preview, tick: Callable[[], None]) -> StoredPreview:
        """Store one and remove what the host left of it. Blocks; what `tick` raises ends it.

        Raises EngineCrashed for a preview that isn't what was promised, DiskFull.
        """
        source = self._folder / preview.name
        facts = check_preview(source, self._manifest)
        if preview.start_frame != self._end_frame:
            raise EngineCrashed(
                f"The engine's {preview.name} begins at frame {preview.start_frame}; "
                f"frame {self._end_frame} comes next."
            )
        key = f"{self._prefix}/{PREVIEW_PREFIX}{self._count}.{FORMAT.extension}"
        with self._store.writing(key) as temporary:
            encoded = encode(source, facts, FORMAT, temporary, tick)
        source.unlink(missing_ok=True)
        self._count += 1
        self._end_frame += facts.duration_frames
        stored = StoredFile(key, encoded.sha256, encoded.size_bytes)
        return StoredPreview(stored, encoded.properties, preview.start_frame)
