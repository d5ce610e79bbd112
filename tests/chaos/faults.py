"""What goes wrong: each kind is done to real processes and real disks, and counted only if it
was really done."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import redis.exceptions

from musicgen.local.guardian import signal_processes
from services.jobs.store.connection import PREFIX
from tests.chaos.fleet import Fleet, Keeper
from tests.chaos.namespace import SmallDisk
from tests.chaos.recorder import Recorder
from tests.chaos.recovery import Outage, Recoveries
from tests.chaos.watchers import WebWatcher
from tests.chaos.wire import Trap, Wire

PARTS = ("runner", "jobs", "inference", "library", "envoy", "valkey")
SHORT_S, LONG_S = 0.3, 2.0
"""Between the beginnings of two faults."""
TRAP_S = 8.0
SLOW_END_S = 12.0
_FORGOTTEN = ("wake:*", "workers", "engines:*")
_REFILL_S = 0.1
_LOSSES = (("create", "jobs"), ("publish", "jobs"), ("claim", "runner"), ("commit", "runner"))
"""Scripts whose reply gets lost, and who calls them."""

Fault = Callable[[], Awaitable[bool]]
"""Does it; returns whether it was really done."""


class UnknownKind(Exception):
    """There is no such kind of fault, or not in this fleet."""


class Faults:
    """All kinds of fault, to be done one by one or at random."""

    def __init__(
        self,
        fleet: Fleet,
        wires: Mapping[str, Wire],
        disks: tuple[SmallDisk, SmallDisk],
        recorder: Recorder,
        recoveries: Recoveries,
        *,
        sleepers: Sequence[WebWatcher],
        rng: random.Random,
        diary: Path,
    ) -> None:
        """`disks` are that of all data and that of the store; what is done is written into
        `diary`, a JSON object a line."""
        self._fleet = fleet
        self._wires = wires
        self._data_disk, self._store_disk = disks
        self._recorder = recorder
        self._recoveries = recoveries
        self._sleepers = sleepers
        self._rng = rng
        self._diary = diary
        self._deck: list[str] = []
        self.done: Counter[str] = Counter()
        self.slow_ends: list[str] = []
        """Parts that had not ended long after SIGTERM, and were killed then."""
        self.kinds = self._kinds()

    def limit_to(self, kinds: Sequence[str]) -> None:
        """Do only these kinds. Raises UnknownKind."""
        if unknown := sorted(set(kinds) - set(self.kinds)):
            known = ", ".join(self.kinds)
            raise UnknownKind(f"There is no fault {', '.join(unknown)}. There are: {known}.")
        self.kinds = {kind: self.kinds[kind] for kind in kinds}

    async def do(self, kind: str) -> bool:
        """Do a fault of this kind and return when it is over, and whether it was done."""
        began_s = time.time()
        try:
            done = await self.kinds[kind]()
        except (redis.exceptions.RedisError, OSError):
            done = False  # the store was away, for another fault's sake
        self.done[kind] += done
        with self._diary.open("a", encoding="utf-8") as diary:
            entry = {"kind": kind, "done": done, "began_s": began_s, "ended_s": time.time()}
            diary.write(json.dumps(entry) + "\n")
        return done

    async def storm(self, count: int, may_go_on: Callable[[int], bool]) -> None:
        """Do `count` faults at random, several at a time, each kind about as often.

        `may_go_on(n)` says whether the n-th may begin yet.
        """
        running: set[asyncio.Task[bool]] = set()
        while (begun := self.done.total() + len(running)) < count or running:
            if begun < count and may_go_on(begun):
                kind = self._next_kind()
                running.add(asyncio.create_task(self.do(kind)))
            await asyncio.sleep(self._rng.uniform(SHORT_S, LONG_S) if begun < count else 0.1)
            for task in [task for task in running if task.done()]:
                running.discard(task)
                task.result()

    def _next_kind(self) -> str:
        """Draw one of the kinds that were tried least."""
        if not self._deck:
            self._deck = list(self.kinds)
            self._rng.shuffle(self._deck)
        return self._deck.pop()

    # ---- the kinds -----------------------------------------------------------------

    def _kinds(self) -> dict[str, Fault]:
        present = [part for part in PARTS if part in self._fleet_kinds()]
        kinds: dict[str, Fault] = {}
        for part in present:
            kinds[f"kill {part}"] = partial(self.end, part, signal.SIGKILL)
            kinds[f"term {part}"] = partial(self.end, part, signal.SIGTERM)
            if part != "envoy":
                kinds[f"stop {part}"] = partial(self.freeze, part)
        away_s = self._lease_s + 2
        kinds["kill runner for long"] = partial(self.end, "runner", signal.SIGKILL, away_s=away_s)
        kinds["kill host"] = partial(self.hit_host, signal.SIGKILL)
        kinds["term host"] = partial(self.hit_host, signal.SIGTERM)
        kinds["stop host"] = partial(self.hit_host, signal.SIGSTOP)
        kinds["forget deliveries"] = self.forget
        kinds["disk full"] = self.fill_data
        kinds["store disk full"] = self.fill_store
        kinds["store memory full"] = self.fill_memory
        for script, part in _LOSSES:
            kinds[f"lost reply of {script}"] = partial(self.lose_reply, script, part)
        kinds["kill jobs after create"] = self.kill_after_create
        kinds["cut runner"] = self.cut
        if self._sleepers:
            kinds["watcher asleep"] = self.sleep
        for name in self._fleet.clocks:
            kinds[f"clock of {name.rpartition('-')[0]} jumps"] = partial(self.jump, name)
        return kinds

    @property
    def _lease_s(self) -> float:
        return self._fleet.plan.lease_s

    def _fleet_kinds(self) -> set[str]:
        return {name.rpartition("-")[0] or name for name in self._fleet.keepers}

    @contextlib.asynccontextmanager
    async def _one_of(self, part: str) -> AsyncIterator[Keeper | None]:
        """Give one of a kind of part that runs and that nothing is being done to."""
        idle = [k for k in self._fleet.named(part) if k.pid and not k.busy.locked()]
        if not idle:
            yield None
            return
        # A runner with something to lose, if there is one.
        holders = set(self._recorder.running.values())
        keeper = self._rng.choice([k for k in idle if k.name in holders] or idle)
        async with keeper.busy, self._outage(keeper):
            yield keeper

    @contextlib.asynccontextmanager
    async def _outage(self, keeper: Keeper) -> AsyncIterator[None]:
        """Note that nothing can be freed while the store, or a jobs process, is away: the
        other one may be away, too."""
        start_ms = time.time() * 1000
        try:
            yield
        finally:
            if keeper.name == "valkey" or keeper.name.startswith("jobs"):
                with contextlib.suppress(TimeoutError):
                    await keeper.works(10)
                self._recoveries.outages.append(Outage(start_ms, time.time() * 1000))

    async def end(self, part: str, number: signal.Signals, away_s: float = 0.0) -> bool:
        """End one of these, kindly or not; it is started again after `away_s`."""
        async with self._one_of(part) as keeper:
            if keeper is None:
                return False
            async with keeper.held():
                if not keeper.signal(number):
                    return False
                if part == "runner" and number is signal.SIGKILL:
                    self._recoveries.died(keeper.name)
                if not await keeper.down(SLOW_END_S):
                    self.slow_ends.append(keeper.name)
                    keeper.signal(signal.SIGKILL)
                await asyncio.sleep(away_s)
        return True

    async def freeze(self, part: str) -> bool:
        """Stop one of these for longer than a lease (the store: for a moment)."""
        async with self._one_of(part) as keeper:
            if keeper is None or not keeper.signal(signal.SIGSTOP):
                return False
            try:
                most = self._rng.uniform(0.5, 2) if part == "valkey" else self._lease_s * 1.5
                await asyncio.sleep(most)
            finally:
                keeper.signal(signal.SIGCONT)
        return True

    async def hit_host(self, number: signal.Signals) -> bool:
        """Signal an engine's host; one that is stopped goes on after a while, if it is still
        there."""
        hosts = [pid for keeper in self._fleet.named("inference") for pid in keeper.hosts()]
        if not hosts:
            return False
        pid = self._rng.choice(hosts)
        signal_processes([pid], number)
        if number is signal.SIGSTOP:
            await asyncio.sleep(self._lease_s * 1.5)
            signal_processes([pid], signal.SIGCONT)
        return True

    async def forget(self) -> bool:
        """Delete everything that only serves to deliver jobs, or says which engines there are."""
        redis = self._recorder.redis
        for pattern in _FORGOTTEN:
            async for key in redis.scan_iter(f"{PREFIX}{pattern}"):
                await redis.delete(key)
        return True

    async def fill_data(self) -> bool:
        """Leave no space for artifacts, tracks and logs for a while."""
        return await self._fill(self._data_disk, self._rng.uniform(1, 4))

    async def fill_store(self) -> bool:
        """Leave no space for the store's file."""
        (keeper,) = self._fleet.named("valkey")
        async with self._outage(keeper):
            return await self._fill(self._store_disk, self._rng.uniform(1, 3))

    async def _fill(self, disk: SmallDisk, for_s: float) -> bool:
        with disk.full():
            until = time.monotonic() + for_s
            while time.monotonic() < until:
                await asyncio.sleep(_REFILL_S)
                disk.fill()
        return True

    async def fill_memory(self) -> bool:
        """Let the store take no more writes, since its memory is full."""
        (keeper,) = self._fleet.named("valkey")
        redis = self._recorder.redis
        async with self._outage(keeper):
            await redis.config_set("maxmemory", 1 << 20)
            await asyncio.sleep(self._rng.uniform(1, 3))
            await redis.config_set("maxmemory", 0)
        return True

    async def lose_reply(self, script: str, part: str) -> bool:
        """Let the store do what it is asked, and the answer get lost."""
        keeper = self._rng.choice(self._fleet.named(part))
        return await self._wires[keeper.name].trap(Trap(script), TRAP_S)

    async def kill_after_create(self) -> bool:
        """Kill a jobs process when it has just sent a new job to the store."""
        keeper = self._rng.choice(self._fleet.named("jobs"))
        trap = Trap("create", lambda: keeper.signal(signal.SIGKILL))
        async with self._outage(keeper):
            return await self._wires[keeper.name].trap(trap, TRAP_S)

    async def cut(self) -> bool:
        """Let no byte pass between a runner and the store for longer than its lease."""
        async with self._one_of("runner") as keeper:
            if keeper is None:
                return False
            with self._wires[keeper.name].silent():
                await asyncio.sleep(self._lease_s * 1.5)
        return True

    async def sleep(self) -> bool:
        """Let a watcher stop reading."""
        awake = [sleeper for sleeper in self._sleepers if sleeper.awake.is_set()]
        if not awake:
            return False
        sleeper = self._rng.choice(awake)
        sleeper.awake.clear()
        await asyncio.sleep(self._rng.uniform(10, 30))
        sleeper.awake.set()
        return True

    async def jump(self, name: str) -> bool:
        """Let the time of day of one program be an hour off, forwards or back."""
        self._fleet.clocks[name].set(self._rng.choice((-3600, 3600)))
        await asyncio.sleep(self._rng.uniform(3, 6))
        self._fleet.clocks[name].set(0)
        return True
