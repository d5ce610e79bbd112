"""One run: a fleet, its load, its faults, and the audit when all is quiet again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from musicgen.api.jobs.v1 import job_pb2
from services.jobs.store import JobStore
from tests.chaos.audit import Audit
from tests.chaos.doors import Door, Native, Rest, Web, list_jobs
from tests.chaos.faults import Faults
from tests.chaos.fleet import Fleet, Plan
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.namespace import SmallDisk
from tests.chaos.recorder import Recorder
from tests.chaos.recovery import Recoveries, percentile
from tests.chaos.report import Report
from tests.chaos.watchers import SdkWatcher, Watcher, WebWatcher, until_equal
from tests.chaos.web import Refused
from tests.chaos.wire import Wire

DATA_BYTES, STORE_BYTES = 1 << 30, 256 << 20
QUIET_S = 240.0
"""How long the last jobs may take once nothing disturbs them."""
STUCK_S = 45.0
"""Without any change in the history the rest will never end."""
LIMIT_S, LIMIT_JOB_S, LIMIT_FAULT_S = 60.0, 1.0, 4.0
"""A run takes at most so long, and so much more for each job and each fault."""
WATCHERS_S = 20.0
BREAK_S = 15.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What to do. `folder` gets what is to be kept."""

    seed: int
    jobs: int
    faults: int
    folder: Path
    plan: Plan = field(default_factory=lambda: Plan(clocks=True))
    only: tuple[str, ...] = ()
    """Kinds of fault; all if empty."""


class Stage:
    """A running fleet with everything that looks at it; made by `stage`."""

    def __init__(self, options: Options, data_root: Path) -> None:
        self.options = options
        self.disks = (
            SmallDisk(data_root, DATA_BYTES),
            SmallDisk(data_root / "valkey", STORE_BYTES),
        )
        self.fleet = Fleet(data_root, options.plan)
        socket = self.fleet.store_socket
        self.wires = {name: Wire(near, socket) for name, near in self.fleet.wires.items()}
        self.recorder = Recorder(socket)
        self.recoveries = Recoveries(self.recorder)
        self.ledger = Ledger(options.folder / "ledger.jsonl")
        self.store = JobStore(self.recorder.redis)
        self.doors: list[Door] = []
        self.watchers: list[Watcher] = []
        self.faults: Faults
        self.report = Report(options.seed, options.plan.lease_s)

    def rng(self, name: str) -> random.Random:
        """Return chance of its own for a part of the run: the same for the same seed."""
        return random.Random(f"{self.options.seed}/{name}")  # noqa: S311  # faults, no secrets

    async def start(self) -> None:
        """Start the fleet and whatever needs it."""
        for wire in self.wires.values():
            await wire.start()
        await self.fleet.start()
        jobs = [name for name in self.fleet.keepers if name.startswith("jobs-")]
        self.doors += [Native(f"gRPC to {n}", self.fleet.layout.address(n)) for n in jobs]
        if self.options.plan.gateway:
            port = self.fleet.port
            self.doors += [Native("gRPC through Envoy", self.fleet.address), Web(port), Rest(port)]

    def watch(self, native: int, old_cursors: int, web: int, break_s: float = BREAK_S) -> None:
        """Add watchers."""
        jobs = [self.fleet.layout.address(k.name) for k in self.fleet.named("jobs")]
        addresses = [self.fleet.address, *jobs] if self.options.plan.gateway else jobs
        for number in range(native + old_cursors):
            address = addresses[number % len(addresses)]
            name = f"watcher {number + 1} (SDK, {address})"
            rng, old = self.rng(name), number >= native
            self.watchers.append(SdkWatcher(name, address, rng, break_s, old_cursors=old))
        for number in range(web):
            name = f"watcher {native + old_cursors + number + 1} (gRPC-Web)"
            self.watchers.append(WebWatcher(name, self.fleet.port, self.rng(name), break_s))

    async def settle(self, quiet_s: float = QUIET_S) -> None:
        """Put everything right, and wait until all jobs have ended or nothing moves any more."""
        for wire in self.wires.values():
            wire.release()
        for disk in self.disks:
            disk.release()
        await self.fleet.mend()
        until = time.monotonic() + quiet_s
        stuck_s = min(STUCK_S, quiet_s)
        while time.monotonic() < until:
            open_jobs = [j for j, s in self.recorder.stories.items() if not s.ended]
            promised = self.ledger.promises.keys() - self.recorder.stories.keys()
            if not open_jobs and not promised:
                return
            if time.monotonic() - self.recorder.last_change_s > stuck_s:
                return
            await asyncio.sleep(0.1)

    async def judge(self) -> Report:
        """Compare everything with everything else."""
        report, findings = self.report, self.report.findings
        await self.recorder.catch_up()
        audit = Audit(self.store, self.recorder, self.ledger, self.fleet.layout.data_root)
        audit.findings, audit.facts = findings, report.facts
        await self._judge_watchers()
        await audit.run()
        lease_s = self.options.plan.lease_s
        report.recoveries = self.recoveries.measure((lease_s + 1) * 1000)
        p99_s = percentile([r.freed_s for r in report.recoveries if not r.upset], 0.99)
        if p99_s is not None and p99_s > lease_s + 1:
            findings.slow_recoveries += [
                f"job {r.job} was free {r.freed_s:.2f} s after kill -9 of {r.death.runner} at "
                f"{r.death.at_ms / 1000:.2f}; the lease is {lease_s} s"
                for r in report.recoveries
                if not r.upset and r.freed_s > lease_s + 1
            ]
        report.jobs = len(self.ledger.promises)
        report.requests_acked = self.ledger.requests_acked
        report.refused = self.ledger.refused
        return report

    async def _judge_watchers(self) -> None:
        findings = self.report.findings
        truth = await self._listed() if self.watchers else {}
        revs = {job: story.revs for job, story in self.recorder.stories.items()}
        for watcher in self.watchers:
            findings.watchers_wrong += await until_equal(watcher, truth, WATCHERS_S)
            findings.watchers_wrong += watcher.faults
            findings.watchers_doubled += watcher.doubled
            if isinstance(watcher, WebWatcher):
                findings.watchers_wrong += watcher.missed(revs)
        self.report.watchers = {
            "count": len(self.watchers),
            "connections": sum(watcher.connections for watcher in self.watchers),
            "snapshots": sum(watcher.snapshots for watcher in self.watchers),
            "repeats_passed_over": sum(watcher.repeats for watcher in self.watchers),
        }

    async def _listed(self) -> dict[str, job_pb2.Job]:
        for _ in range(20):
            with contextlib.suppress(Refused):
                return await list_jobs(self.doors[0])
            await asyncio.sleep(0.3)
        raise TimeoutError("the jobs can't be listed")

    async def stop(self) -> None:
        """End everything; keep the logs."""
        for door in self.doors:
            await door.close()
        for watcher in self.watchers:
            if isinstance(watcher, SdkWatcher):
                await watcher.close()
        self.report.slow_ends = [*self.report.slow_ends, *await self.fleet.stop()]
        for wire in self.wires.values():
            await wire.close()
        await self.recorder.close()
        self.ledger.close()
        logs = self.fleet.layout.data_root / "logs"
        shutil.copytree(logs, self.options.folder / "logs", dirs_exist_ok=True)
        shutil.rmtree(self.fleet.layout.sockets, ignore_errors=True)
        for disk in reversed(self.disks):
            disk.remove()


