"""What a reference to audio stands for: the file, its facts, its checksum. Blocking."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from musicgen.artifacts import ArtifactStore, StoredFile, sha256_of
from musicgen.audio.codecs import Properties, probe
from musicgen.errors import (
    ArtifactNotFound,
    InvalidAudio,
    InvalidField,
    TrackNotFound,
    UploadNotFound,
)
from services.library import files
from services.library.library import Library
from services.library.track import Track

_CHECKSUMS_REMEMBERED = 1000
_UPLOAD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A file in the store. `track` is set for a track of the library; its checksum is
    empty then, because an edit of its tags changes the file."""

    file: StoredFile
    properties: Properties
    track: Track | None = None


def upload_id_of(text: str) -> str:
    """Return an upload id, a UUID, in its one spelling. Raises InvalidField."""
    upload_id = text.lower()
    if not _UPLOAD_ID.fullmatch(upload_id):
        raise InvalidField(
            f"{text[:100]!r} is no upload id.",
            remedy="Use a new UUID such as 123e4567-e89b-42d3-a456-426614174000.",
            fields={"upload_id": "must be a UUID"},
        )
    return upload_id


class Resolver:
    """Resolves references to audio that the studio holds."""

    def __init__(self, store: ArtifactStore, library: Library) -> None:
        self._store = store
        self._library = library
        self._lock = threading.Lock()
        self._checksums: OrderedDict[tuple[str, str], str] = OrderedDict()

    def track(self, track_id: str) -> Resolved:
        """Resolve a track. Raises TrackNotFound."""
        track, path = self._library.audio(track_id)
        try:
            size_bytes = path.stat().st_size
        except FileNotFoundError as error:
            raise TrackNotFound(f"Track {track_id} was deleted meanwhile.") from error
        key = f"library/{track_id}/{path.name}"
        return Resolved(StoredFile(key, "", size_bytes), track.audio, track)

    def artifact(self, key: str) -> Resolved:
        """Resolve a file that a job left. Raises ArtifactNotFound, InvalidAudio."""
        if not key.startswith("artifacts/"):
            raise InvalidField(
                f"{key[:100]!r} is no key of an artifact.",
                fields={"audio.artifact_key": 'must begin with "artifacts/"'},
            )
        path = self._store.existing(key)
        if not files.is_contained(path, self._store.root / "artifacts"):
            raise ArtifactNotFound(f"There is no artifact {key}.", metadata={"key": key})
        return self._probed(key, path)

    def upload(self, upload_id: str) -> Resolved:
        """Resolve a finished upload. Raises UploadNotFound, InvalidAudio."""
        upload_id = upload_id_of(upload_id)
        key = f"uploads/{upload_id}"
        path = self._store.path(key)
        if not files.is_contained(path, self._store.root / "uploads"):
            raise UploadNotFound(
                f"There is no finished upload {upload_id}.", metadata={"upload_id": upload_id}
            )
        return self._probed(key, path)

    def _probed(self, key: str, path: Path) -> Resolved:
        properties = probe(path)
        if properties.duration_frames < 1:
            raise InvalidAudio("The file holds no audio.", metadata={"key": key})
        return Resolved(StoredFile(key, self._checksum(path), path.stat().st_size), properties)

    def _checksum(self, path: Path) -> str:
        """Hash a file once: both kinds are never written again."""
        state = (str(path), files.signature_of(path))
        with self._lock:
            known = self._checksums.get(state)
        if known is None:
            known = sha256_of(path)
            with self._lock:
                self._checksums[state] = known
                while len(self._checksums) > _CHECKSUMS_REMEMBERED:
                    self._checksums.popitem(last=False)
        return known
