"""Makes one environment in a folder of its own: Python, torch, packages, smoke run."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musicgen.errors import DiskFull, DownloadFailed, EnvironmentBroken, StudioError
from musicgen.progress import Progress
from services.inference.environments import marker, records, studio_link
from services.inference.environments.builds import NONE, Build, platform_name
from services.inference.environments.commands import TICK_S, Ended, child_environment, run
from services.inference.environments.course import Course
from services.inference.environments.families import Family
from services.inference.environments.lock import Lock
from services.inference.environments.pip_output import PipProgress, failure

TORCH_INDEX = "MUSICGEN_TORCH_INDEX"
"""Names the package index to take torch from; empty: only those of pip's configuration."""

CREATING = "creating"
TORCH = "torch"
PACKAGES = "packages"
INSTALLING = "installing"
TESTING = "testing"
SAVING = "saving"
_TORCH_FETCH_SHARE = 0.7
"""Of the stage of torch; unpacking is the rest."""

# Seconds, measured for the CPU with all packages near; a card's build of torch and its
# libraries are about ten times as large.
_WEIGHTS = {CREATING: 7.0, TORCH: 7.0, PACKAGES: 4.0, INSTALLING: 2.0, TESTING: 6.0, SAVING: 6.0}
_CARD_FACTOR = 10.0
_NO_ENSUREPIP = re.compile("No module named '?ensurepip|ensurepip is not available")
_GB = 1e9

FULL_BYTES = 1 << 20
"""A disk with less than this left is full."""


