"""Long work behind a stream: when the call ends in whatever way, the work is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

import grpc

from musicgen.errors import StudioError

T = TypeVar("T")


async def during(
    context: grpc.aio.ServicerContext[object, object], work: AsyncGenerator[T, None]
) -> AsyncIterator[T]:
    """Yield what `work` yields, but run it in a task of its own.

    gRPC cancels a handler's task while it waits for a slow client, and then neither
    closes the handler's generator at once nor sends a status if somebody else cancelled.
    A task of its own is cancelled as soon as the call is over, cleans up then, and what
    it raises (ClaimLost, when a greater fence came) reaches the client.
    """
    events: asyncio.Queue[T | None] = asyncio.Queue()

    over = False

    async def produce() -> None:
        try:
            async with contextlib.aclosing(work) as stream:
                async for event in stream:
                    events.put_nowait(event)
        except StudioError:
            if not over:  # else nobody is left to be told
                raise

    producer = asyncio.create_task(produce())
    producer.add_done_callback(lambda _: events.put_nowait(None))

    def stop(_: object) -> None:
        nonlocal over
        over = True
        producer.cancel()

    context.add_done_callback(stop)  # type: ignore[arg-type]  # the stubs want a class where any callable will do
    while (event := await events.get()) is not None:
        yield event
    await producer
