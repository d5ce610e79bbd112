"""Counters of every server; served over HTTP only if a service is told to."""

from prometheus_client import Counter, Gauge, Histogram

HANDLED = Counter(
    "musicgen_rpc_handled_total", "Calls that ended, by status code.", ["service", "method", "code"]
)
SECONDS = Histogram(
    "musicgen_rpc_seconds",
    "Time from a call's start to its end.",
    ["service", "method"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 1000),
)
IN_FLIGHT = Gauge("musicgen_rpc_in_flight", "Calls now running.", ["service", "method"])
