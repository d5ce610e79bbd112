"""The server bootstrap: health tells the truth, defects stay inside, drains end well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from musicgen.api.system.v1 import system_service_pb2, system_service_pb2_grpc
from musicgen.errors import DiskFull
from musicgen.rpc import health, log, metrics, probe
from musicgen.rpc.channel import connect
from musicgen.rpc.server import RpcServer
from musicgen.rpc.status import from_rpc_error

pytestmark = pytest.mark.contract

SERVICE = "musicgen.api.system.v1.SystemService"


class Servicer(system_service_pb2_grpc.SystemServiceServicer):
    """Does what the test says."""

    fault: Exception | None = None
    delay_s = 0.0

    async def GetHealth(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the contract's
        """Wait, then fail or answer."""
        await asyncio.sleep(self.delay_s)
        if self.fault:
            raise self.fault
        return system_service_pb2.GetHealthResponse(version="1")


class Running:
    """A server and a channel to it."""

    def __init__(self, folder: Path) -> None:
        self.why = ""
        self.address = f"unix:{folder}/s.sock"
        self.servicer = Servicer()

        async def check() -> str:
            return self.why

        self.server = RpcServer([SERVICE], check)
        system_service_pb2_grpc.add_SystemServiceServicer_to_server(self.servicer, self.server.grpc)
        self.channel = connect(self.address)
        self.stub = system_service_pb2_grpc.SystemServiceStub(self.channel)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    """Run a server."""
    it = Running(folder)
    task = asyncio.create_task(it.server.run(it.address))
    await asyncio.wait_for(it.channel.channel_ready(), 10)
    try:
        yield it
    finally:
        it.server.draining.set()
        await task
        await it.channel.close()


def _look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no answer be kept."""
    monkeypatch.setattr(health, "SERVING_KEPT_S", 0.02)
    monkeypatch.setattr(health, "FAULT_KEPT_S", 0.02)


async def test_health_follows_what_can_be_done(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Health is NOT_SERVING while the service can't do its work, and back after."""
    _look_always(monkeypatch)
    status = health_pb2.HealthCheckResponse
    async with running(short_tmp) as it:
        stub = health_pb2_grpc.HealthStub(it.channel)
        for why, expected in (
            ("", status.SERVING),
            ("gone", status.NOT_SERVING),
            ("", status.SERVING),
        ):
            it.why = why
            await asyncio.sleep(0.2)
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE))
            assert answer.status == expected
            code = await asyncio.to_thread(probe.main, it.address)
            assert code == (0 if expected == status.SERVING else 1)
    assert await asyncio.to_thread(probe.main, it.address) == 1


async def test_reflection_lists_the_service(short_tmp: Path) -> None:
    """Tools can ask the server for its contract."""
    async with running(short_tmp) as it:

        def services() -> list[str]:
            with grpc.insecure_channel(it.address) as channel:
                return list(ProtoReflectionDescriptorDatabase(channel).get_services())

        assert SERVICE in await asyncio.to_thread(services)


async def test_a_defect_is_logged_but_not_told(
    short_tmp: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A defect's cause goes into the log; the client hears reason and remedy only."""
    log.configure("test")
    async with running(short_tmp) as it:
        it.servicer.fault = KeyError("secret detail")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.stub.GetHealth(system_service_pb2.GetHealthRequest())
    error = from_rpc_error(caught.value)
    assert (error.reason, bool(error.remedy)) == ("INTERNAL", True)
    assert "secret" not in str(caught.value)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[0] == "{"]
    assert any("secret detail" in json.dumps(line) for line in lines)
    assert any(line["event"] == "rpc" and line["reason"] == "INTERNAL" for line in lines)
    structlog.reset_defaults()


async def test_a_studio_error_arrives_whole_and_is_counted(short_tmp: Path) -> None:
    """Reason, remedy, metadata, fields and delay all reach the client; metrics count it."""
    counter = metrics.HANDLED.labels(SERVICE, "GetHealth", "RESOURCE_EXHAUSTED")
    before = counter._value.get()
    async with running(short_tmp) as it:
        it.servicer.fault = DiskFull(
            "Full.", metadata={"free": "1"}, fields={"f": "x"}, retry_after_s=1.5
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await it.stub.GetHealth(system_service_pb2.GetHealthRequest())
    error = from_rpc_error(caught.value)
    assert type(error) is DiskFull
    assert (error.message, error.metadata, error.fields, error.retry_after_s) == (
        "Full.",
        {"free": "1"},
        {"f": "x"},
        1.5,
    )
    assert counter._value.get() == before + 1


async def test_a_call_under_way_ends_well_when_the_server_drains(short_tmp: Path) -> None:
    """A drain waits for calls, but not longer than their deadlines allow."""
    async with running(short_tmp) as it:
        it.servicer.delay_s = 0.3
        call = it.stub.GetHealth(system_service_pb2.GetHealthRequest(), timeout=5)
        await asyncio.sleep(0.1)
        it.server.draining.set()
        assert (await call).version == "1"


async def test_nobody_there(short_tmp: Path) -> None:
    """An address where nobody serves is an unavailable service, with a remedy."""
    channel = connect(f"unix:{short_tmp}/none.sock")
    stub = system_service_pb2_grpc.SystemServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetHealth(system_service_pb2.GetHealthRequest())
    error = from_rpc_error(caught.value)
    assert (error.reason, "musicgen doctor" in error.remedy) == ("SERVICE_UNAVAILABLE", True)
    await channel.close()


async def test_a_check_that_fails_or_hangs_is_a_fault(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Health does not stay SERVING because nobody can tell any more."""
    _look_always(monkeypatch)
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)

    async def fails() -> str:
        raise KeyError("unforeseen")

    async def hangs() -> str:
        await asyncio.sleep(60)
        return ""

    async def serves() -> str:
        return ""

    status = health_pb2.HealthCheckResponse
    async with running(short_tmp) as it:
        stub = health_pb2_grpc.HealthStub(it.channel)
        for check, expected in (
            (fails, status.NOT_SERVING),
            (serves, status.SERVING),
            (hangs, status.NOT_SERVING),
        ):
            monkeypatch.setattr(it.server._health, "_check", check)
            await asyncio.sleep(0.3)
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE))
            assert answer.status == expected


async def test_a_service_at_rest_looks_at_nothing(short_tmp: Path) -> None:
    """Health costs nothing while nobody asks, and one look serves all who ask at once."""
    looks = 0

    async def check() -> str:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.1)
        return ""

    async with running(short_tmp) as it:
        it.server._health._check = check
        await asyncio.sleep(0.3)
        assert looks == 0
        it.server._health._kept_until_s = 0.0
        stub = health_pb2_grpc.HealthStub(it.channel)
        request = health_pb2.HealthCheckRequest()
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Check(request, timeout=0.03)  # who gives up ends no look
        await asyncio.gather(*(stub.Check(request) for _ in range(10)))
        assert looks == 1


async def test_who_watches_health_is_told_when_it_changes(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch of health looks by itself, for as long as it is open."""
    _look_always(monkeypatch)
    status = health_pb2.HealthCheckResponse
    async with running(short_tmp) as it:
        told = []
        watch = health_pb2_grpc.HealthStub(it.channel).Watch(health_pb2.HealthCheckRequest())
        async for answer in watch:
            told.append(answer.status)
            it.why = "gone" if len(told) == 1 else ""
            if len(told) == 3:
                break
        watch.cancel()
        assert told == [status.SERVING, status.NOT_SERVING, status.SERVING]
