"""One trace from a click in the page to the engine's process; the only module that knows
OpenTelemetry.

Off, and nothing of it imported, unless OTEL_EXPORTER_OTLP_ENDPOINT is set. Traces start at
the door, in the page or in Envoy: a call without `traceparent` makes no span, so that what
the parts ask each other every few seconds makes none either. Spans carry ids and counts,
never what people wrote.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import SpanKind, Tracer

HEADER = "traceparent"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_TRACEPARENT = re.compile(
    r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
)
_FLUSH_S = 1.0

Value = str | int | float | bool

_current: ContextVar[str] = ContextVar("traceparent", default="")
_spans: _Spans | None = None


class Span:
    """A stretch of work in a trace; this one is in none."""

    def tell(self, **facts: Value) -> None:
        """Add ids or counts, each as "musicgen.NAME"."""

    def fail(self, why: str) -> None:
        """Say that it failed, and why in one of the words that there are for it."""


def configure(service: str, environ: Mapping[str, str] = os.environ) -> str:
    """Begin to send spans of this process, if the environment says where. Returns "", or why
    that can't be done; the process goes on without."""
    global _spans  # noqa: PLW0603  # one for the process, as the environment is
    if not any(environ.get(name) for name in _ENDPOINTS):
        return ""
    protocol = next(filter(None, map(environ.get, reversed(_PROTOCOLS))), "grpc")
    if protocol != "grpc":
        return f"{protocol!r} is not spoken here: set {_PROTOCOLS[0]}=grpc"
    try:
        _spans = _Spans(service)
    except ImportError:
        return f"{_ENDPOINTS[0]} is set, but it takes pip install 'musicgen-local[tracing]'"
    return ""


def is_on() -> bool:
    """Whether this process sends spans."""
    return _spans is not None


def flush() -> None:
    """Send what is waiting, for at most a second: for a process about to end at once."""
    if _spans is not None:
        _spans.flush()


def current_traceparent() -> str:
    """Return the W3C header that makes other work a part of what is done here; "" if this
    is in no trace."""
    return _current.get()


@contextlib.contextmanager
def server_span(
    method: str, metadata: Iterable[tuple[str, str | bytes]], job_id: str = ""
) -> Iterator[Span]:
    """Be a part of the caller's trace, if it has one, while a call is answered."""
    if _spans is None:
        yield _NO_SPAN
        return
    given = next((value for key, value in metadata if key == HEADER), "")
    service, _, name = method.lstrip("/").partition("/")
    facts: dict[str, Value] = {
        "rpc.system": "grpc",
        "rpc.service": service,
        "rpc.method": name,
        **({"musicgen.job_id": job_id} if job_id else {}),
    }
    with _spans.within(f"{service}/{name}", str(given), facts, server=True) as span:
        yield span


@contextlib.contextmanager
def continued(name: str, traceparent: str, **facts: Value) -> Iterator[Span]:
    """Go on with a trace whose beginning was kept somewhere, as a job's is."""
    if _spans is None:
        yield _NO_SPAN
        return
    prefixed = {f"musicgen.{key}": value for key, value in facts.items()}
    with _spans.within(name, traceparent, prefixed, server=False) as span:
        yield span


class _Recorded(Span):
    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def tell(self, **facts: Value) -> None:
        for name, value in facts.items():
            self._span.set_attribute(f"musicgen.{name}", value)

    def fail(self, why: str) -> None:
        from opentelemetry.trace import StatusCode  # noqa: PLC0415  # only where traces are on

        self._span.set_status(StatusCode.ERROR, why)


class _Spans:
    """Makes spans and sends them, a few times a minute. Raises ImportError."""

    def __init__(self, service: str) -> None:
        # Only where traces are on.
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        resource = Resource.create({"service.name": f"musicgen-{service}"})
        # Its own shutdown takes its time if nobody listens.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        atexit.register(self.flush)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer: Tracer = self._provider.get_tracer("musicgen")

    def flush(self) -> None:
        # The time limit that it can be given is not kept if nobody listens.
        flushing = threading.Thread(target=self._provider.force_flush, daemon=True)
        flushing.start()
        flushing.join(_FLUSH_S)

    @contextlib.contextmanager
    def within(
        self, name: str, traceparent: str, facts: Mapping[str, Value], *, server: bool
    ) -> Iterator[Span]:
        span = self._begin(name, traceparent, facts, server=server)
        if span is None:
            yield _NO_SPAN
            return
        here = span.get_span_context()
        token = _current.set(
            f"00-{here.trace_id:032x}-{here.span_id:016x}-{int(here.trace_flags):02x}"
        )
        try:
            yield _Recorded(span)
        finally:
            span.end()
            # A generator may be closed by another task than the one that ran it.
            with contextlib.suppress(ValueError):
                _current.reset(token)

    def _begin(
        self, name: str, traceparent: str, facts: Mapping[str, Value], *, server: bool
    ) -> OtelSpan | None:
        from opentelemetry import trace  # noqa: PLC0415  # only where traces are on

        if (match := _TRACEPARENT.fullmatch(traceparent)) is None:
            return None
        parent = trace.SpanContext(
            int(match["trace"], 16),
            int(match["span"], 16),
            is_remote=True,
            trace_flags=trace.TraceFlags(int(match["flags"], 16)),
        )
        if not parent.is_valid:
            return None
        kind: SpanKind = trace.SpanKind.SERVER if server else trace.SpanKind.CONSUMER
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        return self._tracer.start_span(name, context, kind, dict(facts))


_NO_SPAN = Span()
