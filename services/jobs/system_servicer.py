"""SystemService: asks every part of the studio how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import musicgen
from musicgen.api.system.v1 import system_service_pb2, system_service_pb2_grpc
from musicgen.errors import StoreUnavailable
from services.jobs.store import JobStore

TIMEOUT_S = 2.0


class SystemServicer(system_service_pb2_grpc.SystemServiceServicer):
    """See system_service.proto."""

    def __init__(self, store: JobStore, peers: Mapping[str, grpc.aio.Channel]) -> None:
        self._store = store
        self._peers = dict(peers)

    async def GetHealth(
        self,
        request: system_service_pb2.GetHealthRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> system_service_pb2.GetHealthResponse:
        """Ask all parts at once."""
        checks = {name: _peer(channel) for name, channel in self._peers.items()}
        checks |= {"jobs": self._jobs(), "runner": self._runner()}
        faults = dict(zip(checks, await asyncio.gather(*checks.values()), strict=True))
        status = system_service_pb2.GetHealthResponse.Status
        return system_service_pb2.GetHealthResponse(
            status=status.STATUS_DEGRADED if any(faults.values()) else status.STATUS_SERVING,
            version=musicgen.__version__,
            components=[
                system_service_pb2.Component(name=name, serving=not fault, detail=fault)
                for name, fault in sorted(faults.items())
            ],
        )

    async def _jobs(self) -> str:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._store.ping()
        except (StoreUnavailable, TimeoutError):
            return "The job store does not answer; nothing can be accepted."
        return ""

    async def _runner(self) -> str:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if not await self._store.workers():
                    return "No worker runs; jobs wait."
                if not await self._store.engines():
                    return "No engine has been announced yet."
        except (StoreUnavailable, TimeoutError):
            return "Unknown: the job store does not answer."
        return ""


async def _peer(channel: grpc.aio.Channel) -> str:
    stub = health_pb2_grpc.HealthStub(channel)
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        return f"It does not answer ({error.code().name})."
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        return "It runs, but can't do its work now; its log says why."
    return ""
