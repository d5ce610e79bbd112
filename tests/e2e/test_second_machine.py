"""A second machine works for a studio of `musicgen up`, over SSH alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.network import Host, network, why_not
from tests.e2e.two_workers import wait

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
WORKER = ROOT / "deploy" / "second-machine" / "worker"
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
SFTP = Path("/usr/lib/openssh/sftp-server")
PORT = 8400


@dataclass
class Pair:
    """Two machines and their folders."""

    first: Host
    second: Host
    folder: Path

    def cli(self, *args: str) -> str:
        """Run a command of `musicgen` on the first machine."""
        command = (sys.executable, "-m", "musicgen.cli", *args)
        address = f"MUSICGEN_GATEWAY=127.0.0.1:{PORT}"
        return self.first.run("env", address, *command, timeout_s=120)

    def said(self, event: str) -> list[dict[str, object]]:
        """Return what the second machine's programs said about something."""
        lines = (self.folder / "worker.log").read_text().splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in told if line.get("event") == event]

    def programs(self) -> str:
        """Return the command lines of what runs on the second machine."""
        return self.second.run("ps", "-eo", "args")


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A studio on one machine, and another one that can log in there."""
    if os.geteuid() or SSHD is None or shutil.which("sshfs") is None or not SFTP.exists():
        pytest.skip("needs root, sshd, sftp-server and sshfs")
    if why := why_not():
        pytest.skip(f"no networks of one's own here: {why}")
    folder = Path(tempfile.mkdtemp(prefix="mg-ssh-"))
    with network("first", "second") as hosts:
        it = Pair(hosts["first"], hosts["second"], folder)
        _serve_ssh(it)
        it.first.start(
            [sys.executable, "-m", "musicgen.cli", "up", "--port", str(PORT)],
            # Only the second machine is to take jobs of the composer.
            {"MUSICGEN_HOME": str(folder / "first"), "MUSICGEN_GENERATE_ENGINES": "diffrhythm"},
            folder / "up.log",
        )
        wait((folder / "first" / "run.json").exists, 60)
        yield it
    shutil.rmtree(folder, ignore_errors=True)


def _serve_ssh(pair: Pair) -> None:
    folder = pair.folder
    for name in ("host", "key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    (folder / "sshd.conf").write_text(
        f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/key.pub\nPidFile none\n"
        f"StrictModes no\nPermitRootLogin yes\nUsePAM no\nSubsystem sftp {SFTP}\n"
    )
    (folder / "ssh.conf").write_text(
        f"IdentityFile {folder}/key\nStrictHostKeyChecking no\nUserKnownHostsFile {folder}/known\n"
        "LogLevel ERROR\n"
    )
    # ssh reads the configuration of the user's own home, wherever HOME points.
    (folder / "bin").mkdir()
    ssh = folder / "bin" / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh.conf "$@"\n')
    ssh.chmod(0o755)
    Path("/run/sshd").mkdir(exist_ok=True)
    command = [str(SSHD), "-D", "-e", "-f", str(folder / "sshd.conf")]
    pair.first.start(command, {}, folder / "sshd.log")


def test_a_second_machine_works_and_leaves_well(pair: Pair) -> None:
    """It makes the first one's pieces, gives a job back when it is ended, and leaves no mount,
    no program and no folder behind."""
    runs = set(Path("/tmp").glob("musicgen-worker-*"))  # noqa: S108 - where the command makes its own
    pair.second.start(
        [str(WORKER), pair.first.address],
        {
            "MUSICGEN_HOME": str(pair.folder / "second"),
            "MUSICGEN_FIRST_HOME": str(pair.folder / "first"),
            "MUSICGEN_RUNNER_NAME": "second",
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{pair.folder}/bin:{os.environ['PATH']}",
        },
        pair.folder / "worker.log",
    )
    made = json.loads(pair.cli("generate", "calm piano", "--duration", "8", "--json"))
    assert made["job"]["state"] == "succeeded"
    assert [line["hold"] for line in pair.said("committed")] == ["OK"]
    (track,) = (pair.folder / "first" / "library").glob("*/audio.*")
    assert track.stat().st_size > 100_000

    pair.cli("generate", "ambient pads", "--duration", "600", "--detach")
    wait(lambda: len(pair.said("claimed")) == 2, 30)
    pair.second.run("pkill", "-TERM", "-o", "-f", "second-machine/worker")
    wait(lambda: "services." not in pair.programs() and "ssh -F" not in pair.programs(), 20)
    wait(lambda: "sshfs" not in pair.second.run("mount"), 10)
    wait(lambda: set(Path("/tmp").glob("musicgen-worker-*")) == runs, 10)  # noqa: S108 - as above
    (job,) = [job for job in _jobs(pair) if job["state"] != "succeeded"]
    assert (job["state"], job.get("attempt", 0)) == ("queued", 0)


def _jobs(pair: Pair) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(pair.cli("jobs", "--json"))["jobs"]
    return found
