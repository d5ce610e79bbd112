"""What those see who watch the studio: everybody's metrics under /metrics/, and traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.settings import Settings

Config = dict[str, Any]

ADMIN, OTLP = "admin", "otlp"
SCRAPE_TIMEOUT = "10s"
_TYPES = "type.googleapis.com/envoy"
# Envoy tells its metrics together with pages that can end it; this one only is let out.
_OWN_METRICS = {"cluster": ADMIN, "prefix_rewrite": "/stats/prometheus", "timeout": SCRAPE_TIMEOUT}
_GET = {"name": ":method", "string_match": {"exact": "GET"}}

NOT_TRACED: Config = {"tracing": {"random_sampling": {"numerator": 0}}}
"""For files and for what is polled: a trace goes on there, but begins only in the client."""


def addresses(settings: Settings) -> Mapping[str, str]:
    """Return the clusters that metrics and traces need, name → address."""
    found = {ADMIN: f"unix:{settings.admin_socket}"}
    found |= {_cluster(name): address for name, address in settings.metrics_of.items()}
    if settings.otlp_address:
        found[OTLP] = settings.otlp_address
    return found


def routes(settings: Settings, raw: Config) -> list[Config]:
    """Return GET /metrics/PART for each part that has metrics, and nothing else there."""
    targets = {
        name: {"cluster": _cluster(name), "prefix_rewrite": "/metrics", "timeout": SCRAPE_TIMEOUT}
        for name in settings.metrics_of
    }
    found: list[Config] = [
        {"match": {"path": f"/metrics/{name}", "headers": [_GET]}, "route": route, **NOT_TRACED}
        for name, route in {"envoy": _OWN_METRICS, **targets}.items()
    ]
    found += [
        {"match": match, "direct_response": {"status": 404}}
        for match in ({"path": "/metrics"}, {"prefix": "/metrics/"})
    ]
    return [{**route, "typed_per_filter_config": raw} for route in found]


def listeners(settings: Settings) -> list[Config]:
    """Return the listener of Envoy's own metrics inside of a network of containers, where
    each part serves its own."""
    if not settings.metrics_address:
        return []
    host, _, port = settings.metrics_address.rpartition(":")
    only = {"match": {"path": "/metrics", "headers": [_GET]}, "route": _OWN_METRICS}
    manager = {
        "@type": f"{_TYPES}.extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        "stat_prefix": "metrics",
        "route_config": {
            "name": "metrics",
            "virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": [only]}],
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{_TYPES}.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    return [
        {
            "name": "metrics",
            "address": {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}},
            "enable_reuse_port": False,
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        }
    ]


def tracing(settings: Settings) -> Config:
    """Return what makes the gateway the first to tell of a request, or nothing."""
    if not settings.otlp_address:
        return {}
    provider = {
        "@type": f"{_TYPES}.config.trace.v3.OpenTelemetryConfig",
        "grpc_service": {"envoy_grpc": {"cluster_name": OTLP}, "timeout": "1s"},
        "service_name": "musicgen-gateway",
    }
    return {
        "tracing": {
            "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": provider},
            # What people search for stands in a REST path's query: it stays out. The text of a
            # failed call's error can't be kept out here.
            "max_path_tag_length": 0,
        }
    }


def virtual_clusters() -> list[Config]:
    """Return what times are told apart: of calls that are answered at once, and of watches."""
    watches = {"name": ":path", "string_match": {"suffix": "/WatchJobs"}}
    contract = {"name": ":path", "string_match": {"prefix": "/musicgen.api."}}
    return [
        {"name": "watches", "headers": [contract, watches]},
        {"name": "calls", "headers": [contract]},
    ]


def _cluster(part: str) -> str:
    return f"metrics-{part}"
