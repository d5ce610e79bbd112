"""What pip says while it works: how far it is, and why it failed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from musicgen.errors import (
    ChecksumMismatch,
    DiskFull,
    DownloadFailed,
    EnvironmentBroken,
    StudioError,
)
from musicgen.progress import Transfer
from services.inference.environments.lock import normal

_BEGINS = re.compile(r"(?:Collecting|Processing|Requirement already satisfied:) (\S+)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._]*(?:-(?!\d)[A-Za-z0-9._]+)*")
_BYTES = re.compile(r"Progress (\d+) of (\d+)")

_FULL = ("No space left on device", "Disk quota exceeded", "File too large", "Errno 28")
_TAMPERED = ("DO NOT MATCH THE HASHES", "BadZipFile", "has an invalid wheel", "is invalid")
_NETWORK = (
    "ConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "NewConnectionError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "Max retries exceeded",
    "IncompleteRead",
    "HTTP error",
    "SSLError",
    "connection broken",
    "Connection timed out",
    "after connection",
)
_NOT_OFFERED = ("No matching distribution found", "Could not find a version")


class PipProgress:
    """Counts packages and bytes from pip's lines. `expected` is how many packages there
    will be; if there are more, the count grows."""

    def __init__(self, expected: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._expected = expected
        self._clock = clock
        self._began_s = clock()
        self._names: set[str] = set()
        self.current = ""
        """The package that is being fetched."""
        self.received_bytes = 0
        self.total_bytes = 0
        self.installing = False
        """Whether all are fetched and pip writes them into the environment."""

    def line(self, text: str) -> None:
        """Take one line of its output."""
        if begins := _BEGINS.match(text):
            named = _NAME.match(begins[1].rpartition("/")[2])
            self.current = normal(named[0]) if named else ""
            self._names.add(self.current)
            self.received_bytes = self.total_bytes = 0
            self._began_s = self._clock()
        elif bytes_ := _BYTES.fullmatch(text.strip()):
            self.received_bytes, self.total_bytes = int(bytes_[1]), int(bytes_[2])
        elif text.startswith("Installing collected packages"):
            self.installing = True

    @property
    def fetched(self) -> int:
        """Packages that are complete."""
        return len(self._names) if self.installing else max(0, len(self._names) - 1)

    @property
    def packages(self) -> int:
        """How many there are, at least 1."""
        return max(1, len(self._names) if self.installing else self._expected, len(self._names))

    @property
    def within(self) -> float:
        """The share of the present package that has been received, 0 to 1."""
        if self.installing or not self.total_bytes:
            return 0.0
        return min(1.0, self.received_bytes / self.total_bytes)

    @property
    def transfer(self) -> Transfer | None:
        """The bytes of the present package, None for one that lies on the disk."""
        if self.installing or not self.total_bytes:
            return None
        spent_s = self._clock() - self._began_s
        rate = self.received_bytes / spent_s if spent_s > 0 else 0.0
        return Transfer(self.received_bytes, self.total_bytes, rate)


def failure(output: str) -> StudioError:
    """Return the error that pip's last lines tell of."""
    said = _said(output)
    if any(word in output for word in _FULL):
        return DiskFull(
            "The disk filled up while packages were installed.",
            remedy="Free some disk space, then set the engine up again.",
        )
    if any(word in output for word in _TAMPERED):
        return ChecksumMismatch(f"A package that was downloaded is damaged: {said}")
    if any(word in output for word in _NETWORK):
        return DownloadFailed(f"A package could not be downloaded: {said}")
    if any(word in output for word in _NOT_OFFERED):
        return DownloadFailed(
            f"The package index does not offer what is needed: {said}",
            remedy="Check the network and pip's configuration. MUSICGEN_TORCH_INDEX can name an "
            "index that has torch.",
        )
    return EnvironmentBroken(f"pip failed: {said}")


def _said(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it said nothing"])[-1][:300]
