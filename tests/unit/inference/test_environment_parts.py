"""The parts of a set-up that only read and count."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from musicgen.errors import (
    ChecksumMismatch,
    DiskFull,
    DownloadFailed,
    EnvironmentBroken,
    EnvironmentMissing,
    StudioError,
)
from musicgen.progress import Progress
from musicgen.settings import SettingsError
from musicgen.testing.fake_engine import MANIFEST
from services.inference import registry
from services.inference.environments import marker
from services.inference.environments.builds import CPU, CU130, NONE
from services.inference.environments.commands import child_environment, run
from services.inference.environments.course import Course
from services.inference.environments.environments import Environments
from services.inference.environments.families import FAMILIES
from services.inference.environments.lock import normal, read_lock
from services.inference.environments.making import stages
from services.inference.environments.pip_output import PipProgress, failure

pytestmark = pytest.mark.unit

PIP = """\
Looking in links: /opt/wheels
Processing /opt/wheels/torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl
Collecting espeak_english==0.1.1 (from -r lock.txt (line 3))
  Downloading espeak_english-0.1.1-py3-none-any.whl (700 kB)
Progress 0 of 700000
Progress 350000 of 700000
"""


def test_locks_of_the_studio() -> None:
    """Every family's lock pins all that its engines need, without local versions or hashes,
    and names nothing that only one build of torch has."""
    for family in FAMILIES.values():
        lock = read_lock(family.lock)
        text = family.lock.read_text()
        assert "+" not in "".join(lock.versions.values())
        assert "sha256" not in text
        assert not any(name.startswith(("nvidia-", "cuda-", "triton")) for name in lock.versions)
        needed = {"grpcio", "protobuf", "structlog", "jsonschema", "pip"}
        assert needed <= set(lock.versions)
        tested = {normal(module.partition(".")[0]) for module in family.imports}
        assert tested - {"musicgen"} <= set(lock.versions)
    assert read_lock(FAMILIES["diffrhythm"].lock).torch == "2.13.0"


def test_lock(tmp_path: Path) -> None:
    """Comments don't change what a lock is, pins do; a line that pins nothing is refused."""
    path = tmp_path / "lock.txt"
    path.write_text("# one\nA_b.c[x]==1.0 ; python_version < '3.12'\n")
    first = read_lock(path)
    assert first.versions == {"a-b-c": "1.0"}
    assert (first.torch, first.pip) == ("", "")
    path.write_text("\n# two\n\nA_b.c[x]==1.0 ; python_version < '3.12'\n")
    assert read_lock(path).sha256 == first.sha256
    path.write_text("A_b.c==1.1\n")
    assert read_lock(path).sha256 != first.sha256
    for wrong in ("a>=1", "--index-url x", "a @ file:///a.whl", "a==1 --hash=sha256:0"):
        path.write_text(wrong)
        with pytest.raises(EnvironmentBroken, match="pins no version"):
            read_lock(path)
    with pytest.raises(EnvironmentBroken, match="can't be read"):
        read_lock(tmp_path / "nowhere")


def test_progress_of_pip() -> None:
    """Packages and bytes are counted from what pip says; the count never passes the whole."""
    now_s = 0.0
    said = PipProgress(4, clock=lambda: now_s)
    assert (said.fetched, said.packages, said.within) == (0, 4, 0.0)
    for line in PIP.splitlines():
        said.line(line)
    now_s = 0.5
    assert (said.current, said.fetched, said.packages) == ("espeak-english", 1, 4)
    assert said.within == 0.5
    assert dataclasses.astuple(said.transfer or MANIFEST) == (350_000, 700_000, 700_000.0)
    for name in "abcde":
        said.line(f"Collecting {name}==1")
    assert (said.fetched, said.packages, said.transfer) == (6, 7, None)
    said.line("Installing collected packages: a, b")
    assert (said.installing, said.fetched, said.packages) == (True, 7, 7)


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", DiskFull),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", ChecksumMismatch),
        ("ReadTimeoutError: HTTPSConnectionPool: Max retries exceeded", DownloadFailed),
        ("ERROR: No matching distribution found for torch==9", DownloadFailed),
        ("Traceback\nKeyError: 'x'", EnvironmentBroken),
        ("", EnvironmentBroken),
    ],
)
def test_why_pip_failed(output: str, error: type[StudioError]) -> None:
    """Each way to fail has its reason and a remedy."""
    found = failure(output)
    assert type(found) is error
    assert found.remedy


def test_course() -> None:
    """Stages have their shares, the fraction never falls, and an ETA comes when a part of
    the work was timed."""
    reports: list[Progress] = []
    now_s = 0.0
    course = Course([("a", 1.0), ("b", 3.0)], reports.append, clock=lambda: now_s)
    course.at("a")
    now_s = 5.0
    course.at("a", 1, 2, within=0.5)
    course.at("b", 1, 2)
    course.at("b", 1, 4)
    course.again()
    assert [round(report.fraction, 4) for report in reports] == [0.0, 0.1875, 0.625, 0.625, 0.625]
    assert reports[0].eta_s is None
    assert reports[2].eta_s == pytest.approx(3.0)
    assert sum(weight for _, weight in stages(CU130)) > 5 * sum(w for _, w in stages(CPU))
    assert "torch" not in dict(stages(NONE))


