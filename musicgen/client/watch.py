"""A watch that goes on: through restarts, broken connections and lost history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import Any

import grpc

from musicgen.api.jobs.v1 import job_event_pb2, job_service_pb2
from musicgen.client.backoff import Backoff
from musicgen.client.view import Change, JobsView
from musicgen.errors import MessageTooLarge, ServiceUnavailable, StudioError, WatchCursorCompacted

SILENCE_S = 30.0
"""A bookmark comes every 10 s; after three that did not come, the connection is dead."""

_HOPELESS = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""The same watch would end the same way again."""

# A server stream of grpc.aio; its class is generic only in the stubs.
Call = Any
Open = Callable[[str], Call]
"""Begins a watch at a cursor; an empty one asks for a snapshot."""

Explain = Callable[[grpc.RpcError], StudioError]
"""Says what a call ended with."""


@dataclass(frozen=True, slots=True)
class Update:
    """One step of a watch: what changed, or that the studio is out of reach.

    `synced` says that a snapshot was just completed: the view was brought up to date
    as a whole. `disconnected` says why there is no connection at the moment; the watch
    goes on trying, and the next update is `reconnected` when it is back. `queues` were paused
    or resumed.
    """

    view: JobsView
    changes: tuple[Change, ...] = ()
    queues: tuple[job_event_pb2.QueueChange, ...] = ()
    synced: bool = False
    disconnected: StudioError | None = None
    reconnected: bool = False


async def follow(
    open_call: Open, view: JobsView, explain: Explain, backoff: Backoff, silence_s: float
) -> AsyncGenerator[Update, None]:
    """Keep `view` up to date until the caller closes this.

    Raises the StudioError of a watch that can never work, such as one of an invalid
    filter or of a frame that is too large to be received.
    """
    failures = 0
    away = False
    while True:
        call = open_call(view.cursor)
        alive = False
        fault: StudioError | None = None
        try:
            while (frame := await asyncio.wait_for(call.read(), silence_s)) is not grpc.aio.EOF:
                alive, failures = True, 0
                update = replace(_apply(view, frame), reconnected=away)
                away = False
                if update.changes or update.queues or update.synced or update.reconnected:
                    yield update
        except TimeoutError:
            fault = ServiceUnavailable(f"The studio sent nothing for {silence_s:g} seconds.")
        except grpc.RpcError as error:
            fault = explain(error)
            if error.code() in _HOPELESS or isinstance(fault, MessageTooLarge):
                raise fault from error
        finally:
            call.cancel()  # a call that is only dropped is never freed
            view.disconnected()
        if isinstance(fault, WatchCursorCompacted) and view.cursor:
            view.restart()
            continue
        if fault is None and alive:
            continue  # the server ends every watch well after a while
        failures += 1
        away = True
        yield Update(view, disconnected=fault or ServiceUnavailable("The studio ended the watch."))
        await asyncio.sleep(backoff.delay_s(failures))


def _apply(view: JobsView, frame: job_service_pb2.WatchJobsResponse) -> Update:
    applied = view.apply(frame)
    return Update(view, applied.changes, applied.queues, applied.synced)
