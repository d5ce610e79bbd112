"""Fetches one file so that nothing is fetched twice, whatever ends the work in between.

huggingface_hub's own download starts anew after its process was killed and checks no hash; so
it says where a file is, and sends who is asking, and the bytes are fetched here: appended to
`<etag>.part`, hashed as they come, and believed only when the hash is right.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import httpx2
from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from musicgen.artifacts import sha256_of
from musicgen.errors import ChecksumMismatch, DownloadFailed, DownloadRefused
from services.inference.models.cache import (
    SHA256_DIGITS,
    Tick,
    full_disk_is_told,
    hash_for,
    read_into,
)
from services.inference.models.model import Model, ModelFile

GIT_ENDPOINT = "https://raw.githubusercontent.com"
TIMEOUT_S = 20.0
"""Longest silence of a server before it is asked anew."""
PATIENCE = 5
"""Failures without a byte in between that are borne."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 8.0
_ETAG, _COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
_PASSING = (403, 408, 416, 425, 429, 500, 502, 503, 504)
"""Answers after which asking anew may help; 403 is what a signed address says that is too old."""


@dataclass(frozen=True, slots=True)
class Remote:
    """Where the bytes of a file are, and what they must be. `headers` go to that address."""

    url: str
    etag: str
    size_bytes: int
    commit: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)


def resolve(model: Model, file: ModelFile, revision: str) -> Remote:
    """Ask where a file is. Uses the token that huggingface_hub has, and HF_ENDPOINT.

    Raises ChecksumMismatch, DownloadFailed, DownloadRefused.
    """
    if model.source == "git":
        base = os.environ.get("MUSICGEN_GIT_ENDPOINT", GIT_ENDPOINT).rstrip("/")
        url = f"{base}/{model.repository}/{revision}/{file.path}"
        return Remote(url, file.sha256, file.size_bytes, revision)
    url = hf_hub_url(model.repository, file.path, revision=revision)
    with _failures_are_told(model, file):
        found = get_hf_file_metadata(url, timeout=TIMEOUT_S, retry_on_errors=True)
    named = _ETAG.fullmatch(found.etag or "") and _COMMIT.fullmatch(found.commit_hash or "")
    if found.etag is None or found.commit_hash is None or found.size is None or not named:
        # Both become names of files here.
        raise DownloadFailed(f"What answers for {model.repository}: {file.path} is no hub.")
    if len(found.etag) == SHA256_DIGITS and file.sha256 not in ("", found.etag):
        raise _mismatch(model, file, "The hub offers another file than the one that is known:")
    headers = build_hf_headers()
    if httpx2.URL(found.location).host != httpx2.URL(url).host:
        headers.pop("authorization", None)  # the token is for the hub, not for where it points
    return Remote(found.location, found.etag, found.size, found.commit_hash, headers)


def fetch(model: Model, file: ModelFile, remote: Remote, part: Path, tick: Tick) -> None:
    """Bring `part` to the bytes of `remote`, going on where it ends. `tick` is told of the
    bytes as they come, also of those that were there, and less if some were of no use.

    Raises ChecksumMismatch, DiskFull, DownloadFailed, DownloadRefused; and what `tick` raises.
    What was fetched stays, unless it is wrong.
    """
    with full_disk_is_told(f"{model.repository}: {file.path}"), part.open("ab") as target:
        incoming = _Incoming(target, part, remote, tick)
        failures = 0
        while incoming.done_bytes < remote.size_bytes:
            before = incoming.done_bytes
            try:
                with _failures_are_told(model, file), _get(remote, incoming) as chunks:
                    for chunk in chunks:
                        incoming.append(chunk)
                    if incoming.done_bytes < remote.size_bytes:
                        raise DownloadFailed("The server ended in the middle of the file.")
            except DownloadFailed:
                failures = 1 if incoming.done_bytes > before else failures + 1
                if failures > PATIENCE:
                    raise
                time.sleep(min(FIRST_WAIT_S * 2 ** (failures - 1), LONGEST_WAIT_S))
                remote = _anew(model, file, remote)
        os.fsync(target.fileno())
        right = incoming.is_right()
    if not (right and (not file.sha256 or remote.etag == file.sha256 or _has(part, file.sha256))):
        part.unlink()
        raise _mismatch(model, file, "What was downloaded is not what was promised:")


