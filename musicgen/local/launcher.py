"""`musicgen up`: the whole studio on one machine, from one command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from musicgen.home import Running, data_root, read_run_file
from musicgen.local.display import Display, may_colour, to_stderr
from musicgen.local.errors import CannotStart
from musicgen.local.layout import Layout
from musicgen.local.parts import Part, studio_parts
from musicgen.local.ports import DEFAULT_PORT, choose_port
from musicgen.local.run_file import RunLock
from musicgen.local.supervisor import PartFailed, Supervisor

__all__ = ["DEFAULT_PORT", "LaunchOptions", "up"]

PartsOf = Callable[[Layout, int, Mapping[str, str]], list[Part]]

_OTHER_START_TIMEOUT_S = 90.0
_COMMAND_NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """What `musicgen up` was asked.

    `data_root` None means the usual place. `port` 0 takes any free one; the default gives
    way to the next free one, any other is taken as meant. `exec_command` is run once
    everything works, with MUSICGEN_GATEWAY set; when it ends, so does the studio.
    `on_event` gets each line that is to be shown.
    """

    data_root: Path | None = None
    port: int = DEFAULT_PORT
    open_browser: bool = False
    quiet: bool = False
    exec_command: list[str] | None = None
    on_event: Callable[[str], None] = to_stderr


async def up(options: LaunchOptions, *, parts_of: PartsOf = studio_parts) -> int:
    """Run the studio until it is told to stop (SIGINT, SIGTERM) or its command ends.

    Returns the exit code: 0, the command's, or 1 if the studio can't be started. If the
    studio of this data root runs already, says where, or runs the command against it.
    `parts_of` makes the parts; others than the studio's own are for tests.
    """
    environ = dict(os.environ)
    display = Display(options.on_event, colour=may_colour(sys.stderr, environ), quiet=options.quiet)
    try:
        if sys.platform == "win32":
            raise CannotStart(
                "The studio does not run on Windows itself.",
                remedy="Use WSL2, or `docker compose up`.",
            )
        layout = Layout.make(options.data_root or data_root(environ), environ)
        if (lock := RunLock.take(layout.data_root)) is None:
            return await _use_running(layout, options, display)
        with lock:
            port, remark = choose_port(options.port)
            if remark:
                display.warning(remark)
            launch = _Launch(options, layout, port, lock, display)
            return await launch.run(parts_of(layout, port, environ), environ)
    except* CannotStart as failures:
        # Others may have failed for the same cause; the first says enough.
        error = _first(failures)
        log = error.log if isinstance(error, PartFailed) else ()
        display.failure(error.message, remedy=error.remedy, log=log)
    return 1


class _Launch:
    """One run of the studio."""

    def __init__(
        self, options: LaunchOptions, layout: Layout, port: int, lock: RunLock, display: Display
    ) -> None:
        self._options = options
        self._layout = layout
        self._port = port
        self._lock = lock
        self._display = display
        self._asked_to_stop = asyncio.Event()

    async def run(self, parts: list[Part], environ: Mapping[str, str]) -> int:
        supervisor = Supervisor(parts, self._layout, self._display, environ)
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for number in signals:
            loop.add_signal_handler(number, self._on_signal, supervisor)
        try:
            starting = asyncio.create_task(supervisor.start())
            if not await self._unless_stopped(starting):
                return 0
            running = self._lock.announce(self._port)
            self._display.ready(running.url, str(self._layout.data_root))
            if self._options.open_browser:
                await asyncio.to_thread(webbrowser.open, running.url)
            if self._options.exec_command is None:
                await self._asked_to_stop.wait()
                return 0
            return await _execute(self._options.exec_command, running, self._asked_to_stop)
        finally:
            if self._asked_to_stop.is_set():
                self._display.note("Ending the studio …")
            await supervisor.stop()
            shutil.rmtree(self._layout.sockets, ignore_errors=True)
            for number in signals:
                loop.remove_signal_handler(number)

    def _on_signal(self, supervisor: Supervisor) -> None:
        if self._asked_to_stop.is_set():
            supervisor.kill()  # asked twice: no patience left
        self._asked_to_stop.set()

    async def _unless_stopped(self, starting: asyncio.Task[None]) -> bool:
        """Wait for the start. Returns False if the user stopped it before its end."""
        stopping = asyncio.create_task(self._asked_to_stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                return False
            starting.result()
            return True
        finally:
            stopping.cancel()


async def _use_running(layout: Layout, options: LaunchOptions, display: Display) -> int:
    """Do what was asked with the studio that another launcher runs."""
    running = read_run_file(layout.data_root)
    if running is None:
        display.note("Another launcher is starting this studio; waiting for it.")
        async with asyncio.timeout(_OTHER_START_TIMEOUT_S):
            while (running := read_run_file(layout.data_root)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # another process writes it: there is no event
    display.note(f"The studio runs already: {running.url} (process {running.pid}).")
    if options.exec_command is not None:
        return await _execute(options.exec_command, running, asyncio.Event())
    if options.open_browser:
        await asyncio.to_thread(webbrowser.open, running.url)
    return 0


async def _execute(command: list[str], running: Running, stop: asyncio.Event) -> int:
    """Run a command against the studio. Returns its exit code, 128 + n if signal n ended
    it, as shells do."""
    here = str(Path(sys.executable).parent)
    env = {
        **os.environ,
        "MUSICGEN_GATEWAY": running.address,
        # So that `musicgen` is found, also if the environment is not activated.
        "PATH": os.pathsep.join((here, os.environ.get("PATH", os.defpath))),
    }
    try:
        process = await asyncio.create_subprocess_exec(*command, env=env)
    except OSError as error:
        to_stderr(f"{shlex.join(command)}: {error.strerror}")
        return _COMMAND_NOT_FOUND
    waiting, stopping = asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())
    await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not waiting.done():
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    code = await waiting
    return code if code >= 0 else 128 - code


def _first(failures: BaseExceptionGroup[CannotStart]) -> CannotStart:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
