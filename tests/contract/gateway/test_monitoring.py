"""What the gateway shows to those who watch the studio, and what it does not."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from musicgen.rpc.metrics_server import MetricsServer
from tests.contract.gateway.clients import call
from tests.contract.gateway.conftest import (
    Gateway,
    free_port,
    running_envoy,
    settings_in,
    until_open,
)

pytestmark = pytest.mark.contract

KEY = "a-key-of-16-characters"


@pytest.fixture
def watched(
    folder: Path, tmp_path: Path, backend: subprocess.Popen[bytes]
) -> Iterator[tuple[Gateway, int]]:
    """A gateway with a key, one part that has metrics and one that does not answer, and
    the port of its own metrics."""
    assert backend.poll() is None
    port = free_port()
    server = MetricsServer(f"unix:{folder}/looper-metrics.sock")
    settings = replace(
        settings_in(folder, free_port()),
        api_key=KEY,
        metrics_targets=f"looper=unix:{folder}/looper-metrics.sock, jobs=unix:{folder}/none.sock",
        metrics_address=f"127.0.0.1:{port}",
    )
    with running_envoy(settings, tmp_path) as gateway:
        until_open(port, gateway.envoy)
        yield gateway, port
    server.close()


def test_each_part_is_read_through_the_one_door(watched: tuple[Gateway, int]) -> None:
    """A part's metrics, and Envoy's own, come from /metrics/PART to who knows the key."""
    gateway, _ = watched
    key = {"x-api-key": KEY}
    looper = call(gateway.port, "GET", "/metrics/looper", headers=key)
    assert (looper.status, b"process_resident_memory_bytes" in looper.body) == (200, True)
    assert looper.headers["content-type"].startswith("text/plain")
    health = call(gateway.port, "GET", "/v1/health", headers=key)
    assert health.status == 200
    envoy = call(gateway.port, "GET", "/metrics/envoy", headers=key)
    assert (envoy.status, b"# TYPE envoy_http_downstream_rq_xx" in envoy.body) == (200, True)
    calls = b'envoy_virtual_cluster="calls",envoy_virtual_host="studio"} '
    assert b"envoy_vhost_vcluster_upstream_rq_total{" + calls + b"1\n" in envoy.body
    assert call(gateway.port, "GET", "/metrics/jobs", headers=key).status == 503


def test_metrics_are_guarded_as_all_else(watched: tuple[Gateway, int]) -> None:
    """No key, another host or another page's origin: no metrics."""
    gateway, _ = watched
    for headers, status in (
        ({}, 401),
        ({"x-api-key": KEY, "host": "evil.test"}, 421),
        ({"x-api-key": KEY, "origin": "http://evil.test"}, 403),
    ):
        answer = call(gateway.port, "GET", "/metrics/looper", headers=headers)
        assert (answer.status, b"process_" in answer.body) == (status, False)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/metrics"),
        ("GET", "/metrics/"),
        ("GET", "/metrics/library"),
        ("GET", "/metrics/envoy/"),
        ("GET", "/metrics/envoy/../../quitquitquit"),
        ("GET", "/metrics/envoy%2f..%2fconfig_dump"),
        ("POST", "/metrics/envoy"),
        ("POST", "/metrics/looper"),
    ],
)
def test_nothing_else_of_the_admin_pages_is_let_out(
    watched: tuple[Gateway, int], method: str, path: str
) -> None:
    """Envoy's metrics lie beside pages that show its key and end it: those are not there."""
    gateway, port = watched
    answer = call(gateway.port, method, path, headers={"x-api-key": KEY})
    # What climbs out of /metrics/ is the page's, which answers any path.
    assert answer.status in (404, 400) or b"studio studio" in answer.body
    assert KEY.encode() not in answer.body
    assert call(port, method, path.replace("/metrics", "/m", 1)).status == 404
    assert gateway.envoy.poll() is None


def test_inside_a_network_envoy_serves_its_own(watched: tuple[Gateway, int]) -> None:
    """The listener for scrapers in the same network shows Envoy's metrics and nothing more."""
    _, port = watched
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert b"# TYPE envoy_http_downstream_rq_xx" in answer.read()
    assert call(port, "GET", "/v1/health").status == 404
    assert call(port, "POST", "/metrics").status == 404
