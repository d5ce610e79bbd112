"""The library: tracks on their shelf, and the index that finds them. Blocking; call it
from a thread."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from musicgen.artifacts import ArtifactStore, sha256_of
from musicgen.audio.codecs import Properties, probe
from musicgen.errors import (
    ArtifactNotFound,
    ChecksumMismatch,
    EditConflict,
    InvalidAudio,
    InvalidField,
    StoreUnavailable,
    StudioError,
    TrackNotFound,
    UnsupportedFormat,
)
from musicgen.rpc import log
from services.library import attachments, containers, editing, files, metrics, pages, peaks
from services.library.attachments import Attachment
from services.library.editing import Edit
from services.library.index import Index, Row, normalised
from services.library.shelf import FILES, PEAKS, Shelf
from services.library.track import (
    LoopPoints,
    SidecarDamaged,
    Track,
    TrackFile,
    now_us,
    track_id_of,
)

PEAKS_AT_ONCE_S = 30 * 60
"""Audio up to this long gets its peaks while it is registered (about a second); those of
longer audio are made afterwards, so that the job needn't wait for them."""

_QUERY_LIMIT = 500
_STRIPES = 64
_UNTITLED = "Untitled"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Produced:
    """A finished artifact and what its maker says of it."""

    artifact_key: str
    sha256: str
    title: str = ""
    genre: str = ""
    recipe: dict[str, Any] | None = None
    tempo_bpm: float | None = None
    musical_key: str = ""
    loop_points: LoopPoints | None = None
    parent_track_id: str = ""
    attachments: tuple[Attachment, ...] = ()

    @property
    def artifact_keys(self) -> tuple[str, ...]:
        """The keys of all its artifacts."""
        return (self.artifact_key, *(one.artifact_key for one in self.attachments))


@dataclass(frozen=True, slots=True)
class Page:
    """Tracks, newest first, and the token of the next page (empty on the last)."""

    tracks: tuple[Track, ...]
    next_token: str