def test_marker(tmp_path: Path) -> None:
    """A marker is read as it was written; anything else is none."""
    written = marker.Marker("a", "0", "3.11.7", "linux", "cpu", {"a": "1"}, 5)
    marker.write(tmp_path, written)
    assert marker.read(tmp_path) == written
    path = tmp_path / marker.FILE
    good: dict[str, Any] = json.loads(path.read_text())
    wrong: list[Any] = [
        {**good, "format": 2},
        {**good, "packages": []},
        {**good, "build": 1},
        {},
        [],
        None,
    ]
    for values in (*wrong, {**good, "more": 1}):
        path.write_text(json.dumps(values))
        assert marker.read(tmp_path) is None
    path.write_text("{")
    assert marker.read(tmp_path) is None
    marker.remove(tmp_path)
    assert marker.read(tmp_path) is None


def _idle() -> None:
    """Do nothing between the lines."""


def test_run(tmp_path: Path) -> None:
    """Lines come as they are said, exit codes as they are, also of a program that isn't there
    or was killed; one that falls silent is stopped."""
    env = child_environment(tmp_path)
    lines: list[str] = []
    code = "import sys; print('one\\rtwo'); print('three', file=sys.stderr); sys.exit(7)"
    ended = run([sys.executable, "-c", code], env=env, tick=_idle, on_line=lines.append)
    assert (ended.code, set(lines)) == (7, {"one", "two", "three"})
    assert run(["/nonexistent"], env=env, tick=_idle).code == 127
    killed = "import os; os.kill(os.getpid(), 9)"
    assert run([sys.executable, "-c", killed], env=env, tick=_idle).code == 137
    endless = "print('x' * 1_000_000); import time; time.sleep(600)"
    with pytest.raises(TimeoutError):
        run([sys.executable, "-c", endless], env=env, tick=_idle, stall_s=0.5)


def test_children_know_no_other_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would lead pip or Python astray is not passed on."""
    for name in ("PYTHONPATH", "PIP_TARGET", "VIRTUAL_ENV", "PIP_USER", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "1")
    env = child_environment(tmp_path)
    assert not {"PYTHONPATH", "PIP_TARGET", "VIRTUAL_ENV"} & set(env)
    assert (env["PIP_USER"], env["PIP_INDEX_URL"], env["TMPDIR"]) == ("0", "1", str(tmp_path))


def entry(**changes: Any) -> dict[str, Any]:
    """An engine of the diffrhythm environment, for the registry's file."""
    engine = {"environment": "diffrhythm", "engine": "my.package:Mine"}
    return {**engine, "manifest": dataclasses.asdict(MANIFEST), **changes}


def written(path: Path, *entries: dict[str, Any]) -> Path:
    """A registry file."""
    path.write_text(json.dumps({"engines": entries}))
    return path


def test_engine_of_an_environment(tmp_path: Path) -> None:
    """An engine whose environment is missing is listed with its manifest, and starting it
    says what to do."""
    file = written(tmp_path / "e.json", entry())
    for environments in (Environments(tmp_path), None):
        engine = registry.load_registry(file, environments)["fake"]
        assert engine.environment == "diffrhythm"
        assert engine.manifest() == MANIFEST
        with pytest.raises(EnvironmentMissing) as caught:
            _ = engine.command
        assert "musicgen engines setup" in caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"engine": "my.package"}, "my.package:MyEngine"),
        ({"engine": 1}, "my.package:MyEngine"),
        ({"environment": "../x"}, "environment"),
    ],
)
def test_engine_of_an_environment_that_is_wrong(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    """What can't be a class or an environment is refused when the file is read."""
    with pytest.raises(SettingsError, match=words):
        registry.load_registry(written(tmp_path / "e.json", entry(**changes)))


def test_built_in_engine_of_an_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A built-in engine's manifest comes from a module that needs nothing of its environment."""
    engine = registry.BuiltIn(
        "musicgen.testing.nowhere:Engine", "diffrhythm", "musicgen.testing.fake_engine:MANIFEST"
    )
    monkeypatch.setattr(registry, "BUILT_IN", {"fake": engine})
    found = registry.load_registry(None, Environments(tmp_path))["fake"]
    assert found.manifest() == MANIFEST
    with pytest.raises(EnvironmentMissing):
        _ = found.command


def test_core_loads_no_torch() -> None:
    """Importing the registry and the environments brings no torch with it."""
    code = (
        "import sys, services.inference.registry, services.inference.devices.listing; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
