"""Long work in a thread, seen from the event loop as a stream of progress and a result."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from musicgen.errors import Cancelled
from musicgen.progress import Progress
from services.looper.loops import Report

PROGRESS_INTERVAL_S = 0.1
"""Progress of one stage is passed on at most this often."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finished(Generic[T]):
    """The last event of a stream."""

    result: T


async def in_thread(
    executor: concurrent.futures.Executor, work: Callable[[Report], T]
) -> AsyncGenerator[Progress | Finished[T], None]:
    """Run `work` in `executor`, yielding its progress and then its result.

    When the generator is closed or cancelled, the next report inside `work` raises
    Cancelled, and the generator ends once `work` has: what it had begun is cleaned up by
    then. Raises what `work` raises.
    """
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[Progress | None] = asyncio.Queue()
    stopping = threading.Event()
    stage, told_s = "", 0.0

    def report(progress: Progress) -> None:
        nonlocal stage, told_s
        if stopping.is_set():
            raise Cancelled("The work was cancelled.")
        now_s = time.monotonic()
        if progress.stage == stage and now_s - told_s < PROGRESS_INTERVAL_S:
            return
        stage, told_s = progress.stage, now_s
        loop.call_soon_threadsafe(events.put_nowait, progress)

    running = executor.submit(work, report)
    running.add_done_callback(lambda _: loop.call_soon_threadsafe(events.put_nowait, None))
    try:
        while (progress := await events.get()) is not None:
            yield progress
        yield Finished(running.result())
    finally:
        stopping.set()
        if not running.cancel() and not running.done():
            with contextlib.suppress(Exception):
                await asyncio.wrap_future(running)
