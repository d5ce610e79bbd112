"""Starts parts, waits until they work, starts again what dies, ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby

from musicgen.local import logs
from musicgen.local.display import Display
from musicgen.local.errors import CannotStart
from musicgen.local.guardian import MARK, end, marked, signal_groups, signal_processes
from musicgen.local.layout import Layout
from musicgen.local.parts import Part
from musicgen.local.processes import Adopted, Child, Guardian, Identity, identify

_PROBE_INTERVAL_S = 0.05
_LOG_CHECK_INTERVAL_S = 30.0
_KILLED_WITHIN_S = 3.0
PARTS_FILE = "parts.json"
"""In the data root while parts run: who they are, for the next launcher."""


class PartFailed(CannotStart):
    """A part can't be brought to work."""

    def __init__(self, part: Part, message: str, layout: Layout) -> None:
        log = layout.log(part.name)
        super().__init__(message, remedy=f"The whole log: {log}")
        self.log = logs.tail(log)


class Supervisor:
    """Runs the parts of one studio."""

    def __init__(
        self, parts: Sequence[Part], layout: Layout, display: Display, environ: Mapping[str, str]
    ) -> None:
        self._layout = layout
        self._display = display
        self._mark = f"{layout.studio_id}-{os.getpid()}/"
        self._environ = dict(environ)
        self._guardian: Guardian | None = None
        self._keepers = {part.name: _Keeper(part, self) for part in parts}
        self._tidying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start everything and return when all of it works. Raises CannotStart; then
        `stop` has to be called too."""
        await self._end_leftovers()
        self._guardian = Guardian.start(self._mark)
        self._tidying = asyncio.create_task(self._bound_logs())
        keepers = list(self._keepers.values())
        first = [keeper for keeper in keepers if keeper.part.rank == 0]
        for wave in (first, [keeper for keeper in keepers if keeper not in first]):
            # The first failure ends the waiting for the others.
            async with asyncio.TaskGroup() as starting:
                for keeper in wave:
                    starting.create_task(keeper.start())

    async def stop(self) -> None:
        """End all parts, the highest rank first, and whatever they left behind."""
        if self._tidying is not None:
            self._tidying.cancel()
        by_rank = sorted(self._keepers.values(), key=lambda keeper: -keeper.part.rank)
        for _, keepers in groupby(by_rank, key=lambda keeper: keeper.part.rank):
            await asyncio.gather(*(keeper.stop() for keeper in keepers))
        await asyncio.to_thread(end, (), self._mark, 0.5)
        if self._guardian is not None:
            await asyncio.to_thread(self._guardian.dismiss)
        (self._layout.data_root / PARTS_FILE).unlink(missing_ok=True)

    def kill(self) -> None:
        """End everything at once, without order or patience."""
        for keeper in self._keepers.values():
            keeper.kill()

    async def _end_leftovers(self) -> None:
        """End what an earlier launcher left running, except what can be adopted."""
        kept: set[int] = set()
        for keeper in self._keepers.values():
            if keeper.part.find_running and (found := await keeper.part.find_running()):
                keeper.adoptable = found
                kept.add(found.pid)
        left = (_recorded(self._layout) | marked(f"{self._layout.studio_id}-")) - kept
        if not left:
            return
        self._display.note(f"Ending {len(left)} processes that an earlier start left behind.")
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal_processes(left, number)
            until = time.monotonic() + _KILLED_WITHIN_S
            while (  # noqa: ASYNC110  # not our children: there is no event
                any(identify(pid) for pid in left) and time.monotonic() < until
            ):
                await asyncio.sleep(_PROBE_INTERVAL_S)

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK_INTERVAL_S)
            for name in self._keepers:
                with contextlib.suppress(OSError):  # a full disk; next time, then
                    await asyncio.to_thread(logs.bound, self._layout.log(name))

    # ---- for the keepers -----------------------------------------------------------

    @property
    def layout(self) -> Layout:
        """The studio's folders."""
        return self._layout

    @property
    def display(self) -> Display:
        """Where to say things."""
        return self._display

    def env_of(self, part: Part) -> dict[str, str]:
        """Return a part's whole environment."""
        return {**self._environ, **part.env, MARK: self.mark_of(part)}

    def mark_of(self, part: Part) -> str:
        """Return the mark that a part and its children carry."""
        return f"{self._mark}{part.name}"

    def began(self, pid: int) -> None:
        """A part runs: let the guardian and the next launcher know."""
        if self._guardian is not None:
            self._guardian.watch(pid)
        self._record()

    def ended(self, pid: int) -> None:
        """A part runs no more."""
        if self._guardian is not None:
            self._guardian.forget(pid)

    def _record(self) -> None:
        pids = [keeper.pid for keeper in self._keepers.values() if keeper.pid is not None]
        who = [asdict(identity) for pid in pids if (identity := identify(pid))]
        path = self._layout.data_root / PARTS_FILE
        temporary = path.with_suffix(".part")
        # On a full disk the parts must be kept running all the same; the next launcher
        # finds them by their mark too.
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(who), encoding="utf-8")
            temporary.replace(path)


def _recorded(layout: Layout) -> set[int]:
    """Return the ids of recorded processes that are still the same ones."""
    try:
        who = json.loads((layout.data_root / PARTS_FILE).read_text(encoding="utf-8"))
        recorded = [Identity(int(entry["pid"]), str(entry["started"])) for entry in who]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {identity.pid for identity in recorded if identify(identity.pid) == identity}


