from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from musicgen.progress import Progress
from services.inference.environments.environments import Environments
from tests.contract.environments.wheels import family, wheel


class Place:
    """A data folder, and a package index of wheels that is all that pip knows of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "data"
        self.wheels = folder / "wheels"
        self.reports: list[Progress] = []

    def environments(self, *families: tuple[str, ...]) -> Environments:
        """Environments of families given as (name, pin, ...), each pin like "dawn==1.0"."""
        made = {}
        for name, *pins in families:
            imports = tuple(pin.partition("==")[0] for pin in pins)
            made[name] = family(self.folder, name, *pins, imports=imports)
        return Environments(self.root, made)

    def left(self) -> list[str]:
        """What lies under engines/ beside the locks."""
        names = (path.name for path in (self.root / "engines").iterdir())
        return sorted(name for name in names if not name.endswith(".lock"))

    def left_in_the_end(self, expected: Sequence[str] = ()) -> list[str]:
        """The same, when it is as expected or has had time to become so: what a set-up did
        not finish is removed behind it."""
        until_s = time.monotonic() + 20
        while self.left() != list(expected) and time.monotonic() < until_s:
            time.sleep(0.02)
        return self.left()


def processes(word: str) -> list[str]:
    """The command lines of running processes that have `word` in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if word in line:
            found.append(line)
    return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The place, with dawn 1.0 and 2.0 and dusk 1.0 in its index."""
    made = Place(tmp_path)
    wheel(made.wheels, "dawn", "1.0")
    wheel(made.wheels, "dawn", "2.0")
    wheel(made.wheels, "dusk", "1.0")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.wheels))
    yield made
    assert processes(str(tmp_path)) == []
