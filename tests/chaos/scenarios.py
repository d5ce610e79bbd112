"""Short stories, each aimed at one guard: what luck finds in an hour happens at once."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from musicgen.api.jobs.v1 import job_pb2, job_service_pb2, queue_service_pb2
from musicgen.client import specs
from tests.chaos.fleet import Plan
from tests.chaos.load import Load, Order
from tests.chaos.run import Stage
from tests.chaos.web import Refused
from tests.chaos.wire import Trap

PLAN = Plan(jobs=1, workers=1, gateway=False, lease_s=1.0)
WAIT_S = 10.0
REPEAT_S = 1.2
"""By then a publisher has tried again."""
MAX_ATTEMPTS = 3
POISON_S = 40.0
"""Enough for one attempt more, with all delays between."""
QUIET_S, PATIENT_S = 8.0, 30.0
"""How long jobs may take to end, without a guard and with all of them."""

Scenario = Callable[[Stage], Awaitable[None]]


async def one_job(it: Stage) -> None:
    """A job is made."""
    await _place(it)


async def two_claims(it: Stage) -> None:
    """A worker is stopped for longer than its lease, and goes on while another does its job."""
    job = await _place(it, engine="slow", steps=10, step_s=0.25)
    await _until(it, job, "RUNNING")
    first = it.fleet.keepers[it.recorder.stories[job].owner]
    first.signal(signal.SIGSTOP)
    await _wait(lambda: it.recorder.stories[job].claims > 1)
    first.signal(signal.SIGCONT)


async def lost_create(it: Stage) -> None:
    """A job is accepted, and its client never hears it: the same request comes again."""
    trap = Trap("create")
    trapping = asyncio.create_task(it.wires["jobs-1"].trap(trap, WAIT_S))
    await _place(it, clients=3)
    await trapping


async def store_killed(it: Stage) -> None:
    """The store loses its power right after it took jobs."""
    door = it.doors[0]
    await door.call("PauseQueue", queue_service_pb2.PauseQueueRequest(queue="all"))
    for _ in range(3):
        await _place(it)
    valkey = it.fleet.keepers["valkey"]
    valkey.signal(signal.SIGKILL)
    await valkey.down(WAIT_S)
    await it.fleet.mend()
    resume = queue_service_pb2.ResumeQueueRequest(queue="all")
    await _again(lambda: door.call("ResumeQueue", resume))


async def lost_publish(it: Stage) -> None:
    """A job is published, and the publisher never hears it."""
    await _with_trap(it, Trap("publish"))


async def killed_while_publishing(it: Stage) -> None:
    """The library has a track; jobs and library die before the job is told so."""

    def kill() -> None:
        for name in ("jobs-1", "library"):
            it.fleet.keepers[name].signal(signal.SIGKILL)

    await _with_trap(it, Trap("publish", kill, reach=False))


async def library_away(it: Stage) -> None:
    """A job is done while there is no library."""
    library = it.fleet.keepers["library"]
    async with library.held():
        library.signal(signal.SIGKILL)
        await library.down(WAIT_S)
        job = await _place(it)
        await _until(it, job, "RUNNING")
        await asyncio.sleep(1.0)


async def killed_while_writing(it: Stage) -> None:
    """Inference dies as soon as a file of a long piece can be seen under its name."""
    job = await _place(it, duration_s=90.0)
    folder = it.fleet.layout.data_root / "artifacts" / job
    until = time.monotonic() + WAIT_S
    while not list(folder.glob("*/[!.]*.flac")) and time.monotonic() < until:
        await asyncio.sleep(0.005)
    for keeper in it.fleet.named("inference"):
        keeper.signal(signal.SIGKILL)


async def worker_gone(it: Stage) -> None:
    """A worker dies and is away for longer than its lease."""
    job = await _place(it, engine="slow", steps=8, step_s=0.25)
    await _until(it, job, "RUNNING")
    runner = it.fleet.keepers[it.recorder.stories[job].owner]
    async with runner.held():
        runner.signal(signal.SIGKILL)
        await runner.down(WAIT_S)
        await asyncio.sleep(it.options.plan.lease_s + 1)


async def poison(it: Stage) -> None:
    """A job takes its engine's process with it, each time."""
    story = it.recorder.stories[await _place(it, "poison", crash_at=1)]
    await _wait(lambda: story.claims > MAX_ATTEMPTS or bool(story.ended), POISON_S)


