from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

from gateway import __main__ as program
from gateway.config import build
from gateway.descriptors import descriptor_set, exposed_methods
from gateway.routes import virtual_hosts
from gateway.settings import Settings
from tests.unit.gateway.test_settings import GOOD

pytestmark = pytest.mark.unit


def settings(**changes: Any) -> Settings:
    """Good settings, changed."""
    values: dict[str, Any] = {
        "jobs_address": "unix:/s/jobs.sock",
        "library_address": "unix:/s/library.sock",
        "library_http_address": "unix:/s/http.sock",
        "inference_address": "unix:/s/inference.sock",
        "admin_socket": Path("/s/admin.sock"),
        **changes,
    }
    return Settings(**values)


def test_descriptors_are_complete_and_in_order() -> None:
    """Every file comes after its imports, and the error details are there."""
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptor_set())
    seen: set[str] = set()
    for file in files.file:
        assert set(file.dependency) <= seen, file.name
        seen.add(file.name)
    assert "google/rpc/error_details.proto" in seen
    rules = [
        method.options.Extensions[annotations_pb2.http]
        for file in files.file
        for service in file.service
        for method in service.method
    ]
    assert any(rule.post == "/v1/jobs" for rule in rules)
    assert not any(rule.response_body for rule in rules)


def test_only_what_has_a_rest_path_is_exposed() -> None:
    """What runners and services say to each other is not."""
    methods = {method.path.rpartition("/")[2]: method for method in exposed_methods()}
    assert {"CreateJob", "WatchJobs", "GetHealth", "ListEngines", "UpdateTrack"} <= set(methods)
    assert not {"Generate", "RegisterTrack", "ResolveAudio", "ExportTrack"} & set(methods)
    assert methods["WatchJobs"].streams
    assert methods["CreateJob"].response_body == "job"
    assert methods["ListJobs"].response_body == ""


def test_one_template_for_both_forms() -> None:
    """Locally upstreams are sockets and only loopback listens; in a container they are
    names. Nothing else differs."""
    local = build(settings())["static_resources"]
    far = build(settings(address="[::]:8400", jobs_address="jobs:50051"))["static_resources"]
    assert local["listeners"][0]["address"]["socket_address"]["address"] == "127.0.0.1"
    assert far["listeners"][0]["address"]["socket_address"]["address"] != "127.0.0.1"
    ends = [
        resources["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]
        for resources in (local, far)
    ]
    assert ends[0]["endpoint"]["address"] == {"pipe": {"path": "/s/jobs.sock"}}
    assert ends[1]["endpoint"]["address"]["socket_address"]["port_value"] == 50051


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/v1/tracks/t/audio", True),
        ("/v1/tracks/t/peaks", True),
        ("/v1/tracks/t/files/stem-drums.flac", True),
        ("/v1/tracks/t/files", False),
        ("/v1/tracks/t/files/a/b", False),
        ("/v1/tracks/t/audio/x", False),
        ("/v1/tracks/t", False),
    ],
)
def test_bytes_of_tracks_go_past_the_transcoder(path: str, raw: bool) -> None:
    """Exactly the paths of files lead to the library's HTTP side."""
    studio = virtual_hosts(settings())[0]
    (regex,) = [
        route["match"]["safe_regex"]["regex"]
        for route in studio["routes"]
        if "safe_regex" in route["match"]
    ]
    assert bool(re.fullmatch(regex, path)) is raw


def test_key_only_when_configured() -> None:
    """Without a key there is no key filter."""
    assert "api_key" not in filters(build(settings()))
    assert "api_key" in filters(build(settings(api_key="0123456789abcdef")))


def filters(config: Any) -> list[str]:
    """The names of the HTTP filters."""
    chain = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    return [entry["name"] for entry in chain["typed_config"]["http_filters"]]


def test_render_writes_a_private_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`render` writes JSON that only its user can read."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "envoy.json"
    monkeypatch.setattr(sys, "argv", ["gateway", "render", "--out", str(out)])
    assert program.main() == 0
    assert json.loads(out.read_text())["admin"]["address"]["pipe"]["path"] == "/run/admin.sock"
    assert out.stat().st_mode & 0o777 == 0o600


def test_render_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without settings it ends with 2 and the list."""
    for name in GOOD:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["gateway", "render", "--out", str(tmp_path / "x")])
    assert program.main() == 2
    assert "MUSICGEN_JOBS_ADDRESS is not set" in capsys.readouterr().err


def test_run_becomes_envoy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` replaces itself by Envoy on the written file."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    became: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, argv: became.append(argv))
    monkeypatch.setattr(sys, "argv", ["gateway", "run", "--out", str(tmp_path / "e.json")])
    assert program.main() == 0
    assert became[0][1:3] == ["-c", str(tmp_path / "e.json")]
    assert "--disable-hot-restart" in became[0]


def test_traces_are_sent_only_where_they_are_asked_for() -> None:
    """Without an address there is no tracer and no cluster for it."""

    def found(**changes: Any) -> tuple[bool, set[str]]:
        resources = build(settings(**changes))["static_resources"]
        http = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        return "tracing" in http, {cluster["name"] for cluster in resources["clusters"]}

    off, clusters = found()
    assert not off
    assert "otlp" not in clusters
    on, clusters = found(otlp_address="localhost:4317")
    assert on
    assert "otlp" in clusters
