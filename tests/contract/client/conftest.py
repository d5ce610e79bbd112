from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from musicgen.cli.app import cli
from musicgen.home import RUN_FILE
from tests.contract.client.scripted_studio import ScriptedStudio

Musicgen = Callable[..., Result]


@pytest.fixture
def studio() -> Iterator[ScriptedStudio]:
    """A small studio that runs."""
    # Its log would be on the same stdout as the commands' results.
    with capture_logs(), ScriptedStudio() as running:
        yield running


@pytest.fixture
def musicgen(studio: ScriptedStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Musicgen:
    """Runs a command line against that studio, found as a launcher's would be."""
    home = tmp_path / "home"
    home.mkdir()
    said = {"url": studio.http.url, "address": studio.endpoint.address, "pid": 1}
    (home / RUN_FILE).write_text(json.dumps(said))
    monkeypatch.setenv("MUSICGEN_HOME", str(home))
    monkeypatch.delenv("MUSICGEN_GATEWAY", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*args: str, input: str | None = None) -> Result:
        return CliRunner().invoke(cli, args, input=input, catch_exceptions=False)

    return run
