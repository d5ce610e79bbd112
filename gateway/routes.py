"""Which path goes where. What is not named here is not exposed."""

from __future__ import annotations

from typing import Any

from gateway import monitoring
from gateway.descriptors import Method, exposed_methods
from gateway.settings import Settings

Config = dict[str, Any]

JOBS, LIBRARY, LIBRARY_HTTP, INFERENCE = "jobs", "library", "library-http", "inference"

MAX_UPLOAD_BYTES = 2 * 1024**3
UNARY_TIMEOUT = "30s"
STREAM_IDLE_TIMEOUT = "60s"  # a watch sends a bookmark every 10 s
TRANSFER_IDLE_TIMEOUT = "600s"  # a paused player reads nothing for a long time

_CLUSTERS = {
    "musicgen.api.jobs.v1": JOBS,
    "musicgen.api.system.v1": JOBS,
    "musicgen.api.inference.v1": INFERENCE,
    "musicgen.api.library.v1": LIBRARY,
}

_RESPONSE_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-site",
}
_DISABLED = {
    "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
    "disabled": True,
}
_GRPC_HEADERS = {
    "grpc-timeout": "[0-9]{1,8}[HMSmun]",
    "grpc-encoding": "identity|deflate|gzip",
}
# Known to gRPC's parser, which fails where they are malformed, but of no use here.
_UNUSED_GRPC_HEADERS = [
    "grpc-internal-encoding-request",
    "grpc-previous-rpc-attempts",
    "grpc-retry-pushback-ms",
    "grpc-status",
    "grpc-tags-bin",
    "grpc-trace-bin",
    "lb-cost-bin",
]
# Bytes that are streamed through: never held back, never read as JSON.
_RAW = {"buffer": _DISABLED, "transcoder": _DISABLED, "rest": _DISABLED}
# Sent again only if no service can have seen the request.
_RETRY_UNSEEN = {
    "retry_on": "connect-failure,refused-stream",
    "num_retries": 4,
    "retry_back_off": {"base_interval": "0.05s", "max_interval": "0.5s"},
}


def virtual_hosts(settings: Settings) -> list[Config]:
    """Return the studio under its own names, and a refusal under any other, so that no
    web page can reach it by a name that was made to point here (DNS rebinding)."""
    cors = {"cors": _cors_policy(settings)}
    return [
        {
            "name": "studio",
            "domains": settings.hosts,
            "routes": [
                *_bad_header_routes(),
                *_http_routes(),
                *monitoring.routes(settings, _RAW),
                *_grpc_routes(),
                *_rest_routes(),
                *_frontend_routes(),
            ],
            "virtual_clusters": monitoring.virtual_clusters(),
            "typed_per_filter_config": cors,
            "request_headers_to_remove": _UNUSED_GRPC_HEADERS,
            "response_headers_to_add": [
                {"header": {"key": key, "value": value}, "append_action": "ADD_IF_ABSENT"}
                for key, value in _RESPONSE_HEADERS.items()
            ],
        },
        {
            "name": "foreign",
            "domains": ["*"],
            "routes": [
                {
                    "match": {"prefix": "/"},
                    "direct_response": {"status": 421},
                    "typed_per_filter_config": {**_RAW, "api_key": _DISABLED},
                }
            ],
            "typed_per_filter_config": cors,
        },
    ]


def _bad_header_routes() -> list[Config]:
    """Refuse what gRPC's parser would stumble over. It answers without reason or remedy,
    and goes on failing for that header in later calls, of whatever client, on the
    connection that it once arrived on."""
    return [
        {
            "match": {
                "prefix": "/",
                "headers": [
                    {
                        "name": name,
                        "string_match": {"safe_regex": {"regex": rule}},
                        "invert_match": True,
                        "treat_missing_header_as_empty": False,
                    }
                ],
            },
            "direct_response": {"status": 400, "body": {"inline_string": f"{name}: not {rule}"}},
        }
        for name, rule in _GRPC_HEADERS.items()
    ]


