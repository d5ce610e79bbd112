"""How an environment finds the studio's own code.

An engine's host imports `musicgen` and `services`. Installing them there would freeze a copy
that is older than the service after the next update, so the environment gets a folder with
two links, and a .pth file that puts this folder on its path. The folder that holds them (a
checkout, or the core's site-packages) must not be on the path itself: the core's numpy would
come with it.
"""

from __future__ import annotations

from pathlib import Path

import musicgen
import services
from services.inference.environments.records import site_packages

_FOLDER = "studio"
_PTH = "studio.pth"


def link(folder: Path) -> None:
    """Let an environment find the code that runs this service. Raises OSError."""
    links = folder / _FOLDER
    links.mkdir(exist_ok=True)
    for name, target in _code().items():
        (links / name).unlink(missing_ok=True)
        (links / name).symlink_to(target, target_is_directory=True)
    # Relative to the .pth file, so that the data folder may be moved.
    (site_packages(folder) / _PTH).write_text(f"../../../{_FOLDER}\n", encoding="utf-8")


def is_linked(folder: Path) -> bool:
    """Whether an environment finds the code that runs this service, and no other."""
    if not (site_packages(folder) / _PTH).is_file():
        return False
    try:
        return all(
            (folder / _FOLDER / name).resolve(strict=True) == target
            for name, target in _code().items()
        )
    except OSError:
        return False


def _code() -> dict[str, Path]:
    packages = {"musicgen": musicgen, "services": services}
    return {name: Path(next(iter(found.__path__))).resolve() for name, found in packages.items()}
