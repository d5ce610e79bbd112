"""Disks of the suite's own, small enough to be filled: this process moves into a mount
namespace, where mounting needs no rights outside and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_INSIDE = "MUSICGEN_CHAOS_NAMESPACE"
_WAYS = (["--mount"], ["--user", "--map-root-user", "--mount"])
"""As root; and as anybody, where the kernel lets people have user namespaces."""


class NoNamespace(Exception):
    """This machine lets nobody mount a disk of their own."""


def find_way() -> list[str]:
    """Return the command that a program in such a namespace begins with. Raises NoNamespace."""
    unshare, mount = shutil.which("unshare"), shutil.which("mount")
    if not unshare or not mount:
        raise NoNamespace("unshare and mount (util-linux) are not installed")
    said = ""
    for way in _WAYS:
        tried = subprocess.run(
            [unshare, *way, mount, "-t", "tmpfs", "none", "/mnt"],
            capture_output=True,
            text=True,
            check=False,
        )
        if tried.returncode == 0:
            return [unshare, *way]
        said = tried.stderr.strip()
    raise NoNamespace(f"neither root nor a user namespace may mount a tmpfs here: {said}")


def enter(command: list[str]) -> None:
    """Go on as `command` inside a namespace; returns if this process is in one already.
    Raises NoNamespace."""
    if os.environ.get(_INSIDE) != "1":
        way = find_way()
        sys.stdout.flush()
        os.execvpe(way[0], [*way, *command], os.environ | {_INSIDE: "1"})  # noqa: S606  # no shell wanted


class SmallDisk:
    """A tmpfs of its own at `folder`."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        """Mount it. Raises CalledProcessError."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._balloon = folder / ".balloon"
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "none", str(folder)]
        subprocess.run(mount, check=True)

    def remove(self) -> None:
        """Take it away with all that is on it, as soon as nobody uses it any more."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)

    @property
    def free_bytes(self) -> int:
        """What can still be written."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Leave no byte free, however much others write or remove meanwhile."""
        size = self._balloon.stat().st_size if self._balloon.exists() else 0
        with self._balloon.open("ab") as file:
            for _ in range(10):
                if not (free := self.free_bytes):
                    return
                with contextlib.suppress(OSError):  # somebody was faster
                    os.posix_fallocate(file.fileno(), size, free)
                    size += free

    def release(self) -> None:
        """Give back what `fill` took."""
        self._balloon.unlink(missing_ok=True)

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Keep it full while the body runs."""
        self.fill()
        try:
            yield
        finally:
            self.release()
