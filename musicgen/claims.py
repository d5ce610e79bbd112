"""Only the newest claim of a job may work: an older worker that wakes up is stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator

from musicgen.errors import ClaimLost

JOBS_REMEMBERED = 10_000


class ClaimGuard:
    """Remembers the highest fence seen of each job (the last JOBS_REMEMBERED of them)."""

    def __init__(self) -> None:
        self._fences: OrderedDict[str, int] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[object]] = {}

    @contextlib.asynccontextmanager
    async def hold(self, job_id: str, fence: int) -> AsyncIterator[None]:
        """Work on `job_id` under `fence`. Raises ClaimLost if a higher fence was seen, or
        if one comes while the body runs; a former body of the job has then been stopped.
        """
        if fence < self._fences.get(job_id, 0):
            raise ClaimLost(f"Job {job_id} was taken over.", metadata={"job_id": job_id})
        self._fences[job_id] = fence
        self._fences.move_to_end(job_id)
        while len(self._fences) > JOBS_REMEMBERED:
            self._fences.popitem(last=False)
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("hold() needs a running task")
        if former := self._tasks.get(job_id):
            former.cancel()
        self._tasks[job_id] = task
        try:
            yield
        except asyncio.CancelledError:
            if self._tasks.get(job_id) is not task:
                raise ClaimLost(
                    f"Job {job_id} was taken over.", metadata={"job_id": job_id}
                ) from None
            raise
        finally:
            if self._tasks.get(job_id) is task:
                del self._tasks[job_id]
