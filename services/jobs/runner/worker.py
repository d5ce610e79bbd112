"""A slot: claims one job at a time, keeps its claim alive, and commits what was made."""

from __future__ import annotations

import asyncio
import contextlib
import random

import grpc

from musicgen.errors import Cancelled, Internal, StoreUnavailable, StudioError
from musicgen.rpc import log, tracing
from musicgen.rpc.status import to_error_proto
from services.jobs.records import Claim, Hold
from services.jobs.runner import metrics
from services.jobs.runner.attempt import RETRY_S, Attempt, Stopped, until_told
from services.jobs.runner.cancels import Cancels
from services.jobs.runner.lanes import Lane
from services.jobs.store import JobStore

IDLE_WAIT_S = 2.0
# Soon at first: most crashes are over when the launcher has restarted what died.
BACKOFF_S, BACKOFF_GROWTH, BACKOFF_LIMIT_S = 0.5, 4, 30.0
_OUTCOMES = {Hold.OK: "committed", Hold.CANCEL: "cancelled", Hold.LOST: "lost"}


class Slot:
    """Does one job of a lane at a time, for ever."""

    def __init__(
        self, store: JobStore, lane: Lane, cancels: Cancels, *, owner: str, lease_s: float
    ) -> None:
        self._store = store
        self._lane = lane
        self._cancels = cancels
        self._owner = owner
        self._lease_s = lease_s

    async def run(self) -> None:
        """Work until cancelled; a job in hand is then given back unharmed."""
        while True:
            try:
                queues = await self._lane.queues()
                if not queues:
                    await asyncio.sleep(IDLE_WAIT_S)
                    continue
                if not await self._store.waiting(queues):
                    # While there is nothing to do no service is asked how it is.
                    await self._store.wait_for_work(queues, IDLE_WAIT_S)
                    continue
                if not await self._lane.serving():
                    await asyncio.sleep(RETRY_S)
                    continue
                claim = await self._store.claim(self._owner, queues, self._lease_s)
                if claim is None:
                    await self._store.wait_for_work(queues, IDLE_WAIT_S)
                else:
                    await self._work(claim)
            except (StoreUnavailable, grpc.aio.AioRpcError) as error:
                log.get().warning("no work taken", lane=self._lane.name, why=str(error))
                await asyncio.sleep(RETRY_S)

    async def _work(self, claim: Claim) -> None:
        log.get().info("claimed", job_id=claim.job_id, fence=claim.fence, attempt=claim.attempt)
        lane = self._lane.name
        with (
            metrics.attempt(lane) as ended,
            tracing.continued(
                f"{lane} attempt",
                claim.trace,
                job_id=claim.job_id,
                lane=lane,
                attempt=claim.attempt,
                fence=claim.fence,
            ) as span,
        ):
            ended.outcome = await self._attempt(claim)
            span.tell(outcome=ended.outcome)
            if ended.outcome == "failed":
                span.fail(ended.outcome)

    async def _attempt(self, claim: Claim) -> str:
        """Return how it ended, as metrics name it."""
        try:
            async with self._cancels.watch(claim.job_id) as cancelled:
                attempt = Attempt(self._store, self._lane, claim, self._lease_s)
                outcome = await attempt.run(cancelled)
        except asyncio.CancelledError:
            with contextlib.suppress(StoreUnavailable):
                await self._store.give_back(claim)
            raise
        except Stopped as stop:
            log.get().info("stopped", job_id=claim.job_id, why=stop.hold.value)
            if stop.hold is Hold.CANCEL:
                await self._fail(claim, Cancelled("The job was cancelled."))
            return _OUTCOMES[stop.hold]
        except StudioError as error:
            log.get().warning("attempt failed", job_id=claim.job_id, reason=error.reason)
            await self._fail(claim, error)
        except Exception as defect:
            # One job's defect must not take down the work of the other slots.
            log.get().error("defect", job_id=claim.job_id, exc_info=defect)
            await self._fail(claim, Internal("The worker failed in an unexpected way."))
        else:
            data = outcome.SerializeToString()
            # Work that is done is not thrown away.
            hold = await until_told(lambda: self._store.commit(claim, data))
            log.get().info("committed", job_id=claim.job_id, hold=hold.value)
            return _OUTCOMES[hold]
        return "failed"

    async def _fail(self, claim: Claim, error: StudioError) -> None:
        data = to_error_proto(error).SerializeToString()
        delay_s = min(BACKOFF_S * BACKOFF_GROWTH ** (claim.attempt - 1), BACKOFF_LIMIT_S)
        delay_s *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        await until_told(
            lambda: self._store.fail(claim, data, retryable=error.retryable, delay_s=delay_s)
        )
