from __future__ import annotations

import importlib.util
import io
import shutil
import sys
from pathlib import Path

import pytest

from musicgen.local import doctor, valkey
from musicgen.local.display import Display, may_colour, to_stderr
from musicgen.local.doctor import Verdict, diagnose

pytestmark = pytest.mark.unit


def test_python_and_platform() -> None:
    """Old Pythons and Windows are told what to do."""
    assert doctor.check_python((3, 11, 0)).verdict is Verdict.OK
    assert doctor.check_python((3, 10, 9)).verdict is Verdict.FAILED
    assert doctor.check_platform("Darwin").verdict is Verdict.OK
    windows = doctor.check_platform("Windows")
    assert windows.verdict is Verdict.FAILED
    assert "WSL2" in windows.remedy


def test_disk_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little space or memory is told before it runs out."""
    usage = shutil.disk_usage(tmp_path)
    for free_bytes, verdict in (
        (1 << 20, Verdict.FAILED),
        (2 << 30, Verdict.WARNING),
        (90 << 30, Verdict.OK),
    ):
        changed = usage._replace(free=free_bytes)
        monkeypatch.setattr(shutil, "disk_usage", lambda _, changed=changed: changed)
        assert doctor.check_disk(tmp_path / "not" / "there").verdict is verdict
    monkeypatch.setattr("os.sysconf", lambda name: 4096 if "SIZE" in name else 1000)
    assert doctor.check_memory().verdict is Verdict.WARNING


def test_m4a_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part for M4A may be missing; how to get it is said."""
    assert doctor.check_m4a() == doctor.Finding("m4a", Verdict.OK, "can be read and written")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)  # noqa: ARG005 - none is found
    missing = doctor.check_m4a()
    assert missing.verdict is Verdict.OK
    assert "musicgen-local[m4a]" in missing.detail


def test_data_folder(tmp_path: Path) -> None:
    """A folder that can be made is fine; one under a file is not."""
    assert "will be made" in doctor.check_data_root(tmp_path / "new").detail
    (tmp_path / "file").touch()
    assert doctor.check_data_root(tmp_path / "file" / "data").verdict is Verdict.FAILED


def test_programs(tmp_path: Path) -> None:
    """A program has to be there and to run."""
    assert doctor.check_program("valkey", None).detail == "missing"
    broken = tmp_path / "envoy"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert doctor.check_program("envoy", str(broken)).verdict is Verdict.FAILED
    runs = doctor.check_program("python", sys.executable, "--version")
    assert runs.verdict is Verdict.OK
    assert runs.detail.startswith("Python 3")
    assert valkey.find_valkey()


async def test_a_dead_studio_is_noticed(tmp_path: Path) -> None:
    """A studio that says it runs but does not answer is a failure, with what to do."""
    (tmp_path / "run.json").write_text('{"url": "http://x:1", "address": "x:1", "pid": 1}')
    studio = (await diagnose(tmp_path))[-1]
    assert studio.verdict is Verdict.FAILED
    assert "does not answer" in studio.detail


async def test_all_is_well_here(tmp_path: Path) -> None:
    """On a machine that runs the tests, nothing is missing."""
    findings = {finding.name: finding for finding in await diagnose(tmp_path, port=0)}
    assert {"python", "platform", "valkey", "envoy", "port", "studio"} <= findings.keys()
    for name in ("python", "platform", "data folder", "valkey", "envoy", "port"):
        assert findings[name].verdict is Verdict.OK, findings[name]


def test_display_colours_only_where_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """No colours off a terminal or with NO_COLOR; quiet keeps trouble only."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]  # as a terminal would
    assert may_colour(terminal, {})
    assert not may_colour(terminal, {"NO_COLOR": "1"})
    assert not may_colour(io.StringIO(), {})
    lines: list[str] = []
    Display(lines.append, colour=True).works("jobs", 1.25)
    assert "\x1b[32m✓\x1b[0m jobs" in lines[0]
    lines.clear()
    quiet = Display(lines.append, colour=False, quiet=True)
    quiet.works("jobs", 1.25)
    quiet.ready("http://x", "/data")
    quiet.warning("jobs ended")
    quiet.failure("jobs was given up", remedy="Look.", log=["why"])
    assert lines == ["  ! jobs ended", "  ✗ jobs was given up", "    | why", "    Look."]
    to_stderr("shown")
    assert capsys.readouterr().err == "shown\n"
