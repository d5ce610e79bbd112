"""A real Envoy in front of real small services."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.__main__ import command, find_envoy, write
from gateway.settings import Settings


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    folder: Path
    port: int
    envoy: subprocess.Popen[bytes]
    admin_socket: Path


def settings_in(folder: Path, port: int) -> Settings:
    """Return settings whose sockets lie in `folder`."""
    return Settings(
        jobs_address=f"unix:{folder}/jobs.sock",
        library_address=f"unix:{folder}/library.sock",
        library_http_address=f"unix:{folder}/library-http.sock",
        inference_address=f"unix:{folder}/inference.sock",
        admin_socket=folder / f"admin-{port}.sock",
        address=f"127.0.0.1:{port}",
        allowed_origins="http://localhost:5173",
        allowed_hosts="studio.test",
    )


@contextmanager
def running_envoy(settings: Settings, folder: Path) -> Iterator[Gateway]:
    """Run Envoy until the block ends."""
    config = folder / f"envoy-{settings.port}.json"
    write(settings, config)
    binary = find_envoy()
    assert binary is not None
    with (folder / f"envoy-{settings.port}.log").open("wb") as log:
        envoy = subprocess.Popen(
            command(binary, config, threads=1), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        until_open(settings.port, envoy)
        yield Gateway(folder, settings.port, envoy, settings.admin_socket)
    finally:
        envoy.terminate()
        envoy.wait(10)


def until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until something listens on `port`."""
    for _ in range(400):
        assert process.poll() is None, "it ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.025)
    raise TimeoutError(f"nothing listens on {port}")


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="gw-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def backend(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The services."""
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.gateway.backend", str(folder)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stderr=subprocess.DEVNULL,
    )
    sockets = [folder / f"{name}.sock" for name in ("jobs", "library", "inference", "library-http")]
    for _ in range(400):
        if all(path.exists() for path in sockets):
            break
        assert process.poll() is None
        time.sleep(0.025)
    yield process
    process.kill()
    process.wait()


@pytest.fixture(scope="session")
def gateway(folder: Path, backend: subprocess.Popen[bytes]) -> Iterator[Gateway]:
    """The gateway with its services."""
    assert backend.poll() is None
    with running_envoy(settings_in(folder, free_port()), folder) as gateway:
        yield gateway


@pytest.fixture
def guarded_gateway(folder: Path, backend: subprocess.Popen[bytes]) -> Iterator[Gateway]:
    """A gateway that wants a key and allows one request a second, two at once."""
    assert backend.poll() is None
    settings = settings_in(folder, free_port())
    with running_envoy(
        replace(settings, api_key="a-key-of-16-characters", requests_per_s=4), folder
    ) as gateway:
        yield gateway


@pytest.fixture
def lonely_gateway(tmp_path: Path, folder: Path) -> Iterator[Gateway]:
    """A gateway whose services are all down."""
    nowhere = folder / "nowhere"
    nowhere.mkdir(exist_ok=True)
    with running_envoy(settings_in(nowhere, free_port()), tmp_path) as gateway:
        yield gateway
