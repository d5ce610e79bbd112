"""Blocking work in a thread of its own, watched and cancelled from the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Generic, TypeVar

from musicgen.engine.waiting import to_the_end
from musicgen.errors import Cancelled
from musicgen.progress import Progress

E = TypeVar("E")
T = TypeVar("T")

REPORT_INTERVAL_S = 0.1
"""Progress of the same stage that comes faster is dropped."""


class ThreadedWork(Generic[E, T]):
    """Runs `work(report)` once.

        rendering = ThreadedWork(render)
        async with contextlib.aclosing(rendering.run()) as events:
            async for event in events:
                ...
        use(rendering.result)

    E is what the work may report: Progress, or that and something else. Progress is
    thinned, and a slow reader gets only the newest; all else arrives, and all in the order
    of the reports. The thread is a daemon: one that never comes back does not keep the
    process alive.
    """

    def __init__(
        self, work: Callable[[Callable[[E], None]], T], *, interval_s: float = REPORT_INTERVAL_S
    ) -> None:
        self._work = work
        self._interval_s = interval_s
        self._cancelled = threading.Event()
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._waiting: deque[E] = deque()
        self._reported_s = float("-inf")
        self._stage = ""
        self._error: BaseException | None = None
        self.result: T
        """What the work returned; there once run() has ended without an error."""

    async def run(self) -> AsyncGenerator[E, None]:
        """Yield what is reported until the work has ended; raise what it raised.

        If the reader stops early (cancelled, or closes this iterator), the next report
        raises Cancelled in the thread, and the end of the thread is awaited.
        """
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._main, args=(loop,), daemon=True).start()
        try:
            while not self._ended.is_set():
                await self._changed.wait()
                self._changed.clear()
                while self._waiting:
                    yield self._waiting.popleft()
            if self._error is not None:
                raise self._error
        finally:
            self._cancelled.set()
            await to_the_end(self._ended.wait())

    def _main(self, loop: asyncio.AbstractEventLoop) -> None:
        def report(event: E) -> None:
            if self._cancelled.is_set():
                raise Cancelled("The work was cancelled.")
            if isinstance(event, Progress):
                now_s = time.monotonic()
                if event.stage == self._stage and now_s - self._reported_s < self._interval_s:
                    return
                self._stage, self._reported_s = event.stage, now_s
            loop.call_soon_threadsafe(self._show, event)

        try:
            self.result = self._work(report)
        except Exception as error:
            self._error = error
        except BaseException as error:  # SystemExit must not end the whole process
            self._error = RuntimeError(f"the work ended its thread with {error!r}")
        # The loop may be closed by now; then nobody waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._end)

    def _show(self, event: E) -> None:
        last = self._waiting[-1] if self._waiting else None
        if isinstance(event, Progress) and isinstance(last, Progress):
            self._waiting.pop()  # the newer one says all
        self._waiting.append(event)
        self._changed.set()

    def _end(self) -> None:
        self._ended.set()
        self._changed.set()