class Library:
    """All tracks of an artifact store."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self.shelf = Shelf(store.path("library"))
        self._index = Index(store.path("library/index.sqlite"))
        # A handful of locks instead of one a track: collisions only make an edit wait.
        self._locks = [threading.Lock() for _ in range(_STRIPES)]
        self._index_lags = True

    def open(self) -> None:
        """Make the folders, finish what a crash cut short, bring the index up to date.

        Raises OSError or sqlite3.Error if that isn't possible.
        """
        self.shelf.prepare()
        self._index.open()
        for track_id in self.shelf.track_ids():
            try:
                with self._lock(track_id):
                    self.shelf.recover(track_id)
            except (SidecarDamaged, StudioError, OSError) as error:
                # One that can't be repaired must not keep the others away.
                log.get().warning("edit not finished", track_id=track_id, why=str(error))
        self._reconcile()

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def why_unusable(self) -> str:
        """Return why the library can't do its work now, or ""; heals what it can."""
        if why := self.shelf.why_unusable():
            try:
                self.shelf.prepare()
            except OSError:
                return why
            self._index_lags = True
        try:
            self._indexed(self._index.check)
            if self._index_lags:
                self._reconcile()
        except (StoreUnavailable, sqlite3.Error, OSError) as error:
            return f"the index can't be used ({error})"
        return self.shelf.why_unusable()

    def register(self, job_id: str, output_index: int, produced: Produced) -> Track:
        """Make an artifact a track; the same track however often it is asked for, also
        when it has been edited or deleted since.

        Raises ArtifactNotFound, ChecksumMismatch, InvalidAudio, UnsupportedFormat,
        InvalidField, DiskFull.
        """
        track_id = track_id_of(job_id, output_index)
        with self._lock(track_id):
            with contextlib.suppress(TrackNotFound, SidecarDamaged):
                track = self.shelf.read(track_id)
                self._remember(track)
                return track
            if deleted := self.shelf.trashed(track_id):
                return deleted
            source = self._store.existing(produced.artifact_key)
            if not files.is_contained(source, self._store.root / "artifacts"):
                raise ArtifactNotFound(f"{produced.artifact_key} is no artifact.")
            track = self._described(job_id, output_index, produced, source)
            beside = attachments.verified(self._store, produced.attachments)
            track = replace(track, files=tuple(one.file for one in beside))
            beside_bytes = sum(file.size_bytes for file in track.files)
            files.require_space(self.shelf.root, track.size_bytes + beside_bytes)
            with self.shelf.staging(track_id) as folder:
                copied = containers.copy_tagged(
                    source, folder / track.audio_name, track.format, track
                )
                track = replace(track, size_bytes=copied.size_bytes)
                if beside:
                    attachments.place(beside, folder / FILES)
                if track.audio.duration_s <= PEAKS_AT_ONCE_S:
                    files.write_text(folder / PEAKS, peaks.compute(source).to_json())
                try:
                    self.shelf.place(folder, track)
                except FileExistsError:  # by another process, meanwhile
                    track = self.shelf.read(track_id)
                else:
                    metrics.TRACKS.inc()
                    metrics.TRACK_BYTES.inc(track.size_bytes)
            self._remember(track)
            return track

    def discard_artifacts(self, job_id: str, produced: Produced) -> None:
        """Remove the artifacts of what is now a track, and the checkpoints of its job, which
        is settled when it comes here; fine if they are gone already."""
        self._store.remove_prefix(self._store.stages_prefix(job_id))
        for key in produced.artifact_keys:
            path = self._store.path(key)
            if files.is_contained(path, self._store.root / "artifacts"):
                path.unlink(missing_ok=True)

    def get(self, track_id: str) -> Track:
        """Return a track, read from its files. Raises TrackNotFound."""
        with _damage_is_not_found(track_id):
            return self.shelf.read(track_id)

    def page(self, query: str, page_size: int, page_token: str) -> Page:
        """Return a page of the tracks that contain every word of `query`.

        Raises InvalidField for a bad size, token or query.
        """
        size = pages.page_size_of(page_size)
        query = " ".join(normalised(query).split())
        if len(query) > _QUERY_LIMIT:
            raise InvalidField(
                "The query is too long.", fields={"query": f"up to {_QUERY_LIMIT} characters"}
            )
        after = pages.decode(page_token, query)
        found = self._indexed(lambda: self._current_rows(query, after, size + 1))
        tracks = tuple(row.track for row in found[:size])
        if len(found) <= size:
            return Page(tracks, "")
        last = pages.Position(tracks[-1].create_time_us, tracks[-1].track_id)
        return Page(tracks, pages.encode(last, query))

    def update(self, track_id: str, edit: Edit, mask: Sequence[str], etag: str) -> Track:
        """Edit a track. Raises TrackNotFound, InvalidField, EditConflict, DiskFull."""
        fields = editing.fields_to_change(mask, edit)
        with self._lock(track_id):
            with _damage_is_not_found(track_id):
                self.shelf.recover(track_id)
            old = self.get(track_id)
            if etag and etag != old.etag:
                raise EditConflict(
                    f"Track {track_id} was edited meanwhile.",
                    metadata={"track_id": track_id, "etag": old.etag},
                )
            new = editing.apply(old, edit, fields)
            if new == old:
                return old
            new = replace(new, update_time_us=max(now_us(), old.update_time_us + 1))
            new = self.shelf.edit(old, new)
            self._remember(new)
            return new

    def delete(self, track_id: str) -> None:
        """Move a track to the trash. Raises TrackNotFound."""
        with self._lock(track_id):
            self.shelf.trash(track_id)
            self._on_index(lambda: self._index.remove([track_id]))

    def audio(self, track_id: str) -> tuple[Track, Path]:
        """Return a track and the path of its audio. Raises TrackNotFound."""
        track = self.get(track_id)
        return track, self.shelf.audio(track)

    def file(self, track_id: str, name: str) -> tuple[Track, TrackFile, Path]:
        """Return a track, a file beside its audio and the path of that file.

        Raises TrackNotFound, ArtifactNotFound.
        """
        track = self.get(track_id)
        path = self.shelf.file(track, name)
        return track, next(file for file in track.files if file.name == name), path

    def _described(self, job_id: str, output_index: int, produced: Produced, source: Path) -> Track:
        actual = sha256_of(source)
        if actual != produced.sha256:
            raise ChecksumMismatch(
                f"{produced.artifact_key} does not have the checksum that was promised.",
                metadata={"key": produced.artifact_key, "actual": actual},
            )
        properties = probe(source)
        if properties.format is None:
            raise UnsupportedFormat(
                f"{produced.artifact_key} is in no format that the library keeps."
            )
        if properties.duration_frames < 1:
            raise InvalidAudio(f"{produced.artifact_key} holds no audio.")
        _check_loop(produced.loop_points, properties)
        now = now_us()
        return Track(
            track_id=track_id_of(job_id, output_index),
            title=editing.one_line(produced.title, editing.TITLE_LIMIT) or _UNTITLED,
            genre=editing.one_line(produced.genre, editing.GENRE_LIMIT),
            audio=properties,
            size_bytes=source.stat().st_size,
            source_sha256=actual,
            job_id=job_id,
            output_index=output_index,
            create_time_us=now,
            update_time_us=now,
            recipe=produced.recipe,
            tempo_bpm=produced.tempo_bpm,
            musical_key=editing.one_line(produced.musical_key, editing.GENRE_LIMIT),
            loop_points=produced.loop_points,
            parent_track_id=produced.parent_track_id,
        )

    def _lock(self, track_id: str) -> threading.Lock:
        return self._locks[hash(track_id) % _STRIPES]

    def _row(self, track_id: str) -> Row | None:
        """Return what is on the shelf now; None if there is no such track."""
        signature = self.shelf.signature(track_id)
        try:
            return Row(self.shelf.read(track_id), signature)
        except TrackNotFound:
            return None
        except SidecarDamaged as error:
            log.get().warning("track skipped", track_id=track_id, why=str(error))
            return None

    def _remember(self, track: Track) -> None:
        row = Row(track, self.shelf.signature(track.track_id))
        self._on_index(lambda: self._index.put([row]))

    def _on_index(self, write: Callable[[], None]) -> None:
        """Write to the index; the files have it already, so a failure is made good later."""
        try:
            write()
        except sqlite3.Error as error:
            self._index_lags = True
            log.get().warning("index lags behind", error=str(error))

    def _indexed(self, ask: Callable[[], T]) -> T:
        """Ask the index, made anew from the files if it fails. Raises StoreUnavailable."""
        try:
            return ask()
        except (sqlite3.Error, ValueError, SidecarDamaged) as error:
            log.get().warning("index is made anew", error=str(error))
        try:
            self._index.reset()
            self._reconcile()
            return ask()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"The library's index can't be used ({error}).") from error

    def _reconcile(self) -> None:
        """Make the index say what the files say."""
        self._index_lags = False
        try:
            known = self._index.signatures()
            present = {
                track_id: self.shelf.signature(track_id) for track_id in self.shelf.track_ids()
            }
            changed = [track_id for track_id, now in present.items() if known.get(track_id) != now]
            rows = {track_id: self._row(track_id) for track_id in changed}
            self._index.put([row for row in rows.values() if row])
            gone = (known.keys() - present.keys()) | {key for key, row in rows.items() if not row}
            self._index.remove(sorted(gone))
        except sqlite3.Error:
            self._index_lags = True
            raise
        if changed or gone:
            log.get().info("index reconciled", changed=len(changed), gone=len(gone))

    def _current_rows(self, query: str, after: pages.Position | None, limit: int) -> list[Row]:
        """Return rows whose sidecars are as the index saw them: a person may have edited
        or removed files meanwhile."""
        rows: list[Row] = []
        for _ in range(3):
            rows = self._index.page(query, after, limit)
            stale = [
                row.track.track_id
                for row in rows
                if self.shelf.signature(row.track.track_id) != row.signature
            ]
            if not stale:
                break
            present = {track_id: self._row(track_id) for track_id in stale}
            self._index.put([row for row in present.values() if row])
            self._index.remove([track_id for track_id, row in present.items() if not row])
        return rows


def _check_loop(loop: LoopPoints | None, audio: Properties) -> None:
    if loop and not 0 <= loop.start_frame < loop.end_frame <= audio.duration_frames:
        raise InvalidField(
            f"The loop {loop.start_frame} to {loop.end_frame} does not lie in the audio.",
            fields={"track.loop_points": f"must lie in 0 to {audio.duration_frames}"},
        )


@contextlib.contextmanager
def _damage_is_not_found(track_id: str) -> Iterator[None]:
    try:
        yield
    except SidecarDamaged as error:
        raise TrackNotFound(
            f"The sidecar of track {track_id} is damaged ({error}).",
            remedy="Repair track.json in the track's folder.",
            metadata={"track_id": track_id},
        ) from error
