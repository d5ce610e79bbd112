"""Blocking work in a thread of its own, watched and cancelled from the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Callable
from typing import Generic, TypeVar

from musicgen.engine.base import Report
from musicgen.engine.waiting import to_the_end
from musicgen.errors import Cancelled
from musicgen.progress import Progress

T = TypeVar("T")

REPORT_INTERVAL_S = 0.1
"""Reports of the same stage that come faster are dropped."""


class ThreadedWork(Generic[T]):
    """Runs `work(report)` once.

        rendering = ThreadedWork(render)
        async with contextlib.aclosing(rendering.run()) as progress:
            async for step in progress:
                ...
        use(rendering.result)

    A slow reader gets the newest progress, so nothing piles up. The thread is a daemon:
    one that never comes back does not keep the process alive.
    """

    def __init__(
        self, work: Callable[[Report], T], *, interval_s: float = REPORT_INTERVAL_S
    ) -> None:
        self._work = work
        self._interval_s = interval_s
        self._cancelled = threading.Event()
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._latest: Progress | None = None
        self._reported_s = float("-inf")
        self._stage = ""
        self._error: BaseException | None = None
        self.result: T
        """What the work returned; there once run() has ended without an error."""

    async def run(self) -> AsyncGenerator[Progress, None]:
        """Yield progress until the work has ended; raise what it raised.

        If the reader stops early (cancelled, or closes this iterator), the next report
        raises Cancelled in the thread, and the end of the thread is awaited.
        """
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._main, args=(loop,), daemon=True).start()
        try:
            while not self._ended.is_set() or self._latest is not None:
                await self._changed.wait()
                self._changed.clear()
                latest, self._latest = self._latest, None
                if latest is not None:
                    yield latest
                if self._ended.is_set():
                    self._changed.set()
            if self._error is not None:
                raise self._error
        finally:
            self._cancelled.set()
            await to_the_end(self._ended.wait())

    def _main(self, loop: asyncio.AbstractEventLoop) -> None:
        def report(progress: Progress) -> None:
            if self._cancelled.is_set():
                raise Cancelled("The work was cancelled.")
            now_s = time.monotonic()
            if progress.stage == self._stage and now_s - self._reported_s < self._interval_s:
                return
            self._stage, self._reported_s = progress.stage, now_s
            loop.call_soon_threadsafe(self._show, progress)

        try:
            self.result = self._work(report)
        except Exception as error:
            self._error = error
        except BaseException as error:  # SystemExit must not end the whole process
            self._error = RuntimeError(f"the work ended its thread with {error!r}")
        # The loop may be closed by now; then nobody waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._end)

    def _show(self, progress: Progress) -> None:
        self._latest = progress
        self._changed.set()

    def _end(self) -> None:
        self._ended.set()
        self._changed.set()
