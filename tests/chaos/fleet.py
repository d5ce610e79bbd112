"""A studio of several workers: the launcher's own parts, kept running whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from musicgen.local import probes
from musicgen.local.guardian import MARK, marked, signal_groups, signal_processes
from musicgen.local.layout import Layout
from musicgen.local.parts import Part, code_root, studio_parts
from musicgen.local.ports import choose_port
from musicgen.local.processes import Child, Guardian
from tests.chaos.clock import Clock, find_library
from tests.chaos.engine import write_registry

LEASE_S = 3.0
RESTART_S = 0.2
START_S = 60.0
STOP_S = 10.0
HOST = "musicgen.engine.host"


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What runs. Every worker is an inference service with a runner of its own."""

    jobs: int = 2
    workers: int = 2
    library: bool = True
    gateway: bool = True
    slots: int = 2
    lease_s: float = LEASE_S
    clocks: bool = False
    """Whether the last jobs process and the last runner have clocks that can be set."""


class Keeper:
    """Keeps one part running, but for the time that it is held."""

    def __init__(self, part: Part, environ: Mapping[str, str], layout: Layout) -> None:
        self.part = part
        self.busy = asyncio.Lock()
        """Held by whoever is doing something to it."""
        self.starts = 0
        self._environ = environ
        self._layout = layout
        self._child: Child | None = None
        self._may_run = asyncio.Event()
        self._may_run.set()
        self._down = asyncio.Event()
        self._down.set()

    @property
    def name(self) -> str:
        """What the part is called."""
        return self.part.name

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._child.pid if self._child else None

    def signal(self, number: signal.Signals) -> bool:
        """Signal the process alone, not its children. Returns whether it runs."""
        if self.pid is None:
            return False
        signal_processes([self.pid], number)
        return True

    async def keep(self, guardian: Guardian) -> None:
        """Start it, and start it again, until cancelled."""
        while True:
            await self._may_run.wait()
            for socket in self.part.sockets:
                socket.unlink(missing_ok=True)
            try:
                child = await Child.start(
                    self.part.argv,
                    self._environ,
                    self._layout.log(self.name),
                    self._layout.data_root,
                )
            except OSError:  # the disk is full, say
                await asyncio.sleep(RESTART_S)
                continue
            self._child = child
            self._down.clear()
            self.starts += 1
            guardian.watch(child.pid)
            await child.wait()
            self._child = None
            # Its children would hold what the next one needs.
            signal_groups([child.pid], signal.SIGKILL)
            signal_processes(marked(self._environ[MARK]), signal.SIGKILL)
            guardian.forget(child.pid)
            self._down.set()
            await asyncio.sleep(RESTART_S)

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Once it has ended, let it stay down while the body runs."""
        self._may_run.clear()
        try:
            yield
        finally:
            self._may_run.set()

    async def down(self, limit_s: float) -> bool:
        """Wait until it has ended; returns whether it did in time."""
        try:
            await asyncio.wait_for(self._down.wait(), limit_s)
        except TimeoutError:
            return False
        return True

    async def works(self, limit_s: float = START_S) -> None:
        """Wait until the probe passes. Raises TimeoutError."""
        problem = "nothing was asked yet"
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            if self.pid is not None:
                with contextlib.suppress(TimeoutError):
                    problem = await self.part.probe()
                    if not problem:
                        return
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{self.name} does not work after {limit_s:g} s: {problem}")

    def hosts(self) -> list[int]:
        """Return the engine hosts among its children."""
        found = []
        for pid in marked(self._environ[MARK]):
            with contextlib.suppress(OSError):
                if HOST.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found


class Fleet:
    """All parts, by name: valkey, jobs-1…, inference-1…, runner-1…, library, envoy."""

    def __init__(self, data_root: Path, plan: Plan) -> None:
        """Make the folders and say what will run; nothing runs yet. Raises CannotStart."""
        environ = {name: value for name, value in os.environ.items() if "MUSICGEN_" not in name}
        self.plan = plan
        self.layout = Layout.make(data_root, environ)
        self.port, _ = choose_port(0)
        self.clocks: dict[str, Clock] = {}
        self.wires: dict[str, Path] = {}
        """Where each program that needs the store looks for it; somebody must listen there."""
        self._mark = f"{self.layout.studio_id}-{os.getpid()}/"
        self._keeping: list[asyncio.Task[None]] = []
        self.keepers = {
            part.name: Keeper(
                part, {**environ, **part.env, MARK: f"{self._mark}{part.name}"}, self.layout
            )
            for part in self._parts()
        }

    @property
    def address(self) -> str:
        """The gateway's host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def store_socket(self) -> Path:
        """Where Valkey itself listens."""
        return self.layout.socket("valkey")

    def named(self, kind: str) -> list[Keeper]:
        """Return all parts of a kind, such as "runner"."""
        return [
            keeper for name, keeper in self.keepers.items() if name.rpartition("-")[0] == kind
        ] or [self.keepers[kind]]

    async def start(self) -> None:
        """Start everything and return when all of it works. Raises TimeoutError."""
        self._guardian = Guardian.start(self._mark)
        for rank in (0, 1):
            wave = [k for k in self.keepers.values() if min(k.part.rank, 1) == rank]
            self._keeping += [asyncio.create_task(k.keep(self._guardian)) for k in wave]
            await asyncio.gather(*(keeper.works() for keeper in wave))

    async def mend(self) -> None:
        """Let everything that is stopped go on, and return when all of it works."""
        for keeper in self.keepers.values():
            keeper.signal(signal.SIGCONT)
            signal_processes(keeper.hosts(), signal.SIGCONT)
        await asyncio.gather(*(keeper.works() for keeper in self.keepers.values()))

    async def stop(self) -> list[str]:
        """End everything. Returns the parts that had to be killed."""
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        stubborn = []
        ranks = sorted({keeper.part.rank for keeper in self.keepers.values()}, reverse=True)
        for rank in ranks:
            ending = [k for k in self.keepers.values() if k.part.rank == rank and k.pid]
            for keeper in ending:
                keeper.signal(signal.SIGCONT)
                keeper.signal(signal.SIGTERM)
            stubborn += [k.name for k in ending if not await _ended(k, STOP_S)]
        await asyncio.to_thread(_kill_marked, self._mark)
        await asyncio.to_thread(self._guardian.dismiss)
        return stubborn

    # ---- what runs -----------------------------------------------------------------

    def _parts(self) -> list[Part]:
        own = {part.name: part for part in studio_parts(self.layout, self.port, {})}
        plan = self.plan
        registry = write_registry(self.layout.sockets / "engines.json")
        parts = [own["valkey"]]
        parts += [self._jobs(own["jobs"], n + 1) for n in range(plan.jobs)]
        parts += [own["library"]] if plan.library else []
        for n in range(plan.workers):
            parts.append(self._inference(own["inference"], n + 1, registry))
            parts.append(self._runner(own["runner"], n + 1))
        parts += [self._gateway(own["envoy"])] if plan.gateway else []
        return [_with(part, PYTHONPATH=str(code_root())) for part in parts]

    def _jobs(self, part: Part, number: int) -> Part:
        name = f"jobs-{number}"
        return self._named(
            part,
            name,
            probes.grpc_health(self.layout.address(name)),
            **self._timed(name, number == self.plan.jobs > 1),
            MUSICGEN_REDIS_URL=self._wire(name),
            MUSICGEN_BOOKMARK_S="2",
            MUSICGEN_WATCH_S="60",
        )

    def _inference(self, part: Part, number: int, registry: Path) -> Part:
        name = f"inference-{number}"
        return self._named(
            part,
            name,
            probes.grpc_health(self.layout.address(name)),
            MUSICGEN_RUNTIME_DIR=str(self.layout.sockets / name),
            MUSICGEN_ENGINES_FILE=str(registry),
            MUSICGEN_PREWARM="",
            MUSICGEN_STALL_TIMEOUT_S="15",
        )

    def _runner(self, part: Part, number: int) -> Part:
        name = f"runner-{number}"
        runner = self._named(
            part,
            name,
            probes.alive(),
            **self._timed(name, number == self.plan.workers > 1),
            MUSICGEN_REDIS_URL=self._wire(name),
            MUSICGEN_RUNNER_NAME=name,
            MUSICGEN_INFERENCE_ADDRESS=self.layout.address(f"inference-{number}"),
            MUSICGEN_GENERATE_SLOTS=str(self.plan.slots),
            MUSICGEN_LEASE_S=str(self.plan.lease_s),
        )
        return _with(runner, MUSICGEN_LOOPER_ADDRESS=None)

    def _gateway(self, part: Part) -> Part:
        async def probe() -> str:
            try:
                status, _ = await probes.http_get(self.port, "/v1/jobs", None)
            except (OSError, ValueError) as error:
                return f"no answer yet ({error})"
            return "" if status == 200 else f"HTTP {status}"

        return _with(
            dataclasses.replace(part, probe=probe),
            MUSICGEN_JOBS_ADDRESS=self.layout.address("jobs-1"),
            MUSICGEN_INFERENCE_ADDRESS=self.layout.address("inference-1"),
            MUSICGEN_METRICS_TARGETS="",
        )

    def _named(self, part: Part, name: str, probe: probes.Probe, **env: str) -> Part:
        sockets = (self.layout.socket(name),) if part.name != "runner" else ()
        address = {"MUSICGEN_ADDRESS": self.layout.address(name)} if sockets else {}
        named = dataclasses.replace(part, name=name, probe=probe, sockets=sockets)
        return _with(named, MUSICGEN_METRICS_ADDRESS=None, **address, **env)

    def _wire(self, name: str) -> str:
        self.wires[name] = self.layout.socket(f"{name}-wire")
        return f"unix://{self.wires[name]}"

    def _timed(self, name: str, wanted: bool) -> dict[str, str]:
        library = find_library() if wanted and self.plan.clocks else None
        if library is None:
            return {}
        self.clocks[name] = Clock(self.layout.sockets, name, library)
        return self.clocks[name].environ


def _with(part: Part, **env: str | None) -> Part:
    both = {**part.env, **env}
    return dataclasses.replace(
        part, env={name: value for name, value in both.items() if value is not None}
    )


async def _ended(keeper: Keeper, limit_s: float) -> bool:
    pid, until = keeper.pid, time.monotonic() + limit_s
    while time.monotonic() < until:
        if pid is None or not signal_groups([pid], 0):
            return True
        await asyncio.sleep(0.05)
    return False


def _kill_marked(mark: str) -> None:
    until = time.monotonic() + 5
    while (left := marked(mark)) and time.monotonic() < until:
        signal_processes(left, signal.SIGKILL)
        time.sleep(0.05)
