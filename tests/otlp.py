"""A collector of traces on this machine, which keeps what it is sent."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PAGE_SPAN = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{PAGE_SPAN}-01"
"""What a page would send."""


@dataclass(frozen=True, slots=True)
class Told:
    """One span as it arrived; ids in hex."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent: str
    failed: bool
    facts: dict[str, Any]

    @property
    def label(self) -> str:
        """Who tells it, and its name without what all names begin with."""
        who = self.service.removeprefix("musicgen-")
        return f"{who} {self.name.removeprefix('musicgen.api.')}"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps the spans that arrive."""

    def __init__(self, address: str) -> None:
        self.endpoint = f"http://{address}"
        self._came = threading.Condition()
        self._spans: list[Told] = []

    @property
    def spans(self) -> list[Told]:
        """All that came so far."""
        with self._came:
            return list(self._spans)

    def Export(  # noqa: N802  # the contract's name
        self,
        request: trace_service_pb2.ExportTraceServiceRequest,
        context: object,  # noqa: ARG002  # the contract's
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Keep them."""
        with self._came:
            for resource in request.resource_spans:
                service = _facts(resource.resource.attributes)["service.name"]
                for scope in resource.scope_spans:
                    self._spans += [_told(service, span) for span in scope.spans]
            self._came.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    def wait_for(self, *labels: str, timeout_s: float = 30.0) -> list[Told]:
        """Return the newest span of each of `labels`, once all are there."""
        deadline = time.monotonic() + timeout_s
        with self._came:
            while missing := set(labels) - {span.label for span in self._spans}:
                if not self._came.wait(deadline - time.monotonic()):
                    have = sorted({span.label for span in self._spans})
                    raise TimeoutError(f"no {sorted(missing)} among {have}")
            newest = {span.label: span for span in self._spans}
        return [newest[label] for label in labels]


def _told(service: str, span: trace_pb2.Span) -> Told:
    return Told(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        facts=_facts(span.attributes),
    )


def _facts(attributes: Sequence[Any]) -> dict[str, Any]:
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value")
        for one in attributes
    }


@contextlib.contextmanager
def collector() -> Iterator[Collector]:
    """Collect on a free port of this machine while the body runs."""
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        port = server.add_insecure_port("127.0.0.1:0")
        it = Collector(f"127.0.0.1:{port}")
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(it, server)  # type: ignore[no-untyped-call]  # generated
        server.start()
        try:
            yield it
        finally:
            server.stop(None).wait()
