"""The environments of this machine: whether they are there, and how they come and go.

    <data>/engines/diffrhythm -> .diffrhythm-1f0c…    the one in use, a link
    <data>/engines/.diffrhythm-1f0c…/                  made there, complete with its marker
    <data>/engines/.diffrhythm.lock                    held while one is made or removed

The programs of an environment know its path, so it is made where it stays; what is swapped
when the smoke run has passed is the link, in one step. A folder that no link leads to is what
a killed set-up left: it is never used, and removed by the next.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import os
import platform
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from musicgen.artifacts import sync_folder
from musicgen.engine import hardware
from musicgen.engine.hardware import Hardware
from musicgen.errors import EnvironmentBroken, EnvironmentMissing, StudioError
from musicgen.progress import Progress
from services.inference.devices.choice import read_choice
from services.inference.environments import marker, records, studio_link
from services.inference.environments.builds import (
    BUILDS,
    NONE,
    Build,
    fitting,
    platform_name,
    serves,
)
from services.inference.environments.commands import TICK_S
from services.inference.environments.families import FAMILIES, Family, family_of
from services.inference.environments.lock import Lock, read_lock
from services.inference.environments.making import Making, Plan, full_disk_is_said

Action = Literal["make", "repair", "remove"]
Report = Callable[[Progress], None]

DISCARD_WAIT_S = 0.5

LOOK_AGAIN_S = 10.0
"""How long a look at the hardware is good for."""


class State(enum.Enum):
    """Whether an environment can be used."""

    ABSENT = "absent"
    READY = "ready"
    BROKEN = "broken"
    OUTDATED = "outdated"


@dataclass(frozen=True, slots=True)
class Status:
    """`python` is there unless the environment is absent. `device_build` is what torch was
    built for, such as "cpu" or "cu130". `detail` says why it is not ready. `size_bytes` is
    what it takes on the disk."""

    state: State
    python: Path | None = None
    device_build: str = ""
    detail: str = ""
    size_bytes: int = 0


class Environments:
    """All environments under a data folder. Every method blocks; for each family one set-up
    runs at a time, also between processes."""

    def __init__(
        self,
        root: Path,
        families: Mapping[str, Family] = FAMILIES,
        *,
        look: Callable[[], Hardware] = hardware.look,
    ) -> None:
        self._root = root.resolve()
        self._engines = self._root / "engines"
        self._families = families
        self._look = look
        self._looked: tuple[float, Hardware] | None = None

    def status(self, engine: str) -> Status:
        """Look whether the environment of an engine is ready: a few files, no program
        started. Raises ModelNotFound for an engine that has none."""
        family = family_of(engine, self._families.values())
        link = self._engines / family.name
        if not os.path.lexists(link):
            return Status(State.ABSENT, detail="it was not set up")
        made = marker.read(link)
        python = link / "bin" / "python"
        if made is None or made.family != family.name:
            return Status(State.BROKEN, python, detail="it is incomplete or damaged")
        build = made.build
        if not os.access(python, os.X_OK):
            return Status(State.BROKEN, python, build, "its Python is gone")
        if gone := records.missing(link, made.packages):
            return Status(State.BROKEN, python, build, f"packages are missing: {', '.join(gone)}")
        try:
            lock = read_lock(family.lock)
        except EnvironmentBroken as error:
            return Status(State.BROKEN, python, build, error.message)
        why = self._why_outdated(made, lock) or (
            "" if studio_link.is_linked(link) else "it belongs to another installation"
        )
        state = State.OUTDATED if why else State.READY
        return Status(state, python, build, why, made.size_bytes)

    def python(self, engine: str) -> Path:
        """Return the interpreter of an environment that is ready. Raises EnvironmentMissing
        or EnvironmentBroken."""
        found = self.status(engine)
        name = family_of(engine, self._families.values()).name
        if found.state is State.READY and found.python is not None:
            return found.python
        set_up = f"musicgen engines setup {name}"
        metadata = {"engine": name, "state": found.state.value}
        if found.state is State.BROKEN:
            raise EnvironmentBroken(
                f"The environment of {name} is damaged: {found.detail}.",
                remedy=f"Repair it: {set_up} --repair.",
                metadata=metadata,
            )
        text = "is not there" if found.state is State.ABSENT else f"is outdated: {found.detail}"
        raise EnvironmentMissing(
            f"The environment of {name} {text}.",
            remedy=f"Set it up: {set_up}.",
            metadata=metadata,
        )

    def choice(self) -> str:
        """Return the id of the device that was chosen, or "auto". Raises InvalidField."""
        return read_choice(self._root)

    def setup(self, engine: str, report: Report, action: Action = "make") -> None:
        """Make, repair or remove an environment. What `report` raises stops that within a
        second, and leaves what was there before.

        "make" does nothing for one that is ready; "repair" compares every file, and makes it
        anew if one differs. End the family's hosts before "repair" and "remove". Raises
        DeviceNotFound, DiskFull, DownloadFailed, ChecksumMismatch, EnvironmentBroken,
        ModelNotFound, OSError.
        """
        family = family_of(engine, self._families.values())
        with full_disk_is_said():
            self._engines.mkdir(parents=True, exist_ok=True)
            with self._turn(family, report) as held:
                self._clean(family)
                if action == "remove":
                    self._remove(family)
                elif not self._is_fine(family, report, held, thorough=action == "repair"):
                    self._make(family, report, held)
                report(Progress("done", 1, 1, 1.0))

    def _is_fine(self, family: Family, report: Report, held: int, *, thorough: bool) -> bool:
        """Whether nothing has to be made; a damage that is found shows in the status."""
        link = self._engines / family.name
        found = self.status(family.name)
        made = marker.read(link)
        if made is None or found.state is State.BROKEN:
            return False
        if thorough and (damage := records.damaged(link, _checking(report))):
            marker.remove(link)
            report(Progress("checking", 1, 1, 0.0, detail=damage))
            return False
        if found.state is State.READY and not thorough:
            return True
        lock = read_lock(family.lock)
        if self._why_outdated(made, lock):
            return False
        # Its packages are right; the studio's code may lie elsewhere now.
        plan = Plan(family, lock, _build(made.build), link.resolve(), held)
        try:
            Making(plan, report).test_again()
        except EnvironmentBroken:
            marker.remove(link)
            return False
        return True

    def _make(self, family: Family, report: Report, held: int) -> None:
        lock = read_lock(family.lock)
        build = fitting(self._hardware(), self.choice()) if lock.torch else NONE
        folder = self._engines / f".{family.name}-{secrets.token_hex(6)}"
        try:
            folder.mkdir(mode=0o700)
            Making(Plan(family, lock, build, folder, held), report).run()
            self._publish(family, folder)
        except BaseException:
            _discard(folder)
            raise
        self._clean(family)

    def _publish(self, family: Family, folder: Path) -> None:
        link, new = self._engines / family.name, folder.with_name(f"{folder.name}.link")
        if link.is_dir() and not link.is_symlink():
            raise EnvironmentBroken(
                f"{link} is not what a set-up made.", remedy="Move that folder away, try again."
            )
        new.symlink_to(folder.name, target_is_directory=True)
        new.replace(link)
        sync_folder(self._engines)

    def _remove(self, family: Family) -> None:
        link = self._engines / family.name
        if link.is_symlink():
            link.unlink()
            sync_folder(self._engines)
        self._clean(family)

    def _clean(self, family: Family) -> None:
        """Remove what no link leads to: left by a set-up that was killed, or replaced."""
        link = self._engines / family.name
        used = link.readlink().name if link.is_symlink() else ""
        for found in self._engines.glob(f".{family.name}-*"):
            if found.name == used or not _is_made_name(found.name, family):
                continue
            if found.is_symlink():
                found.unlink()
            else:
                shutil.rmtree(found, ignore_errors=True)

    @contextlib.contextmanager
    def _turn(self, family: Family, report: Report) -> Iterator[int]:
        """Hold the lock of a family. The programs of a set-up keep it, too, until they have
        ended: a new set-up never meets those of one that was killed."""
        path = self._engines / f".{family.name}.lock"
        held = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    report(Progress("waiting", 0, 1, 0.0, detail="another set-up is running"))
                    time.sleep(TICK_S)
            yield held
        finally:
            os.close(held)

    def _why_outdated(self, made: marker.Marker, lock: Lock) -> str:
        if made.lock_sha256 != lock.sha256:
            return "it was made for another version of the studio"
        minor = platform.python_version_tuple()[:2]
        if tuple(made.python.split(".")[:2]) != minor:
            return f"it has Python {made.python}, but the studio runs on {'.'.join(minor)}"
        if made.platform != platform_name():
            return f"it was made for {made.platform}"
        if not lock.torch:
            return ""
        try:
            choice = self.choice()
        except StudioError as error:
            return error.message
        return serves(_build(made.build), self._hardware(), choice)

    def _hardware(self) -> Hardware:
        now_s = time.monotonic()
        if self._looked is None or now_s - self._looked[0] > LOOK_AGAIN_S:
            self._looked = (now_s, self._look())
        return self._looked[1]


def _discard(folder: Path) -> None:
    """Remove what was not finished. A busy disk must not hold up a cancellation: what takes
    longer goes on behind, and if this process ends meanwhile, the next set-up does it."""
    removing = threading.Thread(
        target=shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True}, daemon=True
    )
    removing.start()
    removing.join(DISCARD_WAIT_S)


def _build(name: str) -> Build:
    return BUILDS.get(name) or Build(name, "cpu")


def _is_made_name(name: str, family: Family) -> bool:
    """Tell ".a-1f0c…" of the family a from the one of a family a-b."""
    token = name.removeprefix(f".{family.name}-").removesuffix(".link")
    return len(token) == 12 and all(digit in "0123456789abcdef" for digit in token)


def _checking(report: Report) -> Callable[[int, int], None]:
    told_s = float("-inf")

    def tick(count: int, files: int) -> None:
        nonlocal told_s
        now_s = time.monotonic()
        if now_s - told_s >= TICK_S:
            report(Progress("checking", count, files, 0.0))
            told_s = now_s

    return tick
