"""One way to run a service: health, reflection, interceptor, drain on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from musicgen.rpc import log
from musicgen.rpc.interceptors import InFlight, StudioInterceptor
from musicgen.rpc.limits import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES

HEALTH_INTERVAL_S = 1.0
CHECK_TIMEOUT_S = 10.0
DRAIN_LIMIT_S = 10.0

OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # What the gateway lets pass (60 KiB) must not be refused here, where it would be
    # refused without reason or remedy, and above half of the limit only sometimes.
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", 2 * MAX_METADATA_BYTES),
    # Long streams are kept alive by clients; the defaults would answer GOAWAY.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 0),
)

Check = Callable[[], Awaitable[str]]
"""Returns why the service can't do its work now, or "" if it can."""


class RpcServer:
    """A gRPC server of the studio.

        server = RpcServer(["musicgen.api.jobs.v1.JobService"], check)
        add_JobServiceServicer_to_server(servicer, server.grpc)
        await server.run("unix:/run/jobs.sock")

    `draining` is set as soon as the process is asked to stop, so that endless streams
    can end well.
    """

    def __init__(self, services: Sequence[str], check: Check) -> None:
        self._in_flight = InFlight()
        self._check = check
        self._services = list(services)
        self._health = health.aio.HealthServicer()
        self.draining = asyncio.Event()
        self.grpc = grpc.aio.server(
            interceptors=[StudioInterceptor(self._in_flight)], options=list(OPTIONS)
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        reflection.enable_server_reflection(
            [*services, health.SERVICE_NAME, reflection.SERVICE_NAME], self.grpc
        )

    async def run(self, address: str) -> None:
        """Serve on `address` ("unix:/path" or "host:port") until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.draining.set)
        self.grpc.add_insecure_port(address)
        await self._report_health()
        await self.grpc.start()
        log.get().info("serving", address=address)
        watching = asyncio.create_task(self._watch_health())
        await self.draining.wait()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await self._health.enter_graceful_shutdown()
        grace_s = self._in_flight.longest_s(DRAIN_LIMIT_S)
        log.get().info("draining", grace_s=round(grace_s, 3))
        await self.grpc.stop(grace_s)

    async def _fault(self) -> str:
        """A check that fails or hangs is a fault too: health must not stay as it was."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return await self._check()
        except TimeoutError:
            return f"Its check takes more than {CHECK_TIMEOUT_S:g} s."
        except Exception as error:
            log.get().error("defect", exc_info=error)
            return f"Its check failed: {error!r}"

    async def _watch_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_INTERVAL_S)
            await self._report_health()

    async def _report_health(self) -> None:
        why = await self._fault()
        status = health_pb2.HealthCheckResponse.ServingStatus
        value = status.NOT_SERVING if why else status.SERVING
        for service in ("", *self._services):
            await self._health.set(service, value)
        if why:
            log.get().warning("not serving", why=why)