def _http_routes() -> list[Config]:
    """Audio, uploads and downloads."""
    transfer = {
        "cluster": LIBRARY_HTTP,
        "timeout": "0s",
        "idle_timeout": TRANSFER_IDLE_TIMEOUT,
        "retry_policy": _RETRY_UNSEEN,
    }
    too_long = {
        "name": "content-length",
        "range_match": {"start": MAX_UPLOAD_BYTES + 1, "end": 2**63 - 1},
    }
    routes = [
        {
            "match": {"prefix": "/v1/uploads", "headers": [too_long]},
            "direct_response": {"status": 413},
        },
        {"match": {"prefix": "/v1/uploads"}, "route": transfer},
        {"match": {"prefix": "/v1/artifacts/"}, "route": transfer},
        {
            "match": {"safe_regex": {"regex": "/v1/tracks/[^/]+/(audio|peaks|files/[^/]+)"}},
            "route": transfer,
        },
    ]
    return [{**route, "typed_per_filter_config": _RAW, **monitoring.NOT_TRACED} for route in routes]


def _grpc_routes() -> list[Config]:
    """Methods by their gRPC path; REST requests arrive here too, once transcoded."""
    return [
        *(_method_route(method) for method in exposed_methods()),
        {"match": {"path": "/grpc.health.v1.Health/Check"}, "route": _unary(JOBS)},
        {
            "match": {"prefix": "/grpc.reflection."},
            "route": _stream(JOBS),
            # It streams requests: holding them back until their end would hang it.
            "typed_per_filter_config": _RAW,
        },
        {"match": {"prefix": "/musicgen.api."}, "direct_response": {"status": 404}},
        {"match": {"prefix": "/grpc."}, "direct_response": {"status": 404}},
    ]


def _method_route(method: Method) -> Config:
    cluster = _CLUSTERS[method.package]
    route: Config = {
        "match": {"path": method.path},
        "route": _stream(cluster) if method.streams else _unary(cluster),
        "decorator": {"operation": method.path.lstrip("/"), "propagate": False},
    }
    if method.path.endswith("/GetHealth"):
        route |= monitoring.NOT_TRACED
    if method.response_body:
        route["metadata"] = {"filter_metadata": {"rest": {"response_body": method.response_body}}}
    return route


def _unary(cluster: str) -> Config:
    return {"cluster": cluster, "timeout": UNARY_TIMEOUT, "retry_policy": _RETRY_UNSEEN}


def _stream(cluster: str) -> Config:
    return {
        "cluster": cluster,
        "timeout": "0s",
        "idle_timeout": STREAM_IDLE_TIMEOUT,
        "retry_policy": _RETRY_UNSEEN,
    }


def _rest_routes() -> list[Config]:
    """REST paths are known to the transcoder, which puts the gRPC path in their place
    and has the route chosen anew; those that it doesn't know it refuses itself. (The
    CORS filter does nothing on a route that leads nowhere, so this one leads somewhere.)"""
    return [
        {"match": {"path": "/v1/health"}, "route": _unary(JOBS), **monitoring.NOT_TRACED},
        {"match": {"prefix": "/v1/"}, "route": _unary(JOBS)},
    ]


def _frontend_routes() -> list[Config]:
    grpc = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    return [
        {"match": {"prefix": "/", "headers": [grpc]}, "direct_response": {"status": 404}},
        {
            "match": {"prefix": "/"},
            "route": {"cluster": LIBRARY_HTTP, "timeout": "30s", "retry_policy": _RETRY_UNSEEN},
            # A page can send no key before it is loaded.
            "typed_per_filter_config": {**_RAW, "api_key": _DISABLED},
            **monitoring.NOT_TRACED,
        },
    ]


def _cors_policy(settings: Settings) -> Config:
    return {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"exact": origin} for origin in settings.origins],
        "allow_methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        "allow_headers": (
            "authorization, content-range, content-type, grpc-timeout, if-match, if-range, "
            "range, traceparent, upload-offset, x-api-key, x-grpc-web, x-user-agent"
        ),
        "expose_headers": (
            "grpc-status, grpc-message, grpc-status-details-bin, accept-ranges, "
            "content-disposition, content-length, content-range, etag, location, range, "
            "retry-after, upload-offset"
        ),
        "max_age": "600",
    }
