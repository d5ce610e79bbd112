"""Getting the pinned packages through the registries' own clients."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from services.inference.engines.composer.sounds.recipe import Package

_TIMEOUT_S = 600


class SourceUnavailable(Exception):
    """A package can't be had; the text says which and why."""


def fetch(package: Package, folder: Path) -> Path:
    """Return the package's file in `folder`, downloaded if it isn't there.

    Raises SourceUnavailable, also where the file isn't the pinned one.
    """
    path = folder / package.file
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _run(_command(package, folder), package, folder)
    if not path.exists():
        raise SourceUnavailable(f"{package.name} {package.version} holds no {package.file}.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != package.sha256:
        raise SourceUnavailable(f"{package.file} isn't the pinned file: its SHA-256 is {found}.")
    return path


def _command(package: Package, folder: Path) -> list[str]:
    wanted = f"{package.name}=={package.version}"
    if package.registry == "pypi":
        return [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                "--no-deps", "--only-binary", ":all:", "--dest", str(folder), wanted]  # fmt: skip
    npm = shutil.which("npm")
    if npm is None:
        raise SourceUnavailable(f"npm, which fetches {package.name}, is not installed.")
    return [npm, "pack", "--silent", f"{package.name}@{package.version}"]


def _run(command: list[str], package: Package, folder: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603  # the commands above, with pinned names
            command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceUnavailable(f"{package.name} can't be fetched: {error}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise SourceUnavailable(f"{package.name} can't be fetched: {lines[-1]}")