class _Keeper:
    """Keeps one part running."""

    def __init__(self, part: Part, supervisor: Supervisor) -> None:
        self.part = part
        self.adoptable: Identity | None = None
        self.pid: int | None = None
        self._supervisor = supervisor
        self._process: Child | Adopted | None = None
        self._watching: asyncio.Task[None] | None = None
        self._given_up = asyncio.Event()
        self._told = False
        self._stopping = False
        self._worked = False
        self._crashes: deque[float] = deque()
        self._last_end = ""
        self._began_at = 0.0
        self._reporting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the part and return when it works. Raises PartFailed."""
        started = time.monotonic()
        layout, display = self._supervisor.layout, self._supervisor.display
        if self.adoptable is not None and identify(self.adoptable.pid) == self.adoptable:
            self._began(Adopted(self.adoptable))
            remark = f"adopted process {self.adoptable.pid}"
        else:
            logs.rotate(layout.log(self.part.name))
            await self._spawn()
            remark = ""
        self._watching = asyncio.create_task(self._watch())
        problem = await self._wait_until_it_works()
        if problem:
            raise PartFailed(self.part, f"{self.part.name} {problem}.", layout)
        self._worked = True
        display.works(self.part.name, time.monotonic() - started, remark)

    async def stop(self) -> None:
        """End the part: ask, wait, then kill it and its children."""
        self._stopping = True
        process = self._process
        for task in (self._watching, self._reporting):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if process is None or self.pid is None:
            return
        signal_processes([process.pid], signal.SIGTERM)
        try:
            async with asyncio.timeout(self.part.stop_grace_s):
                await process.wait()
        except TimeoutError:
            signal_groups([process.pid], signal.SIGKILL)
            await process.wait()
        self._ended(process.pid)

    def kill(self) -> None:
        """Kill the part's processes at once."""
        if self.pid is not None:
            signal_groups([self.pid], signal.SIGKILL)

    async def _spawn(self) -> None:
        for socket in self.part.sockets:
            socket.unlink(missing_ok=True)
        layout = self._supervisor.layout
        try:
            process = await Child.start(
                self.part.argv,
                self._supervisor.env_of(self.part),
                layout.log(self.part.name),
                layout.data_root,
            )
        except OSError as error:
            message = f"{self.part.name} can't be run: {self.part.argv[0]}: {error.strerror}."
            raise PartFailed(self.part, message, layout) from error
        self._began(process)

    async def _wait_until_it_works(self) -> str:
        """Return "" once the probe passes, or why that won't happen."""
        problem = "nothing was asked yet"
        until = time.monotonic() + self.part.start_timeout_s
        while time.monotonic() < until:
            if self._given_up.is_set():
                return f"ends as soon as it is started ({self._last_end})"
            try:
                problem = await self.part.probe()
            except TimeoutError:
                problem = "no answer in time"
            settled = time.monotonic() - self._began_at >= self.part.settle_s
            if not problem and settled and self.pid is not None:
                return ""
            await asyncio.sleep(_PROBE_INTERVAL_S)
        return f"does not work after {self.part.start_timeout_s:.0f} s: {problem}"

    async def _watch(self) -> None:
        """Start the part again whenever it ends."""
        while self._process is not None:
            self._last_end = await self._process.wait()
            if self._stopping:
                return
            ended_at = time.monotonic()
            # Its children would hold what the new one needs.
            signal_groups([self._process.pid], signal.SIGKILL)
            signal_processes(marked(self._supervisor.mark_of(self.part)), signal.SIGKILL)
            self._ended(self._process.pid)
            if not await self._start_again(ended_at):
                return
            if self._reporting is None or self._reporting.done():
                self._reporting = asyncio.create_task(self._report_return(ended_at))

    async def _start_again(self, ended_at: float) -> bool:
        """Returns once it runs again, or False if it is given up for good."""
        policy, name = self.part.restart, self.part.name
        while True:
            self._crashes.append(ended_at)
            while self._crashes[0] < ended_at - policy.window_s:
                self._crashes.popleft()
            if len(self._crashes) >= policy.max_crashes:
                self._give_up()
                if not self._worked:
                    return False
                delay_s = policy.retry_s
            else:
                self._told = False
                self._supervisor.display.warning(
                    f"{name} ended ({self._last_end}); starting it again."
                )
                delay_s = policy.first_delay_s * 2 ** (len(self._crashes) - 1)
                delay_s = min(delay_s, policy.longest_delay_s)
            await asyncio.sleep(delay_s)
            try:
                await self._spawn()
            except PartFailed as error:
                self._last_end, ended_at = error.message, time.monotonic()
            else:
                return True

    async def _report_return(self, since: float) -> None:
        if not await self._wait_until_it_works():
            self._supervisor.display.returned(self.part.name, time.monotonic() - since)

    def _give_up(self) -> None:
        if not self._worked:
            self._given_up.set()
            return  # `start` tells
        if self._told:
            return
        self._told = True
        log = self._supervisor.layout.log(self.part.name)
        self._supervisor.display.failure(
            f"{self.part.name} was given up after {len(self._crashes)} crashes "
            f"({self._last_end}); the rest goes on without it. It is tried again every "
            f"{self.part.restart.retry_s:g} s.",
            remedy=f"The whole log: {log}",
            log=logs.tail(log),
        )

    def _began(self, process: Child | Adopted) -> None:
        self._process = process
        self.pid = process.pid
        self._began_at = time.monotonic()
        self._supervisor.began(process.pid)

    def _ended(self, pid: int) -> None:
        self.pid = None
        self._supervisor.ended(pid)
