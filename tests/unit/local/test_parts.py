"""The parts of a studio as data: who is told where metrics and traces go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from musicgen.local.errors import CannotStart
from musicgen.local.layout import Layout
from musicgen.local.parts import studio_parts

pytestmark = pytest.mark.unit


def gateway_env(folder: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    """What the gateway is told."""
    layout = Layout.make(folder, {"XDG_RUNTIME_DIR": str(folder)})
    return {part.name: part for part in studio_parts(layout, 8400, environ)}["envoy"].env


def test_each_part_has_metrics_in_the_private_folder(short_tmp: Path) -> None:
    """Every part of ours serves its metrics on a socket that the gateway knows, and that is
    removed before the part starts."""
    layout = Layout.make(short_tmp, {"XDG_RUNTIME_DIR": str(short_tmp)})
    parts = {part.name: part for part in studio_parts(layout, 8400, {})}
    targets = parts["envoy"].env["MUSICGEN_METRICS_TARGETS"].split(",")
    for name in ("jobs", "runner", "inference", "looper", "library"):
        address = parts[name].env["MUSICGEN_METRICS_ADDRESS"]
        assert f"{name}={address}" in targets
        assert Path(address.removeprefix("unix:")) in parts[name].sockets
    assert "MUSICGEN_OTLP_ADDRESS" not in parts["envoy"].env


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("http://localhost:4317", "localhost:4317"),
        ("http://collector", "collector:4317"),
        ("http://[::1]:4000/", "[::1]:4000"),
        ("https://collector:4317", None),
    ],
)
def test_the_gateway_is_told_where_traces_go(
    short_tmp: Path, endpoint: str, address: str | None
) -> None:
    """One variable is enough for all parts, as long as the collector speaks plain gRPC."""
    env = gateway_env(short_tmp, {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    assert env.get("MUSICGEN_OTLP_ADDRESS") == address


def test_a_collector_that_is_no_address_is_said(short_tmp: Path) -> None:
    """The launcher names the variable and what it should be."""
    with pytest.raises(CannotStart, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        gateway_env(short_tmp, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://host:port"})
