"""Compares an environment with what its packages say they consist of."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from services.inference.environments.lock import normal

_CHUNK_BYTES = 1 << 20
_DIST_INFO = ".dist-info"


def site_packages(folder: Path) -> Path:
    """Return the folder of an environment's packages, which may not exist."""
    found = sorted((folder / "lib").glob("python3.*/site-packages"))
    return found[0] if found else folder / "lib" / "site-packages"


def installed(folder: Path) -> dict[str, str]:
    """Return the versions of the packages that are there, by normal name: one look at the
    folder."""
    names = (path.name for path in site_packages(folder).glob(f"*{_DIST_INFO}"))
    pairs = (name.removesuffix(_DIST_INFO).rpartition("-") for name in names)
    return {normal(name): version for name, _, version in pairs}


def missing(folder: Path, packages: Mapping[str, str]) -> list[str]:
    """Return the packages that were there and are not any more, or have another version."""
    found = installed(folder)
    return sorted(
        name
        for name, version in packages.items()
        if found.get(normal(name), "").replace("_", "-") != version.replace("_", "-")
    )


def damaged(folder: Path, tick: Callable[[int, int], None]) -> str:
    """Read every file that was installed and return the first that is missing or changed,
    "" if all are as they were. `tick` is told (files read, files in all) before each, and
    may raise."""
    root = site_packages(folder)
    files = list(_recorded(root))
    for count, (name, digest) in enumerate(files):
        tick(count, len(files))
        try:
            found = _sha256(root / name)
        except OSError:
            return f"{name} is missing"
        if found != digest:
            return f"{name} has changed"
    return ""


def size_bytes(folder: Path) -> int:
    """Return how much an environment takes on the disk; the studio's linked code is not
    followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(parent) / name).lstat().st_size
    return total


def _recorded(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the path, relative to `root`, and the hash of each file that has one."""
    for record in sorted(root.glob(f"*{_DIST_INFO}/RECORD")):
        with record.open(encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines):
                name, algorithm, digest = row[0], *row[1].partition("=")[::2]
                if algorithm == "sha256":
                    yield name, digest


def _sha256(path: Path) -> str:
    """In the spelling of a RECORD: URL-safe base64 without padding."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
