"""Ctrl-C that asks, before it ends."""

from __future__ import annotations

import asyncio
import signal
from types import TracebackType
from typing import Any, Self


class Interrupts:
    """While open, the first Ctrl-C sets `asked` instead of ending the program, and the
    second ends the running task at once. SIGTERM asks too, but is no press: a launcher that
    ends sends it together with the terminal's Ctrl-C."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._presses = 0
        self._task = asyncio.current_task()

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        loop.add_signal_handler(signal.SIGTERM, self.asked.set)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)

    def _interrupt(self) -> None:
        self._presses += 1
        if self._presses > 1 and self._task:
            self._task.cancel()
        self.asked.set()

    async def interrupted(self, running: asyncio.Future[Any]) -> bool:
        """Wait for `running` to end, whichever way, or for Ctrl-C: then return True."""
        asked = asyncio.ensure_future(self.asked.wait())
        try:
            await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            running.cancel()
            raise
        finally:
            asked.cancel()
        return not running.done()
