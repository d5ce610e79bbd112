"""A lock: the packages of an environment, each pinned to one version."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from musicgen.errors import EnvironmentBroken

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([A-Za-z0-9.!+_]+)\s*(?:;.*)?")


@dataclass(frozen=True, slots=True)
class Lock:
    """`sha256` is of its pins, so that a comment makes no environment outdated. A package
    may have several versions, each for some Python: `versions` has the names only once."""

    path: Path
    sha256: str
    versions: dict[str, str]

    @property
    def torch(self) -> str:
        """The version of torch, "" if the environment has none."""
        return self.versions.get("torch", "")

    @property
    def pip(self) -> str:
        """The version of pip that is to install the rest, "" for the one that is there."""
        return self.versions.get("pip", "")


def read_lock(path: Path) -> Lock:
    """Read a lock. Raises EnvironmentBroken for one that is not there or pins nothing."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise EnvironmentBroken(
            f"The list of packages {path} can't be read: {error.strerror}.",
            remedy="Install the studio again.",
        ) from error
    pins = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    versions: dict[str, str] = {}
    for pin in pins:
        if not (parts := _PIN.fullmatch(pin)):
            raise EnvironmentBroken(f"{path}: {pin[:100]!r} pins no version.")
        versions[normal(parts[1])] = parts[2]
    digest = hashlib.sha256("\n".join(sorted(pins)).encode()).hexdigest()
    return Lock(path, digest, versions)


def normal(name: str) -> str:
    """Return a package's name in the one spelling that compares."""
    return re.sub(r"[-_.]+", "-", name).lower()
