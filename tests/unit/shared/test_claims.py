"""Only the newest claim of a job may work."""

from __future__ import annotations

import asyncio

import pytest

from musicgen import claims
from musicgen.claims import ClaimGuard
from musicgen.errors import ClaimLost

pytestmark = pytest.mark.unit


async def test_a_newer_claim_stops_the_older() -> None:
    """Work under an old fence is stopped when a newer comes, and refused after."""
    guard = ClaimGuard()
    working = asyncio.Event()

    async def work() -> None:
        async with guard.hold("j", 1):
            working.set()
            await asyncio.sleep(60)

    old = asyncio.create_task(work())
    await working.wait()
    async with guard.hold("j", 2):
        with pytest.raises(ClaimLost):
            await old
    with pytest.raises(ClaimLost):
        async with guard.hold("j", 1):
            pass
    async with guard.hold("j", 2), guard.hold("other", 1):
        pass


async def test_an_ordinary_cancel_stays_one() -> None:
    """A call that its client cancelled is not taken for a lost claim."""
    guard = ClaimGuard()
    working = asyncio.Event()

    async def work() -> None:
        async with guard.hold("j", 1):
            working.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await working.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest jobs are forgotten."""
    monkeypatch.setattr(claims, "JOBS_REMEMBERED", 2)
    guard = ClaimGuard()
    for job in ("a", "b", "c"):
        async with guard.hold(job, 5):
            pass
    async with guard.hold("a", 1):
        pass
    with pytest.raises(ClaimLost):
        async with guard.hold("c", 1):
            pass
