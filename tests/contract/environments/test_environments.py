"""Environments are made, checked, repaired and removed, with real Pythons and a real pip."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from musicgen.errors import (
    Cancelled,
    DiskFull,
    DownloadFailed,
    EnvironmentBroken,
    EnvironmentMissing,
    ModelNotFound,
)
from musicgen.progress import Progress
from services.inference.environments.environments import Environments, State
from services.inference.environments.families import Family
from services.inference.environments.records import site_packages
from tests.contract.environments.conftest import Place, processes
from tests.contract.environments.wheels import wheel

pytestmark = pytest.mark.contract

DAWN = ("morning", "dawn==1.0", "dusk==1.0")


def says(python: Path, code: str) -> str:
    """What a line of code prints in an environment, as a host runs there."""
    command = [str(python), "-I", "-c", code]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return answer.stdout.strip() or answer.stderr.strip().splitlines()[-1]


def version_of_dawn(environments: Environments, engine: str) -> str:
    """The version of dawn that an engine's host would import."""
    return says(environments.python(engine), "import dawn; print(dawn.VERSION)")


def test_two_engines_with_clashing_pins(place: Place) -> None:
    """Each engine has its own version of a package beside the studio's own code, nothing of
    the core's packages, and progress that only rises."""
    environments = place.environments(DAWN, ("evening", "dawn==2.0"))
    assert environments.status("morning").state is State.ABSENT
    for name in ("morning", "evening"):
        environments.setup(name, place.reports.append)
    assert version_of_dawn(environments, "morning-engine") == "1.0"
    assert version_of_dawn(environments, "evening") == "2.0"

    python = environments.python("morning")
    host = "import musicgen.engine.base as b, services.inference.registry; print(b.MIX_FILE)"
    assert "jsonschema" in says(python, host)  # our code is found; its package is not there
    assert says(python, "import musicgen.engine.base as b; print(b.MIX_FILE)") == "mix.wav"
    assert "No module named 'numpy'" in says(python, "import numpy")

    found = environments.status("morning")
    assert (found.state, found.device_build) == (State.READY, "none")
    assert found.size_bytes > 1_000_000
    first = place.reports[: [report.stage for report in place.reports].index("done") + 1]
    stages = list(dict.fromkeys(report.stage for report in first))
    assert stages == ["creating", "packages", "installing", "testing", "saving", "done"]
    fractions = [report.fraction for report in first]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(place.left()) == 4
    # A second set-up of one that is ready does nothing.
    place.reports.clear()
    environments.setup("morning", place.reports.append)
    assert [report.stage for report in place.reports] == ["done"]


def test_repair(place: Place) -> None:
    """A file that is gone or changed is found and put right, and what is not damaged stays
    as it is; without the record of a package the status says so by itself."""
    environments = place.environments(DAWN)
    environments.setup("morning", place.reports.append)
    used = (place.root / "engines" / "morning").readlink()
    environments.setup("morning", place.reports.append, "repair")
    assert (place.root / "engines" / "morning").readlink() == used

    package = site_packages(place.root / "engines" / "morning") / "dawn"
    (package / "__init__.py").write_text("VERSION = '1.1'\n")
    environments.setup("morning", place.reports.append, "repair")
    assert any("dawn/__init__.py has changed" in report.detail for report in place.reports)
    assert version_of_dawn(environments, "morning") == "1.0"
    assert len(place.left()) == 2

    shutil.rmtree(package.with_name("dawn-1.0.dist-info"))
    broken = environments.status("morning")
    assert broken.state is State.BROKEN
    assert "dawn" in broken.detail
    with pytest.raises(EnvironmentBroken) as caught:
        environments.python("morning")
    assert caught.value.remedy == "Repair it: musicgen engines setup morning --repair."
    environments.setup("morning", place.reports.append)
    assert version_of_dawn(environments, "morning") == "1.0"


