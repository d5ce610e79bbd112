"""The job store: all truth about jobs, in a Redis-protocol server. Knows no gRPC.

Every change is one Lua script (see ../lua/_lib.lua for the keys), so it happens wholly or
not at all. Whatever the server answers when it can't serve becomes StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from services.jobs.records import JobRecord, State
from services.jobs.store.batches import Batches, NewJob
from services.jobs.store.claims import Claims
from services.jobs.store.history import History, age, is_position, just_before
from services.jobs.store.housekeeping import Housekeeping
from services.jobs.store.jobs import PAGE, Place
from services.jobs.store.queues import ALL_QUEUES, QueueControl

__all__ = [
    "ALL_QUEUES",
    "PAGE",
    "JobStore",
    "NewJob",
    "Place",
    "age",
    "all_records",
    "filter_states",
    "is_position",
    "just_before",
]


class JobStore(Batches, QueueControl, Claims, Housekeeping, History):
    """The jobs of one studio."""


async def all_records(store: JobStore) -> AsyncIterator[list[JobRecord]]:
    """Yield all jobs, newest first, in pages."""
    before: int | None = None
    while page := await store.page(before):
        yield page
        before = page[-1].seq


def filter_states(records: Iterable[JobRecord], states: set[State]) -> list[JobRecord]:
    """Return the records in one of `states`; all of them if there are none."""
    return [record for record in records if not states or record.state in states]
