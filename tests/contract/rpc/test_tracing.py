"""One trace over several processes' calls, and nothing at all where traces are off."""

# mypy: disable-error-code="abstract"
# The methods that are left out answer UNIMPLEMENTED.

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from musicgen.api.jobs.v1 import job_service_pb2, job_service_pb2_grpc
from musicgen.errors import DiskFull, JobNotFound
from musicgen.rpc import tracing
from musicgen.rpc.channel import connect
from musicgen.rpc.server import RpcServer
from tests.otlp import PAGE_SPAN, TRACE_ID, TRACEPARENT, Collector, collector

pytestmark = pytest.mark.contract

JOBS = "musicgen.api.jobs.v1.JobService"
SPAN = "test jobs.v1.JobService"


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Send this process's spans to a collector."""
    with collector() as it:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", it.endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        monkeypatch.setattr(tracing, "_spans", None)
        assert tracing.configure("test") == ""
        assert tracing._spans is not None
        yield it
        tracing._spans._provider.shutdown()


class Inner(job_service_pb2_grpc.JobServiceServicer):
    """Answers, fails, or streams for ever."""

    ended = False

    async def GetJob(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the contract's
        """Answer, or fail."""
        if request.job_id == "missing":
            raise JobNotFound("There is none.")
        return job_service_pb2.GetJobResponse()

    async def WatchJobs(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the contract's
        """Stream until nobody listens."""
        try:
            while True:
                yield job_service_pb2.WatchJobsResponse(cursor="1")
                await asyncio.sleep(0.02)
        finally:
            self.ended = True


class Outer(job_service_pb2_grpc.JobServiceServicer):
    """Asks the inner one."""

    def __init__(self, inner: job_service_pb2_grpc.JobServiceAsyncStub) -> None:
        self._inner = inner

    async def CancelJob(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the contract's
        """Ask with a call, and with a stream that is cut short."""
        await self._inner.GetJob(job_service_pb2.GetJobRequest(job_id=request.job_id))
        watch = self._inner.WatchJobs(job_service_pb2.WatchJobsRequest())
        async for _ in watch:
            break
        watch.cancel()
        return job_service_pb2.CancelJobResponse()

    async def DeleteJob(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the contract's
        """Fail with what people wrote."""
        raise DiskFull("my secret lyrics")


@asynccontextmanager
async def serving(folder: Path, name: str, servicer: Any) -> AsyncIterator[Any]:
    """Run a server; gives a stub."""

    async def works() -> str:
        return ""

    server = RpcServer([JOBS], works)
    job_service_pb2_grpc.add_JobServiceServicer_to_server(servicer, server.grpc)
    address = f"unix:{folder}/{name}.sock"
    task = asyncio.create_task(server.run(address))
    async with connect(address) as channel:
        await asyncio.wait_for(channel.channel_ready(), 10)
        yield job_service_pb2_grpc.JobServiceStub(channel)
        server.draining.set()
        await task


async def test_a_call_and_what_it_asks_of_others_are_one_trace(
    traces: Collector, short_tmp: Path
) -> None:
    """Every call made while another is answered is its child; a cancel passes through."""
    inner_servicer = Inner()
    async with (
        serving(short_tmp, "inner", inner_servicer) as inner,
        serving(short_tmp, "outer", Outer(inner)) as outer,
    ):
        request = job_service_pb2.CancelJobRequest(job_id="j1")
        await outer.CancelJob(request, metadata=(("traceparent", TRACEPARENT),))
        cancel, get, watch = await asyncio.to_thread(
            traces.wait_for, f"{SPAN}/CancelJob", f"{SPAN}/GetJob", f"{SPAN}/WatchJobs"
        )
    assert {span.trace_id for span in (cancel, get, watch)} == {TRACE_ID}
    assert cancel.parent == PAGE_SPAN
    assert get.parent == watch.parent == cancel.span_id
    assert (cancel.service, cancel.facts["musicgen.job_id"]) == ("musicgen-test", "j1")
    assert not watch.failed
    assert inner_servicer.ended


async def test_a_failure_is_told_by_its_code_only(traces: Collector, short_tmp: Path) -> None:
    """A span of a failed call says so; what people wrote is not in it."""
    async with serving(short_tmp, "inner", Outer(None)) as stub:  # type: ignore[arg-type]  # unused
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.DeleteJob(
                job_service_pb2.DeleteJobRequest(), metadata=(("traceparent", TRACEPARENT),)
            )
        (span,) = await asyncio.to_thread(traces.wait_for, f"{SPAN}/DeleteJob")
    assert span.failed
    assert "secret" not in repr(span)


@pytest.mark.parametrize(
    "traceparent",
    ["", "00-nonsense", TRACEPARENT[:-2] + "00", f"00-{'0' * 32}-{PAGE_SPAN}-01"],
    ids=["none", "nonsense", "not sampled", "no trace"],
)
async def test_no_trace_begins_by_itself(
    traces: Collector, short_tmp: Path, traceparent: str
) -> None:
    """What the parts ask each other every second makes no spans, nor does what a client
    does not want traced."""
    async with serving(short_tmp, "inner", Inner()) as stub:
        metadata = (("traceparent", traceparent),) if traceparent else ()
        await stub.GetJob(job_service_pb2.GetJobRequest(), metadata=metadata)
        await stub.GetJob(
            job_service_pb2.GetJobRequest(job_id="last"), metadata=(("traceparent", TRACEPARENT),)
        )
        await asyncio.to_thread(traces.wait_for, f"{SPAN}/GetJob")
    assert [span.facts["musicgen.job_id"] for span in traces.spans] == ["last"]


async def test_work_goes_on_in_a_trace_that_was_kept(traces: Collector) -> None:
    """What is stored with a job lets its attempt, in whatever process, be part of the trace;
    tasks that the attempt starts are inside of it."""
    with tracing.continued("attempt", TRACEPARENT, job_id="j", attempt=2) as span:
        inside = await asyncio.create_task(_current())
        span.tell(outcome="failed")
        span.fail("DISK_FULL")
    assert tracing.current_traceparent() == ""
    (told,) = await asyncio.to_thread(traces.wait_for, "test attempt")
    assert inside == f"00-{TRACE_ID}-{told.span_id}-01"
    assert (told.parent, told.failed) == (PAGE_SPAN, True)
    assert told.facts == {
        "musicgen.job_id": "j",
        "musicgen.attempt": 2,
        "musicgen.outcome": "failed",
    }


async def _current() -> str:
    return tracing.current_traceparent()


def test_a_protocol_that_is_not_spoken_is_said() -> None:
    """A collector that wants HTTP is not sent gRPC."""
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in tracing.configure("test", environ)


_OFF = """
import sys
if {hidden}:
    sys.modules["opentelemetry"] = None
from musicgen.rpc import telemetry, tracing
telemetry.start("test", log_level="INFO")
with tracing.server_span("/a/B", (("traceparent", "{traceparent}"),)), tracing.continued("x", "y"):
    assert tracing.current_traceparent() == ""
assert not tracing.is_on()
assert not [name for name, module in sys.modules.items() if "opentelemetry" in name and module]
"""


@pytest.mark.parametrize("missing", [False, True])
def test_off_is_free_and_missing_is_said(missing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the environment asks for it nothing of OpenTelemetry is loaded; where it asks
    but nothing is installed, the log says what to install, and the work goes on."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    if missing:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:1")
    program = _OFF.format(hidden=missing, traceparent=TRACEPARENT)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert ("musicgen-local[tracing]" in done.stderr) == missing


def test_a_collector_that_says_nothing_holds_up_no_end(tmp_path: Path) -> None:
    """A process that ends waits a second for its last spans, not as long as the network does."""
    script = (
        "from musicgen.rpc import tracing\n"
        "assert tracing.configure('test') == ''\n"
        "with tracing.continued('work', '00-' + '1' * 32 + '-' + '2' * 16 + '-01'):\n"
        "    pass\n"
    )
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        environ = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        started_s = time.monotonic()
        subprocess.run([sys.executable, "-c", script], env=environ, cwd=tmp_path, check=True)
        assert time.monotonic() - started_s < 6
