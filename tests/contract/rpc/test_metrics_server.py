"""A process's metrics over HTTP, and what is said when that can't be."""

from __future__ import annotations

import contextlib
import http.client
import socket
import stat
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from musicgen.rpc import metrics, metrics_server
from musicgen.rpc.metrics_server import MetricsServer
from musicgen.settings import SettingsError
from tests.contract.gateway.conftest import free_port

pytestmark = pytest.mark.contract


@contextlib.contextmanager
def serving(address: str) -> Iterator[MetricsServer]:
    """Serve while the body runs."""
    server = metrics_server.start(address)
    assert server is not None
    try:
        yield server
    finally:
        server.close()


def read(path: Path) -> bytes:
    """GET over a Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.read()


def test_metrics_over_a_socket_of_this_user(short_tmp: Path) -> None:
    """What is counted is told over a Unix socket that nobody else may open, also if a
    process that died left one there."""
    path = short_tmp / "metrics.sock"
    metrics.HANDLED.labels("s", "M", "OK").inc()
    for _ in range(2):
        with serving(f"unix:{path}"):
            text = read(path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b'musicgen_rpc_handled_total{code="OK",method="M",service="s"}' in text
    assert b"process_resident_memory_bytes" in text
    assert b"_created" not in text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_metrics_over_tcp(host: str) -> None:
    """In a network of containers they are at host:port; a silent client holds up nobody."""
    port = free_port()
    with (
        serving(f"{host}:{port}"),
        socket.create_connection((host.strip("[]"), port)),
        urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=5) as answer,
    ):
        assert b"musicgen_rpc_seconds" in answer.read()


def test_the_thread_ends_with_the_server(short_tmp: Path) -> None:
    """Nothing is left of a server that was closed."""

    def running() -> bool:
        return "metrics" in {thread.name for thread in threading.enumerate()}

    with serving(f"unix:{short_tmp}/m.sock"):
        assert running()
    assert not running()
    assert metrics_server.start("") is None


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("9464", "host:port"),
        ("localhost:99999", "host:port"),
        ("http://localhost:9464", "host:port"),
        ("unix:relative.sock", "host:port"),
        ("unix:/nowhere/at/all.sock", "No such file"),
        ("unix:/etc/hostname", "in use"),
        ("192.0.2.1:9464", "can't listen there"),
    ],
)
def test_an_address_that_can_not_be_is_said_by_its_setting(address: str, said: str) -> None:
    """The error names the variable, its value, what is wrong and what to do."""
    with pytest.raises(SettingsError) as caught:
        metrics_server.start(address)
    text = str(caught.value)
    assert f"MUSICGEN_METRICS_ADDRESS={address!r}" in text
    assert said in text
