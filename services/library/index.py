"""The index of the library: derived from the sidecars, thrown away when in doubt."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.library.pages import Position
from services.library.track import Track, from_sidecar, to_sidecar

_VERSION = 1
_SCHEMA = """
CREATE TABLE tracks (
    track_id TEXT PRIMARY KEY,
    create_time_us INTEGER NOT NULL,
    signature TEXT NOT NULL,
    words TEXT NOT NULL,
    sidecar TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX newest ON tracks (create_time_us DESC, track_id DESC);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A track, and which state of its sidecar file the index has seen."""

    track: Track
    signature: str


class Index:
    """A SQLite file. Safe to use from several threads. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file; one that is damaged or of another version is made anew, empty."""
        with self._lock:
            self._close()
            try:
                self._connection = self._connect()
            except sqlite3.DatabaseError:
                self._remove()
                self._connection = self._connect()

    def reset(self) -> None:
        """Throw the file away and begin with an empty one."""
        with self._lock:
            self._close()
            self._remove()
            self._connection = self._connect()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._close()

    def check(self) -> None:
        """Raise sqlite3.Error if the index can't be used now."""
        with self._using() as connection:
            connection.execute("SELECT 1 FROM tracks LIMIT 1").fetchone()
        if not self._path.is_file():
            raise sqlite3.OperationalError("the index file is gone")

    def put(self, rows: Sequence[Row]) -> None:
        """Insert or replace tracks, all or none."""
        values = [
            (
                row.track.track_id,
                row.track.create_time_us,
                row.signature,
                _words_of(row.track),
                json.dumps(to_sidecar(row.track)),
            )
            for row in rows
        ]
        with self._using() as connection:
            connection.executemany("REPLACE INTO tracks VALUES (?, ?, ?, ?, ?)", values)

    def remove(self, track_ids: Sequence[str]) -> None:
        """Forget tracks; fine if they aren't there."""
        with self._using() as connection:
            connection.executemany(
                "DELETE FROM tracks WHERE track_id = ?", [(track_id,) for track_id in track_ids]
            )

    def signatures(self) -> dict[str, str]:
        """Return which state of each sidecar the index has seen, by track id."""
        with self._using() as connection:
            return dict(connection.execute("SELECT track_id, signature FROM tracks"))

    def page(self, query: str, after: Position | None, limit: int) -> list[Row]:
        """Return up to `limit` tracks that contain every word of `query`, newest first."""
        words = normalised(query).split()
        conditions = ["instr(words, ?) > 0"] * len(words)
        values: list[Any] = list(words)
        if after:
            conditions.append("(create_time_us, track_id) < (?, ?)")
            values += [after.create_time_us, after.track_id]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        statement = (
            f"SELECT sidecar, signature FROM tracks {where} "  # noqa: S608 - fixed words only
            "ORDER BY create_time_us DESC, track_id DESC LIMIT ?"
        )
        with self._using() as connection:
            found = connection.execute(statement, [*values, limit]).fetchall()
        return [Row(from_sidecar(json.loads(sidecar)), signature) for sidecar, signature in found]

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                raise sqlite3.OperationalError("the index is not open")
            with self._connection:  # a transaction
                yield self._connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # Losing the last writes to a power cut is fine: the next start finds out.
            connection.execute("PRAGMA synchronous = NORMAL")
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if verdict != "ok" or version not in (0, _VERSION):
                raise sqlite3.DatabaseError(f"index of version {version} is {verdict}")
            if version == 0:
                connection.executescript(
                    f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;"
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            path = self._path.with_name(self._path.name + suffix)
            with contextlib.suppress(OSError):  # what stays in the way fails the next connect
                path.unlink(missing_ok=True)


def normalised(text: str) -> str:
    """Return text as it is searched: without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).replace("\0", " ")


def _words_of(track: Track) -> str:
    prompt = (track.recipe or {}).get("prompt", "")
    parts = [track.title, track.artist, track.album, track.genre, *track.tags]
    return normalised("\n".join([*parts, prompt if isinstance(prompt, str) else ""]))