def test_another_version_of_the_studio(place: Place) -> None:
    """New pins make an environment outdated; a set-up that is cancelled leaves it as it was,
    one that ends replaces it."""
    place.environments(DAWN).setup("morning", place.reports.append)
    environments = place.environments(("morning", "dawn==2.0"))
    outdated = environments.status("morning")
    assert outdated.state is State.OUTDATED
    with pytest.raises(EnvironmentMissing, match="outdated"):
        environments.python("morning")

    left = place.left()
    seen: list[Progress] = []

    def cancel(progress: Progress) -> None:
        seen.append(progress)
        if progress.stage == "packages":
            raise Cancelled("Enough.")

    with pytest.raises(Cancelled):
        environments.setup("morning", cancel)
    assert seen[-1].stage == "packages"
    assert place.left_in_the_end(left) == left
    assert environments.status("morning") == outdated

    environments.setup("morning", place.reports.append)
    assert version_of_dawn(environments, "morning") == "2.0"
    assert len(place.left()) == 2


def test_another_installation(place: Place) -> None:
    """An environment whose link to the studio's code leads elsewhere is linked anew, without
    being made anew; one whose data folder was moved works as before."""
    environments = place.environments(DAWN)
    environments.setup("morning", place.reports.append)
    link = place.root / "engines" / "morning"
    used = link.readlink()
    studio = link / "studio" / "musicgen"
    studio.unlink()
    studio.symlink_to(place.folder)
    assert environments.status("morning").state is State.OUTDATED
    environments.setup("morning", place.reports.append)
    assert environments.status("morning").state is State.READY
    assert link.readlink() == used

    moved = place.folder / "elsewhere"
    place.root.rename(moved)
    place.root = moved
    again = Environments(moved, environments._families)
    assert version_of_dawn(again, "morning") == "1.0"


def test_remove(place: Place) -> None:
    """What is removed leaves nothing; removing what isn't there is fine."""
    environments = place.environments(DAWN)
    environments.setup("morning", place.reports.append)
    for _ in range(2):
        environments.setup("morning", place.reports.append, "remove")
        assert place.left() == []
        assert environments.status("morning").state is State.ABSENT
    with pytest.raises(EnvironmentMissing) as caught:
        environments.python("morning-engine")
    assert caught.value.reason == "ENVIRONMENT_MISSING"
    assert caught.value.remedy == "Set it up: musicgen engines setup morning."


SET_UP = """
import sys
import time
from pathlib import Path
from services.inference.environments.environments import Environments
from services.inference.environments.families import Family
root, lock, name, last = sys.argv[1:]
def report(progress):
    print(progress.stage, flush=True)
    if progress.stage == last:
        time.sleep(5)  # the killer needs a moment, and the stage may be over sooner
family = Family(name, Path(lock), (name,), ("dawn",), {})
Environments(Path(root), {name: family}).setup(name, report)
"""


@pytest.mark.parametrize("stage", ["creating", "packages", "testing"])
def test_kill_9(place: Place, stage: str) -> None:
    """A set-up that is killed leaves no process and nothing that counts as ready, whatever
    it was doing; the next one cleans up and succeeds."""
    environments = place.environments(DAWN)
    lock = place.folder / "morning.txt"
    command = [sys.executable, "-c", SET_UP, str(place.root), str(lock), "morning", stage]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != stage:
            pass
        process.send_signal(signal.SIGKILL)
    assert place.left() != []
    assert environments.status("morning").state is State.ABSENT
    until_s = time.monotonic() + 20
    while processes(str(place.root)) and time.monotonic() < until_s:
        time.sleep(0.02)
    assert processes(str(place.root)) == []
    environments.setup("morning", place.reports.append)
    assert version_of_dawn(environments, "morning") == "1.0"
    assert len(place.left()) == 2


def test_cancel_while_python_is_made(place: Place) -> None:
    """A cancellation ends the programs of the set-up at once and leaves nothing."""
    environments = place.environments(DAWN)
    running: list[str] = []

    def cancel(_progress: Progress) -> None:
        if found := [line for line in processes(str(place.root)) if "ensurepip" in line]:
            running.extend(found)
            raise Cancelled("Enough.")

    with pytest.raises(Cancelled):
        environments.setup("morning", cancel)
    assert running
    assert place.left_in_the_end() == []
    assert processes(str(place.root)) == []


