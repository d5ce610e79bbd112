"""grpc.health.v1 that looks when it is asked, so that a service at rest costs nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from musicgen.rpc import log

SERVING_KEPT_S = 2.0
FAULT_KEPT_S = 0.25
"""How old an answer may be. A fault is looked at again sooner: somebody waits for its end."""
UNASKED_S = 10.0
"""Between looks that nobody asked for: a check may heal what it finds, and the log tells it."""
CHECK_TIMEOUT_S = 10.0

Check = Callable[[], Awaitable[str]]
"""Returns why the service can't do its work now, or "" if it can."""

_Status = health_pb2.HealthCheckResponse.ServingStatus
Context = grpc.aio.ServicerContext[Any, Any]


class Health(health.aio.HealthServicer):  # type: ignore[misc]  # it has no types
    """The health of `services`, all of which work if `check` says so."""

    def __init__(self, services: Sequence[str], check: Check) -> None:
        super().__init__()
        self._services = ("", *services)
        self._check = check
        self._why = ""
        self._kept_until_s = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> Any:  # noqa: N802  # the contract's name
        """Answer for a service, "" for all."""
        await self.refresh()
        return await super().Check(request, context)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:  # noqa: N802  # the contract's name
        """Answer now and whenever it changes."""
        refreshing = asyncio.create_task(self.keep_fresh(SERVING_KEPT_S))
        try:
            await super().Watch(request, context)
        finally:
            refreshing.cancel()

    async def keep_fresh(self, interval_s: float) -> None:
        """Look every `interval_s` until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(interval_s)

    async def refresh(self) -> None:
        """Look, unless that was done a moment ago. One look serves all who ask meanwhile,
        and goes on if they give up."""
        if self._looking is None:
            if time.monotonic() < self._kept_until_s:
                return
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)
        await asyncio.shield(self._looking)

    async def _look(self) -> None:
        why = await self._fault()
        if why != self._why:
            self._why = why
            log.get().warning("not serving" if why else "serving again", why=why or None)
        for service in self._services:
            await self.set(service, _Status.NOT_SERVING if why else _Status.SERVING)
        self._kept_until_s = time.monotonic() + (FAULT_KEPT_S if why else SERVING_KEPT_S)

    def _looked(self, _: asyncio.Task[None]) -> None:
        self._looking = None

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
