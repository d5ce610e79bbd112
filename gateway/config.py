"""Envoy's whole configuration as plain data: one template for one machine (Unix sockets,
loopback) and for containers (host names, every interface). Only addresses differ."""

from __future__ import annotations

import base64
import re
from importlib import resources
from typing import Any

from gateway import monitoring
from gateway.descriptors import descriptor_set, services
from gateway.local_replies import local_reply_config
from gateway.routes import (
    INFERENCE,
    JOBS,
    LIBRARY,
    LIBRARY_HTTP,
    STREAM_IDLE_TIMEOUT,
    virtual_hosts,
)
from gateway.settings import Settings

Config = dict[str, Any]

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_CONNECTIONS = 10_000
MAX_JSON_RESPONSE_BYTES = 32 * 1024 * 1024  # JSON is longer than the message it shows

_FILTERS = "type.googleapis.com/envoy.extensions.filters.http"
_COMPRESSED = (  # event streams, gRPC-Web and audio are left alone
    "application/javascript",
    "application/json",
    "application/wasm",
    "image/svg+xml",
    "text/css",
    "text/html",
    "text/javascript",
    "text/plain",
)


def build(settings: Settings) -> Config:
    """Return the configuration; as JSON it is what `envoy -c` reads."""
    return {
        "admin": {"address": {"pipe": {"path": str(settings.admin_socket), "mode": 0o600}}},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.resource_monitors"
                        ".downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": MAX_CONNECTIONS,
                    },
                }
            ]
        },
        "static_resources": {
            "listeners": [_listener(settings), *monitoring.listeners(settings)],
            "clusters": [
                _cluster(JOBS, settings.jobs_address, grpc=True),
                _cluster(LIBRARY, settings.library_address, grpc=True),
                _cluster(INFERENCE, settings.inference_address, grpc=True),
                _cluster(LIBRARY_HTTP, settings.library_http_address, grpc=False),
                *(
                    _cluster(name, address, grpc=name == monitoring.OTLP)
                    for name, address in monitoring.addresses(settings).items()
                ),
            ],
        },
    }


def _listener(settings: Settings) -> Config:
    host, _, port = settings.address.rpartition(":")
    return {
        "name": "studio",
        "address": {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}},
        # With it a second gateway would share the port instead of failing.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": _http(settings)}]}],
    }


def _http(settings: Settings) -> Config:
    return {
        "@type": "type.googleapis.com/envoy.extensions.filters.network"
        ".http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "studio",
        "codec_type": "AUTO",
        "use_remote_address": True,
        "normalize_path": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "server_header_transformation": "PASS_THROUGH",
        "request_headers_timeout": "10s",
        "stream_idle_timeout": STREAM_IDLE_TIMEOUT,
        "common_http_protocol_options": {"idle_timeout": "3600s"},
        **monitoring.tracing(settings),
        "access_log": [_failures_log()],
        "local_reply_config": local_reply_config(),
        "route_config": {
            "name": "studio",
            "ignore_port_in_host_matching": True,
            "virtual_hosts": virtual_hosts(settings),
        },
        "http_filters": _http_filters(settings),
    }


def _http_filters(settings: Settings) -> list[Config]:
    """In the order in which a request meets them; an answer meets them in reverse."""
    filters = [
        _filter("cors", "cors.v3.Cors"),
        # Early, so that every later refusal reaches a gRPC-Web client as a status.
        _filter("grpc_web", "grpc_web.v3.GrpcWeb"),
        _filter("origins", "rbac.v3.RBAC", rules=_foreign_pages(settings)),
        _rate_limit(settings),
    ]
    if settings.api_key is not None:
        filters.append(_api_key(settings.api_key))
    return [
        *filters,
        _compressor(),
        _filter("buffer", "buffer.v3.Buffer", max_request_bytes=MAX_MESSAGE_BYTES),
        _lua("rest", _script("rest")),
        _transcoder(),
        _filter("router", "router.v3.Router"),
    ]


def _filter(name: str, type_name: str, **fields: Any) -> Config:
    return {"name": name, "typed_config": {"@type": f"{_FILTERS}.{type_name}", **fields}}


