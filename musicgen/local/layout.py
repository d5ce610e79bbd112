"""Where a studio's files lie: data under the data root, sockets in a short private folder."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from musicgen.local.errors import CannotStart

_SOCKET_PATH_LIMIT = 100  # the kernel's is 104 on macOS, 108 on Linux
_LONGEST_NAME = "/engines/composer-xxxxxxxx.sock"


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one studio. `studio_id` is made of the data root's path."""

    data_root: Path
    sockets: Path
    studio_id: str

    @classmethod
    def make(cls, data_root: Path, environ: Mapping[str, str]) -> Layout:
        """Make the folders. Raises CannotStart if they can't be made or trusted."""
        try:
            data_root.mkdir(parents=True, exist_ok=True)
            data_root = data_root.resolve()
            (data_root / "logs").mkdir(exist_ok=True)
            (data_root / "valkey").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise CannotStart(
                f"The data folder {data_root} can't be used: {error.strerror}.",
                remedy="Give another one with --data-root or MUSICGEN_HOME.",
            ) from error
        studio_id = hashlib.sha256(os.fsencode(data_root)).hexdigest()[:10]
        return cls(data_root, _private_folder(studio_id, environ), studio_id)

    def socket(self, name: str) -> Path:
        """Return the path of a Unix socket."""
        return self.sockets / f"{name}.sock"

    def address(self, name: str) -> str:
        """Return a Unix socket as services name it."""
        return f"unix:{self.socket(name)}"

    def log(self, name: str) -> Path:
        """Return the path of a part's log."""
        return self.data_root / "logs" / f"{name}.log"


def _private_folder(studio_id: str, environ: Mapping[str, str]) -> Path:
    """Return a folder that only this user can enter, short enough for sockets in it."""
    user = os.getuid()
    candidates = [Path("/tmp") / f"musicgen-{user}-{studio_id}"]  # noqa: S108  # checked below
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        candidates.insert(0, Path(runtime) / f"musicgen-{studio_id}")
    reasons: list[str] = []
    for folder in candidates:
        if len(os.fsencode(folder)) + len(_LONGEST_NAME) > _SOCKET_PATH_LIMIT:
            reasons.append(f"{folder}: too long for a socket")
            continue
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror}")
            continue
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != user:
            # Somebody else made it first, to listen to what is said inside.
            reasons.append(f"{folder}: is not a folder of this user")
            continue
        folder.chmod(0o700)
        (folder / "engines").mkdir(mode=0o700, exist_ok=True)
        return folder
    raise CannotStart(
        "No private folder for sockets: " + "; ".join(reasons) + ".",
        remedy="Set XDG_RUNTIME_DIR to a short folder that belongs to you.",
    )
