"""One way to run a service: health, reflection, interceptor, drain on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from musicgen.rpc import log
from musicgen.rpc.health import UNASKED_S, Check, Health
from musicgen.rpc.interceptors import InFlight, StudioInterceptor
from musicgen.rpc.limits import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES

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
        self._health = Health(services, check)
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
        await self._health.refresh()
        await self.grpc.start()
        log.get().info("serving", address=address)
        watching = asyncio.create_task(self._health.keep_fresh(UNASKED_S))
        await self.draining.wait()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await self._health.enter_graceful_shutdown()
        grace_s = self._in_flight.longest_s(DRAIN_LIMIT_S)
        log.get().info("draining", grace_s=round(grace_s, 3))
        await self.grpc.stop(grace_s)