class _Incoming:
    """A `.part`, and the hash of what is in it. `restart` and `append` keep the two together."""

    def __init__(self, target: BinaryIO, path: Path, remote: Remote, tick: Tick) -> None:
        self._target, self._remote, self._tick = target, remote, tick
        self._hash = hash_for(remote.etag, remote.size_bytes)
        self.done_bytes = path.stat().st_size
        if self.done_bytes > remote.size_bytes:
            self._target.truncate(0)
            self.done_bytes = 0
        read_into(self._hash, path, tick)

    def restart(self) -> None:
        """Forget what is there: the server doesn't give the rest alone."""
        self._target.truncate(0)
        self._tick(-self.done_bytes)
        self._hash = hash_for(self._remote.etag, self._remote.size_bytes)
        self.done_bytes = 0

    def append(self, chunk: bytes) -> None:
        """Write what came. A process that is killed afterwards has it: it is the kernel's."""
        self._target.write(chunk)
        self._target.flush()
        self._hash.update(chunk)
        self.done_bytes += len(chunk)
        self._tick(len(chunk))

    def is_right(self) -> bool:
        """Whether the bytes are those that were promised."""
        whole = self.done_bytes == self._remote.size_bytes
        return whole and self._hash.hexdigest() == self._remote.etag


@contextlib.contextmanager
def _get(remote: Remote, incoming: _Incoming) -> Iterator[Iterator[bytes]]:
    """Ask for the bytes that are missing, and give them as they come."""
    start = incoming.done_bytes
    # A compressed answer would have other bytes, and other places in them.
    headers = {**remote.headers, "accept-encoding": "identity"}
    if start:
        headers["range"] = f"bytes={start}-"
    with get_session().stream(
        "GET", remote.url, headers=headers, timeout=TIMEOUT_S, follow_redirects=True
    ) as answer:
        hf_raise_for_status(answer)
        begins = answer.headers.get("content-range", "").startswith(f"bytes {start}-")
        if start and not (answer.status_code == HTTPStatus.PARTIAL_CONTENT and begins):
            incoming.restart()
            if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
                raise DownloadFailed("The server sent another part of the file.")
        yield _at_most(answer.iter_bytes(), remote.size_bytes - incoming.done_bytes)


def _at_most(chunks: Iterator[bytes], count_bytes: int) -> Iterator[bytes]:
    """Give no more bytes than these and one: a file that is too long is wrong, and need not
    fill the disk to be found so."""
    for chunk in chunks:
        yield chunk[: count_bytes + 1]
        count_bytes -= len(chunk)
        if count_bytes < 0:
            return


def _anew(model: Model, file: ModelFile, known: Remote) -> Remote:
    """Return a fresh address: signed ones get too old. The known one if nobody answers, or
    if the file has become another, which the hash would find."""
    try:
        fresh = resolve(model, file, known.commit)
    except DownloadFailed:
        return known
    return fresh if fresh.etag == known.etag else known


@contextlib.contextmanager
def _failures_are_told(model: Model, file: ModelFile) -> Iterator[None]:
    """Raise DownloadRefused for what asking again doesn't change, DownloadFailed else."""
    what, named = f"{model.repository}: {file.path}", {"repository": model.repository}
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise DownloadFailed(
            f"{what} is not here, and HF_HUB_OFFLINE forbids to fetch it.",
            remedy="Unset HF_HUB_OFFLINE, or import the model from a folder.",
            metadata=named,
        ) from error
    except (RemoteEntryNotFoundError, RevisionNotFoundError) as error:
        raise DownloadRefused(
            f"The hub has no {what}.",
            remedy="Check HF_ENDPOINT; or import the model from a folder.",
            metadata=named,
        ) from error
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise DownloadRefused(
            f"The hub gives {what} only to people that it knows.", metadata=named
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        kind = DownloadFailed if status in _PASSING else DownloadRefused
        raise kind(f"{what}: the server answered {status}.", metadata=named) from error
    except (httpx2.HTTPError, FileMetadataError) as error:
        cause = str(error) or type(error).__name__
        raise DownloadFailed(f"{what} can't be fetched: {cause}.", metadata=named) from error


def _has(path: Path, sha256: str) -> bool:
    return sha256_of(path) == sha256


def _mismatch(model: Model, file: ModelFile, what: str) -> ChecksumMismatch:
    return ChecksumMismatch(
        f"{what} {model.repository}: {file.path}.",
        remedy="Install the model again; if it happens again, the mirror or the disk is bad.",
        metadata={"model": model.name, "files": file.path},
    )