@contextlib.asynccontextmanager
async def stage(options: Options) -> AsyncIterator[Stage]:
    """Run a fleet while the body runs."""
    it = Stage(options, options.folder / "data")
    try:
        await it.start()
        recording = asyncio.create_task(it.recorder.run())
        try:
            yield it
        finally:
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)
    finally:
        await it.stop()


async def storm(options: Options, tell: Tell) -> Report:
    """Load and faults at random, then the audit."""
    began_s = time.monotonic()
    async with stage(options) as it:
        it.watch(native=2, old_cursors=2, web=3)
        sleepers = [w for w in it.watchers if isinstance(w, WebWatcher)][-1:]
        it.faults = Faults(
            it.fleet,
            it.wires,
            it.disks,
            it.recorder,
            it.recoveries,
            sleepers=sleepers,
            rng=it.rng("faults"),
            diary=options.folder / "faults.jsonl",
        )
        if options.only:
            it.faults.limit_to(options.only)
        if not it.fleet.clocks and options.plan.clocks:
            it.report.remarks = ["libfaketime is not installed: no clock jumped"]
        watching = [asyncio.create_task(watcher.run()) for watcher in it.watchers]
        telling = asyncio.create_task(_progress(it, tell))
        load = Load(it.doors, it.ledger, it.recorder, it.rng("load"))

        def may_go_on(begun: int) -> bool:
            # Faults are to come for as long as jobs do.
            done = len(it.recorder.ended) / max(1, options.jobs)
            return begun <= options.faults * (done + 0.1)

        limit_s = LIMIT_S + options.jobs * LIMIT_JOB_S + options.faults * LIMIT_FAULT_S
        try:
            async with asyncio.timeout(limit_s), asyncio.TaskGroup() as tasks:
                tasks.create_task(load.run(options.jobs))
                tasks.create_task(it.faults.storm(options.faults, may_go_on))
        except TimeoutError:
            it.report.findings.unended.append(f"the run itself, within {limit_s:.0f} s")
        tell("All is asked and done; waiting for the rest.")
        await it.settle()
        telling.cancel()
        for task in watching:
            if task.done():
                task.result()
        report = await it.judge()
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, telling, return_exceptions=True)
        report.faults = it.faults.done
        report.slow_ends = it.faults.slow_ends
        report.duration_s = time.monotonic() - began_s
    return report


async def aimed(options: Options, scenario: str) -> Report:
    """Play one scenario, or "all", then the audit."""
    from tests.chaos.scenarios import play  # noqa: PLC0415  # it needs this module

    began_s = time.monotonic()
    async with stage(options) as it:
        await play(scenario, it)
        report = await it.judge()
        report.duration_s = time.monotonic() - began_s
    return report


async def _progress(it: Stage, tell: Tell) -> None:
    while True:
        await asyncio.sleep(2)
        tell(
            f"{len(it.ledger.promises)} jobs promised, {len(it.recorder.ended)} ended, "
            f"{it.faults.done.total()} faults"
        )