def test_two_set_ups_at_once(place: Place) -> None:
    """The second waits for the first, and finds the work done."""
    environments = place.environments(DAWN)
    started = threading.Event()
    first = threading.Thread(
        target=environments.setup, args=("morning", lambda _progress: started.set())
    )
    first.start()
    assert started.wait(20)
    environments.setup("morning", place.reports.append)
    first.join()
    assert {report.stage for report in place.reports} == {"waiting", "done"}


def test_what_is_not_offered(place: Place) -> None:
    """A version that no index has is DOWNLOAD_FAILED, and leaves nothing."""
    environments = place.environments(("morning", "dawn==3.0"))
    with pytest.raises(DownloadFailed, match=r"dawn==3\.0"):
        environments.setup("morning", place.reports.append)
    assert place.left_in_the_end() == []


def test_package_that_is_damaged(place: Place) -> None:
    """A wheel that is no archive, or whose import fails, never becomes an environment."""
    wheel(place.wheels, "gloom", "1.0", "raise OSError('libgloom.so is missing')")
    environments = place.environments(("night", "gloom==1.0"))
    with pytest.raises(EnvironmentBroken, match=r"libgloom\.so is missing"):
        environments.setup("night", place.reports.append)
    assert place.left_in_the_end() == []
    assert environments.status("night").state is State.ABSENT


def test_no_room(place: Place) -> None:
    """A disk with too little room is said before anything is written to it."""
    lock = place.folder / "huge.txt"
    lock.write_text("dawn==1.0\n")
    huge = Family("huge", lock, ("huge",), (), {"cpu": 1 << 60})
    with pytest.raises(DiskFull, match="needs") as caught:
        Environments(place.root, {"huge": huge}).setup("huge", place.reports.append)
    assert caught.value.metadata["needed_bytes"] == str(1 << 60)
    assert place.left_in_the_end() == []


@pytest.mark.parametrize("size", ["6m", "40m"])
def test_disk_full(place: Place, size: str) -> None:
    """A disk that fills up while Python is made, or while packages are installed, is
    DISK_FULL and left as it was; with room the same set-up succeeds."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("needs to mount a small file system")
    place.root.mkdir()
    wheel(place.wheels, "bulk", "1.0", filler_bytes=24 << 20)
    environments = place.environments(("morning", "bulk==1.0"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place.root)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("can't mount here")
    try:
        with pytest.raises(DiskFull):
            environments.setup("morning", place.reports.append)
        assert place.left_in_the_end() == []
        assert environments.status("morning").state is State.ABSENT
    finally:
        subprocess.run(["umount", str(place.root)], check=True)


def test_torch_from_an_index_of_ones_own(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only torch is taken from the index that MUSICGEN_TORCH_INDEX names; a torch that
    doesn't work is no environment."""
    index = place.folder / "index" / "torch"
    wheel(index, "torch", "1.0", "raise ImportError('that of the index')")
    links = "".join(f'<a href="{path.name}">{path.name}</a>' for path in index.glob("*.whl"))
    (index / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
    monkeypatch.setenv("MUSICGEN_TORCH_INDEX", index.parent.as_uri())
    monkeypatch.delenv("PIP_NO_INDEX")
    environments = place.environments(("noon", "torch==1.0"))
    save = place.root / "settings"
    save.mkdir(parents=True)
    (save / "device.json").write_text('{"device": "cpu"}')
    with pytest.raises(EnvironmentBroken, match="that of the index"):
        environments.setup("noon", place.reports.append)
    assert place.left_in_the_end() == []


def test_unknown_engine(place: Place) -> None:
    """An engine without an environment is MODEL_NOT_FOUND."""
    with pytest.raises(ModelNotFound):
        place.environments(DAWN).status("composer")
