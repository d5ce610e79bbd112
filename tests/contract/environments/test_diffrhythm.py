"""The environment with the real torch; made once, in about a minute."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from musicgen.engine.base import Parameters
from musicgen.engine.client import Made
from musicgen.errors import DeviceNotFound
from musicgen.progress import Progress
from musicgen.testing.fake_engine import MANIFEST
from services.inference.devices.choice import save_choice
from services.inference.devices.listing import Devices
from services.inference.engine_process import EngineProcess
from services.inference.environments.environments import Environments, State
from services.inference.registry import load_registry

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(
        not os.environ.get("MUSICGEN_TEST_ENVIRONMENTS"),
        reason="fetches torch: set MUSICGEN_TEST_ENVIRONMENTS=1",
    ),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with the environment."""
    folder = tmp_path_factory.mktemp("data")
    reports: list[Progress] = []
    Environments(folder).setup("diffrhythm", reports.append)
    fractions = [report.fraction for report in reports]
    assert fractions == sorted(fractions)
    assert {"creating", "torch", "packages", "testing"} <= {report.stage for report in reports}
    yield folder
    Environments(folder).setup("diffrhythm", reports.append, "remove")
    assert not list((folder / "engines").glob(".diffrhythm-*"))


def test_ready(root: Path) -> None:
    """It is ready for both engines of the family, with the build that fits this machine."""
    environments = Environments(root)
    found = environments.status("diffrhythm-tiny")
    assert found.state is State.READY
    assert found.device_build
    assert environments.python("diffrhythm") == found.python


def test_devices_seen_by_torch(root: Path) -> None:
    """Torch sees what the quick look saw; a device that was chosen and isn't there is an
    error there, too."""
    python = Environments(root).python("diffrhythm")
    listing = Devices(root)
    assert [d.id for d in listing.seen_by(python).devices] == [
        d.id for d in listing.listed().devices
    ]
    save_choice(root, "mps" if os.uname().sysname == "Linux" else "rocm:0")
    try:
        with pytest.raises(DeviceNotFound, match="not there"):
            listing.seen_by(python)
    finally:
        save_choice(root, "auto")


async def test_a_host_runs_there(root: Path, short_tmp: Path) -> None:
    """An engine's host starts with the environment's Python and makes its music."""
    file = short_tmp / "engines.json"
    engine = {
        "environment": "diffrhythm",
        "engine": "musicgen.testing.fake_engine:FakeEngine",
        "manifest": dataclasses.asdict(MANIFEST),
    }
    file.write_text(json.dumps({"engines": [engine]}))
    entry = load_registry(file, Environments(root))["fake"]
    process = EngineProcess(
        entry, runtime_dir=short_tmp, start_timeout_s=60.0, stall_timeout_s=60.0
    )
    scratch = short_tmp / "scratch"
    scratch.mkdir()
    try:
        parameters = Parameters("a tone", "", 1.0, 7, {})
        async with contextlib.aclosing(process.generate(parameters, scratch)) as events:
            made = [event async for event in events if isinstance(event, Made)]
        interpreter = Path(f"/proc/{process.host_pid}/cmdline")
        if interpreter.exists():
            assert str(root).encode() in interpreter.read_bytes()
    finally:
        await process.stop()
    assert soundfile.info(scratch / made[0].mix_name).duration == 1.0
