"""One engine: its host is started on first use, kept warm, replaced when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import enum
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from musicgen.api.engine.v1 import engine_service_pb2
from musicgen.engine.base import Manifest, Parameters, Reported
from musicgen.engine.client import Made
from musicgen.engine.waiting import to_the_end
from musicgen.errors import (
    Cancelled,
    EngineCrashed,
    GenerationTimeout,
    ModelInUse,
    ServiceUnavailable,
    StudioError,
)
from musicgen.progress import Progress
from musicgen.rpc import log
from services.inference import metrics
from services.inference.host_process import EXIT_WAIT_S, HostProcess
from services.inference.registry import EngineEntry

CHECK_LIMIT_S = 30.0
CANCEL_LIMIT_S = 1.0
"""A host that still works this long after a cancellation is killed."""


class State(enum.Enum):
    """Whether an engine can take work; named as in the contract."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    READY = "READY"
    UNAVAILABLE = "UNAVAILABLE"


class EngineProcess:
    """Runs one generation at a time; further callers wait in order."""

    def __init__(
        self,
        entry: EngineEntry,
        *,
        runtime_dir: Path | None,
        start_timeout_s: float,
        stall_timeout_s: float,
    ) -> None:
        self.entry = entry
        self.state = State.STOPPED
        self.detail = ""
        self._runtime_dir = runtime_dir
        self._start_timeout_s = start_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._turn = asyncio.Lock()
        # What a host does belongs to no request; its log lines must not name one.
        self._context = contextvars.copy_context()
        self._host: HostProcess | None = None
        self._loaded: Sequence[str] = ()
        self._starting: asyncio.Task[HostProcess] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def manifest(self) -> Manifest:
        """Return what the engine is, without starting it."""
        return await asyncio.to_thread(self.entry.manifest)

    @property
    def host_pid(self) -> int | None:
        """Process id of the host, if one is up."""
        return self._host.pid if self._host else None

    async def start(self) -> HostProcess:
        """Return the host, which is started if need be. Raises EngineCrashed, also if it is
        stopped meanwhile."""
        if self._host is not None:
            return self._host
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(), context=self._context.copy())
            self._starting.add_done_callback(self._started)
        # Shared by all who wait: the cancellation of one must not stop it.
        try:
            return await asyncio.shield(self._starting)
        except asyncio.CancelledError as end:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # The start was cancelled, not the caller, who would be told nothing.
            raise EngineCrashed(
                "The engine was stopped while it started.", metadata={"engine": self.entry.name}
            ) from end

    async def _start(self) -> HostProcess:
        self.state, self.detail, self._loaded = State.STARTING, "", ()
        metrics.ENGINE_STARTS.labels(self.entry.name).inc()
        try:
            host = await HostProcess.start(
                self.entry.command,
                runtime_dir=self._runtime_dir,
                timeout_s=self._start_timeout_s,
            )
            await self._check_identity(host)
        except StudioError as error:
            self.state, self.detail = State.UNAVAILABLE, error.message
            error.metadata["engine"] = self.entry.name
            log.get().error("engine start failed", engine=self.entry.name, why=error.message)
            raise
        except BaseException as error:
            self.state, self.detail = State.STOPPED, repr(error)
            raise
        self.state, self._host = State.READY, host
        self._watching = asyncio.create_task(self._watch(host))
        return host

    async def _check_identity(self, host: HostProcess) -> None:
        expected, found = await self.manifest(), host.manifest
        for name in ("name", "version", "sample_rate_hz", "channels"):
            if getattr(expected, name) != getattr(found, name):
                await host.close()
                raise EngineCrashed(
                    f"The engine's host says {name} {getattr(found, name)}, but "
                    f"{getattr(expected, name)} is registered.",
                    remedy="Correct the registration of the engine, then restart the service.",
                )

    def _started(self, task: asyncio.Task[HostProcess]) -> None:
        self._starting = None
        if not task.cancelled():
            task.exception()  # told to whoever waited, and kept in `detail`

    async def _watch(self, host: HostProcess) -> None:
        await host.wait()
        self._host = None
        if self.state is State.READY:
            self.state, self.detail = State.STOPPED, f"Its host ended: {host.how_it_ended()}."
        log.get().warning("engine host ended", engine=self.entry.name, how=host.how_it_ended())
        await host.close()

    async def generate(
        self, parameters: Parameters, scratch: Path
    ) -> AsyncGenerator[Reported | Made, None]:
        """Yield progress, previews and checkpoints, then what the host made in `scratch`.

        When this iterator is closed, or its reader cancelled, the host has stopped writing
        before that returns, even if it must be killed. Raises what the engine raised,
        EngineCrashed if the host died, GenerationTimeout if it fell silent.
        """
        if self._turn.locked():
            yield Progress("waiting", 0, 1, 0.0)
        async with self._turn:
            if self._host is None:
                yield Progress("starting", 0, 1, 0.0)
            host = await self.start()
            at_rest = False
            events = host.client.generate(parameters, scratch)
            try:
                async with contextlib.aclosing(events):
                    while True:
                        try:
                            async with asyncio.timeout(self._stall_timeout_s):
                                event = await anext(events)
                        except StopAsyncIteration:
                            break
                        yield event
                at_rest = True
            except TimeoutError as error:
                at_rest = True
                raise await to_the_end(self._stalled(host)) from error
            except (ServiceUnavailable, Cancelled) as error:
                at_rest = True
                raise await to_the_end(self._crashed(host)) from error
            except StudioError as error:
                error.metadata["engine"] = self.entry.name
                raise
            finally:
                # Also after an error: it may be ours, of a host that goes on meanwhile.
                if not at_rest:
                    await to_the_end(self._settle(host))

    async def check_lyrics(self, parameters: Parameters) -> engine_service_pb2.CheckLyricsResponse:
        """Check lyrics, also while a generation runs. Raises what the engine raised,
        EngineCrashed."""
        host = await self.start()
        try:
            return await host.client.check_lyrics(parameters, CHECK_LIMIT_S)
        except (ServiceUnavailable, Cancelled) as error:
            await host.wait(EXIT_WAIT_S)
            if self._watching is not None and host.how_it_ended():
                await asyncio.wait([self._watching])  # so that the next call starts another
            raise EngineCrashed(
                "The engine's process ended while it checked lyrics.",
                metadata={"engine": self.entry.name},
            ) from error

    @property
    def busy(self) -> bool:
        """Whether a generation runs, or a model is being loaded."""
        return self._turn.locked()

    async def load(self, model: str) -> None:
        """Load a model, if nothing else runs. Raises ModelInUse, what the engine raised,
        EngineCrashed if the host died."""
        self._check_idle()
        async with self._turn:
            host = await self.start()
            try:
                self._loaded = tuple(await host.client.load(model))
            except ServiceUnavailable as error:
                raise await to_the_end(self._crashed(host)) from error
            except asyncio.CancelledError:
                await to_the_end(self._settle(host))
                raise

    async def unload(self) -> None:
        """End the host, which gives all its memory back. Raises ModelInUse if it works."""
        self._check_idle()
        async with self._turn:
            await self.stop()

    async def renew(self) -> None:
        """End the host as soon as it does not work: the next one starts with what is set
        then."""
        async with self._turn:
            await self.stop()

    def _check_idle(self) -> None:
        if self.busy:
            raise ModelInUse(
                f"The engine {self.entry.name} is working.", metadata={"engine": self.entry.name}
            )

    async def loaded_models(self) -> Sequence[str]:
        """Return the names of the models in the host's memory; while it works, those that
        were there before."""
        if self._host is None:
            return ()
        if not self.busy:
            with contextlib.suppress(StudioError):
                self._loaded = tuple(await self._host.client.loaded_models(CANCEL_LIMIT_S))
        return self._loaded

    async def _settle(self, host: HostProcess) -> None:
        """Make sure that the host works on nothing any more."""
        try:
            await host.describe(CANCEL_LIMIT_S)
        except StudioError:
            await self._kill(host)

    async def _kill(self, host: HostProcess) -> None:
        host.kill()
        await host.wait()
        if self._watching is not None:
            await asyncio.wait([self._watching])

    async def _stalled(self, host: HostProcess) -> GenerationTimeout:
        await self._kill(host)
        return GenerationTimeout(
            f"The engine made no progress for {self._stall_timeout_s:g} s and was stopped.",
            metadata={"engine": self.entry.name},
        )

    async def _crashed(self, host: HostProcess) -> EngineCrashed:
        await host.wait(EXIT_WAIT_S)
        how = host.how_it_ended() or "its connection broke"
        await self._kill(host)
        return EngineCrashed(
            f"The engine's process died in the middle of the work: {how}.",
            metadata={"engine": self.entry.name, "exit": how},
        )

    async def stop(self) -> None:
        """End the host; work in progress ends with it."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        if self._host is None:
            return
        host, self.state, self.detail = self._host, State.STOPPED, ""
        await host.terminate()
        await self._kill(host)