def stages(build: Build) -> list[tuple[str, float]]:
    """Return the stages of a set-up with their weights."""
    factor = 1.0 if build.kind in ("cpu", "mps") else _CARD_FACTOR
    return [
        (name, weight * (factor if name in (TORCH, PACKAGES, INSTALLING, SAVING) else 1.0))
        for name, weight in _WEIGHTS.items()
        if name != TORCH or build is not NONE
    ]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make, and where. `held` is a descriptor of the lock that this set-up holds."""

    family: Family
    lock: Lock
    build: Build
    folder: Path
    held: int | None = None


class Making:
    """One set-up: `Making(plan, report).run()`. Blocks; `report` may raise to cancel."""

    def __init__(self, plan: Plan, report: Callable[[Progress], None]) -> None:
        self._plan = plan
        self._report = report
        self._course = Course(stages(plan.build), report)
        self._temporary = plan.folder / "tmp"
        self._env: Mapping[str, str] = child_environment(self._temporary)

    def run(self) -> None:
        """Make the environment, complete with its marker. Raises DiskFull, DownloadFailed,
        ChecksumMismatch, EnvironmentBroken; the caller removes what is there then."""
        self._course.at(CREATING)
        with full_disk_is_said():
            self._temporary.mkdir(parents=True)
        self._check_disk()
        self._create()
        if self._plan.build is not NONE:
            self._install_torch()
        self._install_packages()
        with full_disk_is_said():
            studio_link.link(self._plan.folder)
            found = self._smoke()
            shutil.rmtree(self._temporary)
            self._save()
            marker.write(self._plan.folder, self._marker(found))

    def test_again(self) -> None:
        """Link the studio's code and repeat the smoke run of an environment that is there.
        Raises EnvironmentBroken, DiskFull."""
        self._course = Course([(TESTING, 1.0)], self._report)
        with full_disk_is_said():
            self._temporary.mkdir(exist_ok=True)
            studio_link.link(self._plan.folder)
            try:
                found = self._smoke()
            finally:
                shutil.rmtree(self._temporary, ignore_errors=True)
            marker.write(self._plan.folder, self._marker(found))

    def _check_disk(self) -> None:
        needed = self._plan.family.disk_bytes.get(self._plan.build.kind, 0)
        free = shutil.disk_usage(self._plan.folder).free
        if free < needed:
            raise DiskFull(
                f"The environment needs {needed / _GB:.1f} GB while it is made, but "
                f"{free / _GB:.1f} GB are free.",
                remedy=f"Free {(needed - free) / _GB:.1f} GB more, then set the engine up again.",
                metadata={"needed_bytes": str(needed), "free_bytes": str(free)},
            )

    def _create(self) -> None:
        folder = str(self._plan.folder)
        # pip in a step of its own: venv keeps what it says to itself.
        self._do([sys.executable, "-I", "-m", "venv", "--without-pip", folder])
        python = str(self._plan.folder / "bin" / "python")
        self._do([python, "-I", "-m", "ensurepip", "--default-pip"])
        if version := self._plan.lock.pip:
            self._pip(["install", "--quiet", f"pip=={version}"], self._course.again)

    def _do(self, command: Sequence[str]) -> None:
        ended = self._run(command, self._course.again)
        if ended.code and _NO_ENSUREPIP.search(ended.text):
            raise EnvironmentBroken(
                "This Python has no ensurepip, which makes environments.",
                remedy="Install it (Debian, Ubuntu: apt install python3-venv), then try again.",
            )
        if ended.code:
            raise self._failure(ended)

    def _install_torch(self) -> None:
        detail = f"torch {self._plan.lock.torch} for {self._plan.build.name}"
        self._course.at(TORCH, detail=detail)
        wanted, index = self._torch_source()
        said = PipProgress(1)

        def tick() -> None:
            share = 1.0 if said.installing else said.within
            share *= _TORCH_FETCH_SHARE
            self._course.at(TORCH, within=share, detail=detail, transfer=said.transfer)

        arguments = ["install", *self._pip_options(), "--no-deps", *index, wanted]
        self._pip(arguments, tick, said.line)

    def _torch_source(self) -> tuple[str, list[str]]:
        """Return what to ask pip for, and where from.

        The index is asked for torch only: everything else comes from where pip is
        configured to look, so that no other index can slip a package in.
        """
        plain, tag = f"torch=={self._plan.lock.torch}", self._plan.build.tag
        index = os.environ.get(TORCH_INDEX)
        if index is not None:
            return plain, ["--index-url", index] if index else []
        if not tag:
            return plain, []
        exact = f"{plain}+{tag}"
        # A machine whose pip is told where that very file lies needs no other index.
        asked = self._run_pip(
            ["install", "--quiet", "--dry-run", "--no-deps", "--only-binary", ":all:", exact],
            self._course.again,
        )
        return exact, [] if asked.code == 0 else ["--index-url", self._plan.build.index]

    def _install_packages(self) -> None:
        build = self._plan.build
        said = PipProgress(len(self._plan.lock.versions) + build.more_packages)
        self._course.at(PACKAGES, 0, said.packages)
        before = len(records.installed(self._plan.folder))

        def tick() -> None:
            if not said.installing:
                self._course.at(
                    PACKAGES,
                    said.fetched,
                    said.packages,
                    within=said.within,
                    detail=said.current,
                    transfer=said.transfer,
                )
                return
            new = max(1, said.packages - before)
            done = len(records.installed(self._plan.folder)) - before
            self._course.at(INSTALLING, min(done, new), new)

        # ROCm's own libraries for torch lie beside it; CUDA's are on the usual index.
        more = ["--extra-index-url", build.index] if build.kind == "rocm" else []
        arguments = ["install", *self._pip_options(), *more, "-r", str(self._plan.lock.path)]
        self._pip(arguments, tick, said.line)
        self._course.at(INSTALLING, said.packages, said.packages)

    def _pip_options(self) -> list[str]:
        # Wheels only: no package's own code runs while it is installed.
        options = ["--no-compile", "--only-binary", ":all:"]
        version = records.installed(self._plan.folder).get("pip", "0")
        major_minor = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        return [*options, "--progress-bar", "raw" if major_minor >= (24, 1) else "off"]

    def _smoke(self) -> Mapping[str, Any]:
        self._course.at(TESTING)
        family, build = self._plan.family, self._plan.build
        command = [str(self._plan.folder / "bin" / "python"), "-I", "-m", "musicgen.engine.smoke"]
        for module in family.imports:
            command += ["--import", module]
        if build is not NONE:
            command += ["--torch-build", build.name]
        ended = self._run(command, self._course.again)
        said = (ended.lines or ("it said nothing",))[-1]
        if ended.code:
            if isinstance(found := self._failure(ended), DiskFull):
                raise found
            raise EnvironmentBroken(
                f"The new environment of {family.name} does not work: {said[:300]}.",
                remedy="Check the graphics driver if a card is named, then set it up again; the "
                "service's log says more.",
                metadata={"engine": family.name, "build": build.name},
            )
        try:
            found = json.loads(said)
            if not isinstance(found["packages"], dict):
                raise TypeError("packages")
        except (ValueError, KeyError, TypeError) as error:
            raise EnvironmentBroken(f"The smoke run's answer can't be read: {said}.") from error
        self._course.at(TESTING, 1, 1)
        return dict(found)

    def _save(self) -> None:
        """Wait until all files are on the disk: pip leaves them to the system's cache, and a
        marker must not survive them. The wait can be cancelled, though the system goes on."""
        self._course.at(SAVING)
        saving = threading.Thread(target=os.sync, daemon=True)
        saving.start()
        while saving.is_alive():
            saving.join(TICK_S)
            self._course.again()

    def _marker(self, found: Mapping[str, Any]) -> marker.Marker:
        return marker.Marker(
            family=self._plan.family.name,
            lock_sha256=self._plan.lock.sha256,
            python=platform.python_version(),
            platform=platform_name(),
            build=self._plan.build.name,
            packages=found["packages"],
            size_bytes=records.size_bytes(self._plan.folder),
        )

    def _pip(
        self,
        arguments: Sequence[str],
        tick: Callable[[], None],
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        ended = self._run_pip(arguments, tick, on_line)
        if ended.code:
            raise self._failure(ended)

    def _failure(self, ended: Ended) -> StudioError:
        """Return the error of a program that failed. Not every program tells why, so the disk
        is asked, too."""
        found = failure(ended.text)
        if shutil.disk_usage(self._plan.folder).free < FULL_BYTES:
            return disk_full()
        return found

    def _run_pip(
        self,
        arguments: Sequence[str],
        tick: Callable[[], None],
        on_line: Callable[[str], None] | None = None,
    ) -> Ended:
        python = str(self._plan.folder / "bin" / "python")
        return self._run([python, "-I", "-u", "-m", "pip", *arguments], tick, on_line)

    def _run(
        self,
        command: Sequence[str],
        tick: Callable[[], None],
        on_line: Callable[[str], None] | None = None,
    ) -> Ended:
        try:
            return run(command, env=self._env, tick=tick, on_line=on_line, held=self._plan.held)
        except TimeoutError as error:
            raise DownloadFailed(f"The set-up was stopped: {error}.") from error


@contextlib.contextmanager
def full_disk_is_said() -> Iterator[None]:
    """Raise DiskFull for an OSError that says so."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise disk_full() from error
        raise


def disk_full() -> DiskFull:
    """Return the error that says so."""
    return DiskFull(
        "The disk filled up while the environment was made.",
        remedy="Free some disk space, then set the engine up again.",
    )