def _foreign_pages(settings: Settings) -> Config:
    """Refuse what other web pages send: with an origin that is not allowed, or, where a
    browser sends no origin, marked by it as coming from another site (following a link
    to the studio is fine)."""
    allowed = "|".join(re.escape(origin) for origin in settings.origins)
    foreign_origin = {
        "header": {
            "name": "origin",
            "string_match": {"safe_regex": {"regex": allowed}},
            "invert_match": True,
            "treat_missing_header_as_empty": False,
        }
    }
    no_origin = {"header": {"name": "origin", "present_match": True, "invert_match": True}}
    cross_site = {"header": {"name": "sec-fetch-site", "string_match": {"exact": "cross-site"}}}
    embedded = {
        "header": {
            "name": "sec-fetch-mode",
            "string_match": {"exact": "navigate"},
            "invert_match": True,
        }
    }
    has_origin = {"header": {"name": "origin", "present_match": True}}
    return {
        "action": "DENY",
        "policies": {
            "foreign origin": {
                "permissions": [{"and_rules": {"rules": [has_origin, foreign_origin]}}],
                "principals": [{"any": True}],
            },
            "embedded by another site": {
                "permissions": [{"and_rules": {"rules": [no_origin, cross_site, embedded]}}],
                "principals": [{"any": True}],
            },
        },
    }


def _rate_limit(settings: Settings) -> Config:
    share = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return _filter(
        "rate_limit",
        "local_ratelimit.v3.LocalRateLimit",
        stat_prefix="studio",
        token_bucket={
            "max_tokens": settings.requests_per_s * 2,
            "tokens_per_fill": settings.requests_per_s,
            "fill_interval": "1s",
        },
        filter_enabled=share,
        filter_enforced=share,
        rate_limited_as_resource_exhausted=True,
    )


def _api_key(key: str) -> Config:
    return _lua("api_key", _script("api_key").replace("@KEY@", key))


def _lua(name: str, script: str) -> Config:
    return _filter(name, "lua.v3.Lua", default_source_code={"inline_string": script})


def _script(name: str) -> str:
    return resources.files("gateway").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


def _compressor() -> Config:
    return _filter(
        "compressor",
        "compressor.v3.Compressor",
        response_direction_config={
            "common_config": {
                "min_content_length": 1024,
                "content_type_matcher": [{"prefix": kind} for kind in _COMPRESSED],
            }
        },
        compressor_library={
            "name": "gzip",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip"
            },
        },
    )


def _transcoder() -> Config:
    return _filter(
        "transcoder",
        "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor_bin=base64.b64encode(descriptor_set()).decode(),
        services=services(),
        convert_grpc_status=True,
        max_request_body_size=MAX_MESSAGE_BYTES,
        max_response_body_size=MAX_JSON_RESPONSE_BYTES,
        request_validation_options={
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
        },
        print_options={
            "stream_newline_delimited": True,
            "stream_sse_style_delimited": True,
            # 0 and false are facts: a fraction of 0, a part that does not serve.
            "always_print_primitive_fields": True,
        },
    )


def _cluster(name: str, address: str, *, grpc: bool) -> Config:
    path = address.removeprefix("unix:")
    if path != address:
        endpoint: Config = {"pipe": {"path": path}}
    else:
        host, _, port = address.rpartition(":")
        endpoint = {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}
    # A service that is frozen or cut off is noticed; servers allow a ping every 10 s.
    pings = {"connection_keepalive": {"interval": "15s", "timeout": "10s"}}
    protocol: Config = {"http2_protocol_options": pings} if grpc else {"http_protocol_options": {}}
    many = {
        "max_connections": MAX_CONNECTIONS,
        "max_pending_requests": MAX_CONNECTIONS,
        "max_requests": 10 * MAX_CONNECTIONS,
    }
    return {
        "name": name,
        "type": "STATIC" if path != address else "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": endpoint}}]}],
        },
        # The default would turn away the 1,025th watcher.
        "circuit_breakers": {"thresholds": [many]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3"
                ".HttpProtocolOptions",
                "explicit_http_config": protocol,
            }
        },
    }


def _failures_log() -> Config:
    """One JSON line on stdout for each request that failed."""
    failed = {"comparison": {"op": "GE", "value": {"default_value": 400, "runtime_key": "unused"}}}
    grpc = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    is_grpc = {"header_filter": {"header": grpc}}
    not_ok = {"grpc_status_filter": {"statuses": ["OK"], "exclude": True}}
    return {
        "name": "stdout",
        "filter": {
            "or_filter": {
                "filters": [
                    {"status_code_filter": failed},
                    {"and_filter": {"filters": [is_grpc, not_ok]}},
                ]
            }
        },
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3"
            ".StdoutAccessLog",
            "log_format": {
                "json_format": {
                    "time": "%START_TIME%",
                    "request_id": "%REQ(x-request-id)%",
                    "method": "%REQ(:method)%",
                    "path": "%REQ(x-envoy-original-path?:path)%",
                    "host": "%REQ(:authority)%",
                    "origin": "%REQ(origin)%",
                    "status": "%RESPONSE_CODE%",
                    "grpc_status": "%GRPC_STATUS%",
                    "why": "%RESPONSE_CODE_DETAILS%",
                    "upstream": "%UPSTREAM_CLUSTER%",
                    "duration_ms": "%DURATION%",
                }
            },
        },
    }