async def cancelled(it: Stage) -> None:
    """A running job is cancelled."""
    job = await _place(it, engine="slow", steps=8, step_s=0.25)
    await _until(it, job, "RUNNING")
    it.ledger.cancelled.add(job)
    await it.doors[0].call("CancelJob", job_service_pb2.CancelJobRequest(job_id=job))


async def batch(it: Stage) -> None:
    """A batch is made."""
    order = Order("batch", (_spec(), _spec(), _spec()), request_id=str(uuid.uuid4()))
    await _load(it).place(order)


async def old_cursors(it: Stage) -> None:
    """Watchers resume from cursors that are older than what they have applied."""
    it.watch(native=0, old_cursors=2, web=0, break_s=0.3)
    watching = [asyncio.create_task(watcher.run()) for watcher in it.watchers]
    for _ in range(4):
        await _place(it, step_s=0.1)
    await it.settle(QUIET_S)
    await asyncio.sleep(1.0)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        one_job, two_claims, lost_create, store_killed, lost_publish, killed_while_publishing,
        library_away, killed_while_writing, worker_gone, poison, cancelled, batch, old_cursors,
    )
}  # fmt: skip


def plan_for(name: str) -> Plan:
    """Return the fleet that a scenario needs."""
    return dataclasses.replace(PLAN, workers=2) if name in ("two_claims", "all") else PLAN


async def play(name: str, it: Stage) -> None:
    """Play a scenario, or all of them one after the other."""
    for scenario in SCENARIOS.values() if name == "all" else (SCENARIOS[name],):
        await scenario(it)
        await it.settle(PATIENT_S if name == "all" else QUIET_S)


# ---- what scenarios are made of ----------------------------------------------------


def _load(it: Stage) -> Load:
    return Load(it.doors, it.ledger, it.recorder, it.rng("load"))


def _spec(engine: str = "quick", duration_s: float = 0.3, **script: Any) -> job_pb2.JobSpec:
    return specs.generate(
        f"piece {uuid.uuid4()}", duration_s=duration_s, seed=1, engine=engine, options=script
    )


async def _place(it: Stage, kind: str = "quick", *, clients: int = 1, **spec: Any) -> str:
    """Have a job accepted and return its id."""
    before = set(it.ledger.promises)
    order = Order(kind, (_spec(**spec),), request_id=str(uuid.uuid4()), clients=clients)
    await _load(it).place(order)
    return next(iter(it.ledger.promises.keys() - before))


async def _with_trap(it: Stage, trap: Trap) -> None:
    trapping = asyncio.create_task(it.wires["jobs-1"].trap(trap, WAIT_S))
    await _place(it)
    await trapping
    await asyncio.sleep(REPEAT_S)


async def _until(it: Stage, job: str, state: str) -> None:
    await _wait(lambda: it.recorder.stories[job].state == state)


async def _wait(done: Callable[[], bool], limit_s: float = WAIT_S) -> None:
    """Wait up to `limit_s`; what then is not as expected shows in the audit."""
    until = time.monotonic() + limit_s
    while not done() and time.monotonic() < until:
        await asyncio.sleep(0.01)


async def _again(call: Callable[[], Awaitable[Any]]) -> None:
    for _ in range(20):
        try:
            await call()
        except Refused:  # the store is only just back
            await asyncio.sleep(0.2)
        else:
            return
