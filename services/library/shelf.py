"""The folders of the library, one a track, and what lies in them.

    library/<track_id>/audio.<ext>, track.json, peaks.json    a track
    library/<track_id>/files/<name>                           what came beside the audio
    library/<track_id>/edit.json                              an edit not yet finished
    library/.staging/<track_id>.<random>/                     a track being registered
    library/.trash/<track_id>.<time>/                         deleted, whole

A folder appears under its id only when all that is in it is durable (one rename), so a
crash at any point of a registration leaves a track or nothing. An edit is settled by
`edit.json`: from then on it is carried through, after a crash at the next start.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from musicgen.artifacts import sync_folder
from musicgen.errors import ArtifactNotFound, TrackNotFound
from services.library import containers, files
from services.library.track import SidecarDamaged, Track, from_sidecar, to_sidecar

SIDECAR = "track.json"
PEAKS = "peaks.json"
FILES = "files"
_EDIT = "edit.json"
_TRACK_ID = re.compile(r"[a-z2-7]{16}")


class Shelf:
    """The tracks as files. Methods of one track need its lock held (see library.py)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._staging = root / ".staging"
        self._trash = root / ".trash"

    def prepare(self) -> None:
        """Make the folders, and clear what a crash left of registrations."""
        for folder in (self.root, self._staging, self._trash):
            folder.mkdir(parents=True, exist_ok=True)
        for leftover in self._staging.iterdir():
            shutil.rmtree(leftover, ignore_errors=True)

    def why_unusable(self) -> str:
        """Return why tracks can't be written now, or "". Writes nothing: it is asked
        every second, and disks may sleep."""
        try:
            self._staging.stat()
            read_only = bool(os.statvfs(self.root).f_flag & os.ST_RDONLY)
        except OSError as error:
            return f"the library folder {self.root} is missing ({error.strerror})"
        if read_only or not os.access(self.root, os.W_OK | os.X_OK, effective_ids=True):
            return f"the library folder {self.root} is not writable"
        return ""

    def track_ids(self) -> list[str]:
        """Return the ids that have a folder."""
        return [
            entry.name
            for entry in os.scandir(self.root)
            if _TRACK_ID.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]

    def folder(self, track_id: str) -> Path:
        """Return the folder of a track. Raises TrackNotFound if it isn't one."""
        folder = self.root / track_id if _TRACK_ID.fullmatch(track_id) else None
        if folder is None or folder.is_symlink() or not folder.is_dir():
            raise TrackNotFound(
                f"There is no track {track_id[:100]!r}.", metadata={"track_id": track_id[:100]}
            )
        return folder

    def read(self, track_id: str) -> Track:
        """Read a track's sidecar. Raises TrackNotFound, SidecarDamaged."""
        path = self.folder(track_id) / SIDECAR
        if not files.is_contained(path, self.root):
            raise TrackNotFound(f"There is no track {track_id!r}.", metadata={"track_id": track_id})
        track = _read_sidecar(path)
        if track.track_id != track_id:
            raise SidecarDamaged(f"{path.name} speaks of track {track.track_id[:100]!r}")
        return track

    def signature(self, track_id: str) -> str:
        """Return which state of the sidecar lies there now, or "" if none does."""
        try:
            return files.signature_of(self.folder(track_id) / SIDECAR)
        except (OSError, TrackNotFound):
            return ""

    def audio(self, track: Track) -> Path:
        """Return the path of a track's audio. Raises TrackNotFound."""
        path = self.folder(track.track_id) / track.audio_name
        if not files.is_contained(path, self.root):
            raise TrackNotFound(
                f"The audio of track {track.track_id} is missing.",
                remedy="Put the file back from a backup, or delete the track.",
                metadata={"track_id": track.track_id},
            )
        return path

    def file(self, track: Track, name: str) -> Path:
        """Return the path of a file beside a track's audio. Raises ArtifactNotFound."""
        path = self.folder(track.track_id) / FILES / name
        listed = any(file.name == name for file in track.files)  # so `name` is a plain one
        if not listed or not files.is_contained(path, self.root):
            raise ArtifactNotFound(
                f"Track {track.track_id} has no file {name[:100]!r}.",
                metadata={"track_id": track.track_id},
            )
        return path

    @contextlib.contextmanager
    def staging(self, track_id: str) -> Iterator[Path]:
        """Give a folder to build a track in; what is left there afterwards is removed."""
        folder = self._staging / f"{track_id}.{secrets.token_hex(8)}"
        folder.mkdir(parents=True)  # a person may just have removed the folders
        try:
            with files.full_disk_is_disk_full():
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, folder: Path, track: Track) -> None:
        """Give a staged folder its id. A folder in the way that is no track goes to the
        trash; FileExistsError means that it is one."""
        files.write_json(folder / SIDECAR, to_sidecar(track))
        for path in folder.rglob("*"):
            (sync_folder if path.is_dir() else files.sync_file)(path)
        sync_folder(folder)
        target = self.root / track.track_id
        if target.exists():
            with contextlib.suppress(TrackNotFound, SidecarDamaged):
                self.read(track.track_id)
                raise FileExistsError(target)
            self._to_trash(target)
        try:
            folder.rename(target)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):  # placed in this moment
                raise FileExistsError(target) from error
            raise
        sync_folder(self.root)

    def edit(self, old: Track, new: Track) -> Track:
        """Make `new` of `old`, in the sidecar and in the audio file. Returns it as it is
        written. Raises DiskFull, InvalidAudio."""
        folder = self.folder(old.track_id)
        audio = self.audio(old)
        files.require_space(folder, audio.stat().st_size)
        temporary = audio.with_name(f".{audio.name}.part")
        with files.full_disk_is_disk_full():
            try:
                new = _retag(audio, temporary, new)
                files.write_json(folder / _EDIT, to_sidecar(new))
                self._finish_edit(folder, temporary, audio)
            finally:
                temporary.unlink(missing_ok=True)
        return new

    def recover(self, track_id: str) -> None:
        """Carry an edit through that a crash cut short, and clear temporary files."""
        folder = self.folder(track_id)
        for leftover in folder.glob(".*.part"):
            leftover.unlink(missing_ok=True)
        if not (folder / _EDIT).is_file():
            return
        track = _read_sidecar(folder / _EDIT)
        audio = self.audio(track)
        temporary = audio.with_name(f".{audio.name}.part")
        try:
            written = _retag(audio, temporary, track)
            if written != track:
                files.write_json(folder / _EDIT, to_sidecar(written))
            self._finish_edit(folder, temporary, audio)
        finally:
            temporary.unlink(missing_ok=True)

    def trash(self, track_id: str) -> None:
        """Move a track to the trash. Raises TrackNotFound."""
        self._to_trash(self.folder(track_id))
        sync_folder(self.root)

    def trashed(self, track_id: str) -> Track | None:
        """Return the track of that id that was deleted last, if any."""
        for folder in sorted(self._trash.glob(f"{track_id}.*"), reverse=True):
            with contextlib.suppress(SidecarDamaged, OSError):
                return _read_sidecar(folder / SIDECAR)
        return None

    def _to_trash(self, folder: Path) -> None:
        self._trash.mkdir(exist_ok=True)
        folder.rename(self._trash / f"{folder.name}.{time.time_ns()}")
        sync_folder(self._trash)

    @staticmethod
    def _finish_edit(folder: Path, temporary: Path, audio: Path) -> None:
        temporary.replace(audio)
        (folder / _EDIT).replace(folder / SIDECAR)
        sync_folder(folder)


def _retag(audio: Path, temporary: Path, track: Track) -> Track:
    """Write the audio with other tags; returns the track with the size it then has."""
    copied = containers.copy_tagged(audio, temporary, track.format, track)
    files.sync_file(temporary)
    return dataclasses.replace(track, size_bytes=copied.size_bytes)


def _read_sidecar(path: Path) -> Track:
    try:
        return from_sidecar(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:
        # Clients are told of it, so it doesn't say in which folder.
        raise SidecarDamaged(f"{path.name}: {error}") from error
