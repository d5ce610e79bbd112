"""The job store's promises, against a real Valkey server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from musicgen.errors import (
    JobAlreadyTerminal,
    JobNotFound,
    JobNotTerminal,
    QueueFull,
    RequestIdReused,
    StoreUnavailable,
    WatchCursorCompacted,
)
from services.jobs.records import Claim, Hold, JobRecord, State
from services.jobs.store import JobStore, claims, connection, housekeeping
from tests.valkey import Valkey

pytestmark = pytest.mark.contract

DAY_S = 86_400.0


@pytest.fixture
async def store(valkey: Valkey) -> AsyncIterator[JobStore]:
    """A store on an empty server."""
    store = JobStore.connect(valkey.url)
    yield store
    await store.close()


async def make(store: JobStore, id: str = "a", **changes: object) -> JobRecord:
    """Accept a job called `id`."""
    arguments: dict[str, object] = {
        "queue": "q",
        "spec": b"spec\xff\x00",
        "max_attempts": 3,
        "queue_limit": 100,
    }
    return await store.create(id=id, **(arguments | changes))  # type: ignore[arg-type]  # a test's shorthand


async def claim(store: JobStore, lease_s: float = 30.0, owner: str = "w") -> Claim:
    """Claim the next job, which must be there."""
    taken = await store.claim(owner, ["q"], lease_s)
    assert taken is not None
    return taken


async def revs(store: JobStore, id: str) -> list[int]:
    """Return every rev of a job in the history, in order."""
    return [change.rev for change in await store.changes("0-0") if change.job_id == id]


async def test_life_of_a_job(store: JobStore) -> None:
    """A job goes through its states, each change once in the history, rev without gaps."""
    assert (await make(store)).state is State.QUEUED
    held = await claim(store)
    assert (held.job_id, held.fence, held.attempt, held.spec) == ("a", 1, 1, b"spec\xff\x00")
    assert await store.beat(held, 30, b"half") is Hold.OK
    assert (await store.get("a")).progress == b"half"
    assert await store.commit(held, b"made") is Hold.OK
    assert (await store.get("a")).state is State.RUNNING, "not before it is published"
    assert [record.id for record in await store.outbox()] == ["a"]
    await store.publish("a", result=b"track")
    done = await store.get("a")
    assert (done.state, done.result, done.ended_ms > 0) == (State.SUCCEEDED, b"track", True)
    assert await store.outbox() == []
    assert await revs(store, "a") == [1, 2, 3, 4]


async def test_request_id_makes_one_job(store: JobStore) -> None:
    """The same request makes one job, however many ask at once; another request is refused."""
    made = await asyncio.gather(
        *(make(store, f"j{n}", request_id="r", digest="d") for n in range(5))
    )
    assert len({record.id for record in made}) == 1
    assert len(await store.page()) == 1
    with pytest.raises(RequestIdReused):
        await make(store, "other", request_id="r", digest="e")


async def test_first_in_first_out_over_queues(store: JobStore) -> None:
    """A worker of several queues gets the oldest job of all of them."""
    for id, queue in (("a", "q1"), ("b", "q2"), ("c", "q1")):
        await make(store, id, queue=queue)
    got = [await store.claim("w", ["q2", "q1"], 30) for _ in range(3)]
    assert [taken.job_id for taken in got if taken] == ["a", "b", "c"]
    assert await store.claim("w", ["q2", "q1"], 30) is None


async def test_queue_limit(store: JobStore) -> None:
    """A full queue refuses a job and says when to come back."""
    await make(store, "a", queue_limit=1)
    with pytest.raises(QueueFull) as refused:
        await make(store, "b", queue_limit=1)
    assert refused.value.retry_after_s
    with pytest.raises(JobNotFound):
        await store.get("b")


async def test_expired_lease_gives_the_job_to_another(store: JobStore) -> None:
    """After its lease a job is claimed anew; the former worker can do no harm."""
    await make(store)
    old = await claim(store, lease_s=0.01)
    await asyncio.sleep(0.03)
    assert (await store.reconcile(b"lost"))[0] == 1
    assert (await store.get("a")).error == b"lost"
    new = await claim(store)
    assert (new.fence, new.attempt) == (2, 2)
    assert await store.beat(old, 30, b"late") is Hold.LOST
    assert await store.commit(old, b"late") is Hold.LOST
    assert await store.fail(old, b"late", retryable=False, delay_s=0) is Hold.LOST
    assert await store.commit(new, b"made") is Hold.OK
    assert await store.commit(old, b"late") is Hold.LOST
    assert (await store.get("a")).outcome == b"made"


async def test_previews_are_kept_in_order_and_told_at_once(store: JobStore) -> None:
    """Each preview is one change with all before it; asked for again it is not doubled, and
    none is kept after one that is missing."""
    await make(store)
    held = await claim(store)
    assert await store.add_preview(held, 0, b"a\xff") is Hold.OK
    assert await store.add_preview(held, 0, b"a\xff") is Hold.OK
    assert await store.add_preview(held, 2, b"b\x00") is Hold.OK
    assert await store.add_preview(held, 6, b"d") is Hold.OK
    assert (await store.get("a")).previews == b"a\xffb\x00"
    told = [change.record.previews for change in await store.changes("0-0") if change.record]
    assert told == [b"", b"", b"a\xff", b"a\xffb\x00"]
    assert await revs(store, "a") == [1, 2, 3, 4]


async def test_previews_have_a_limit(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no longer fits is left out, and all that comes after it."""
    monkeypatch.setattr(claims, "MAX_PREVIEWS_BYTES", 10)
    await make(store)
    held = await claim(store)
    for offset, preview in ((0, b"x" * 8), (8, b"y" * 3), (11, b"z")):
        assert await store.add_preview(held, offset, preview) is Hold.OK
    assert (await store.get("a")).previews == b"x" * 8


async def test_previews_belong_to_one_attempt(store: JobStore) -> None:
    """They go when the attempt is over in whatever way; a worker that lost its claim or
    whose job is being cancelled adds none."""
    await make(store)
    lost = await claim(store, lease_s=0.01)
    await store.add_preview(lost, 0, b"1")
    await asyncio.sleep(0.03)
    await store.reconcile(b"lost")
    assert (await store.get("a")).previews == b""
    failed = await claim(store)
    assert await store.add_preview(lost, 0, b"1") is Hold.LOST
    await store.add_preview(failed, 0, b"2")
    await store.fail(failed, b"e", retryable=True, delay_s=0)
    assert (await store.get("a")).previews == b""
    given = await claim(store)
    await store.add_preview(given, 0, b"3")
    await store.give_back(given)
    assert (await store.get("a")).previews == b""
    last = await claim(store)
    await store.add_preview(last, 0, b"4")
    await store.commit(last, b"made")
    assert await store.add_preview(last, 1, b"5") is Hold.LOST
    assert (await store.get("a")).previews == b"4", "until there is a track to play"
    await store.publish("a", result=b"track")
    assert (await store.get("a")).previews == b""

    await make(store, "b")
    stopping = await claim(store)
    await store.add_preview(stopping, 0, b"6")
    await store.cancel("b")
    assert await store.add_preview(stopping, 1, b"7") is Hold.CANCEL
    assert (await store.get("b")).previews == b"6"
    await store.fail(stopping, b"", retryable=False, delay_s=0)
    assert (await store.get("b")).previews == b""


async def test_commit_is_idempotent(store: JobStore) -> None:
    """A worker whose commit's answer was lost asks again and hears OK; nothing is doubled."""
    await make(store)
    held = await claim(store)
    assert [await store.commit(held, b"made") for _ in range(2)] == [Hold.OK, Hold.OK]
    await store.publish("a", result=b"track")
    await store.publish("a", result=b"other")
    assert await store.commit(held, b"made") is Hold.OK
    assert (await store.get("a")).result == b"track"
    assert await revs(store, "a") == [1, 2, 3]


async def test_retry_waits_then_runs_until_attempts_are_spent(store: JobStore) -> None:
    """A failed attempt waits its delay; after the last attempt the job is FAILED."""
    await make(store, max_attempts=2)
    await store.fail(await claim(store), b"e1", retryable=True, delay_s=0.05)
    waiting = await store.get("a")
    assert (waiting.state, waiting.error, waiting.not_before_ms > 0) == (State.QUEUED, b"e1", True)
    await store.reconcile(b"")
    assert await store.claim("w", ["q"], 30) is None
    await asyncio.sleep(0.06)
    await store.reconcile(b"")
    await store.fail(await claim(store), b"e2", retryable=True, delay_s=0.05)
    ended = await store.get("a")
    assert (ended.state, ended.error, ended.attempt) == (State.FAILED, b"e2", 2)


async def test_failure_that_can_not_be_retried_ends_the_job(store: JobStore) -> None:
    """A failure that would come again ends the job at the first attempt."""
    await make(store)
    await store.fail(await claim(store), b"bad", retryable=False, delay_s=0)
    assert (await store.get("a")).state is State.FAILED


async def test_giving_back_costs_no_attempt(store: JobStore) -> None:
    """A worker that is stopped hands its job on; the attempt doesn't count."""
    await make(store)
    await store.give_back(await claim(store))
    again = await claim(store)
    assert (again.attempt, again.fence) == (1, 2)


async def test_release_frees_a_dead_workers_jobs_only(store: JobStore) -> None:
    """A new worker of the same name frees what the dead one held, and nothing else."""
    for id in ("a", "b"):
        await make(store, id)
    await claim(store, owner="dead")
    other = await claim(store, owner="alive")
    assert await store.release("dead", b"died") == 1
    assert (await store.get("a")).state is State.QUEUED
    assert await store.beat(other, 30) is Hold.OK


async def test_cancel_in_each_state(store: JobStore) -> None:
    """A waiting job is cancelled at once, a running one by its worker, an ended one not."""
    await make(store, "waiting")
    assert (await store.cancel("waiting")).state is State.CANCELLED
    assert await store.claim("w", ["q"], 30) is None
    with pytest.raises(JobAlreadyTerminal):
        await store.cancel("waiting")
    with pytest.raises(JobNotFound):
        await store.cancel("nobody")

    await make(store, "running")
    held = await claim(store)
    assert (await store.cancel("running")).state is State.CANCELLING
    assert (await store.cancel("running")).state is State.CANCELLING
    assert await store.beat(held, 30, b"more") is Hold.CANCEL
    assert await store.commit(held, b"made") is Hold.CANCEL
    assert (await store.get("running")).state is State.CANCELLED
    assert await revs(store, "running") == [1, 2, 3, 4]


async def test_cancel_of_a_dead_workers_job_ends_it(store: JobStore) -> None:
    """A job that is being cancelled when its worker dies is CANCELLED, not tried again."""
    await make(store)
    await claim(store, lease_s=0.01)
    await store.cancel("a")
    await asyncio.sleep(0.03)
    await store.reconcile(b"lost")
    assert (await store.get("a")).state is State.CANCELLED


async def test_cancel_comes_too_late_for_a_frozen_outcome(store: JobStore) -> None:
    """Once the outcome is frozen a cancel changes nothing and the job succeeds."""
    await make(store)
    await store.commit(await claim(store), b"made")
    assert (await store.cancel("a")).state is State.RUNNING
    await store.publish("a", result=b"track")
    assert (await store.get("a")).state is State.SUCCEEDED


async def test_delete(store: JobStore) -> None:
    """Only an ended job's record can be deleted; watchers are told."""
    await make(store)
    with pytest.raises(JobNotTerminal):
        await store.delete("a")
    await store.cancel("a")
    await store.delete("a")
    with pytest.raises(JobNotFound):
        await store.delete("a")
    last = (await store.changes("0-0"))[-1]
    assert (last.record, last.progress, last.rev) == (None, None, 3)


async def test_old_records_and_history_go(store: JobStore) -> None:
    """Retention removes ended records and old history; an old cursor is then refused."""
    await make(store, "old")
    await store.cancel("old")
    first = (await store.changes("0-0"))[0].position
    await store.check_position(first)
    await asyncio.sleep(0.02)
    await store.trim(history_s=0.0, records_s=0.0)
    assert await store.page() == []
    with pytest.raises(WatchCursorCompacted):
        await store.check_position(first)
    with pytest.raises(WatchCursorCompacted):
        await store.check_position("99999999999999-0")


async def test_the_history_has_a_greatest_length(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a number of changes the oldest go, and a cursor among them is refused."""
    monkeypatch.setattr(housekeeping, "HISTORY_MOST", 100)
    await make(store)
    first = (await store.changes("0-0"))[0].position
    held = await claim(store)
    for number in range(500):
        await store.beat(held, 30, b"%d" % number)
    await store.trim(DAY_S, DAY_S)
    kept = await store.changes("0-0")
    assert 100 <= len(kept) < 400
    with pytest.raises(WatchCursorCompacted):
        await store.check_position(first)
    await store.check_position(kept[0].position)


async def test_a_waiting_worker_wakes_at_once(store: JobStore) -> None:
    """A worker that waits for work is woken by a new job, not by its time-out."""
    waiting = asyncio.create_task(store.wait_for_work(["q"], 30.0))
    await asyncio.sleep(0.05)
    await make(store)
    await asyncio.wait_for(waiting, 5.0)


async def test_acknowledged_jobs_survive_a_power_cut(store: JobStore, valkey: Valkey) -> None:
    """What was acknowledged is there after kill -9; meanwhile callers get UNAVAILABLE."""
    await make(store)
    valkey.kill()
    with pytest.raises(StoreUnavailable):
        await store.get("a")
    valkey.start()
    assert (await store.get("a")).state is State.QUEUED
    assert (await store.epoch()) == (await store.epoch())


async def test_next_changes_waits_for_the_first(store: JobStore) -> None:
    """The history can be followed: a reader gets a change as soon as it happens."""
    tail = await store.tail()
    reading = asyncio.create_task(store.next_changes(tail, 10.0))
    await asyncio.sleep(0.05)
    await make(store)
    (change,) = await asyncio.wait_for(reading, 5.0)
    assert change.record is not None
    assert (change.record.id, change.rev) == ("a", 1)
    assert await store.next_changes(change.position, 0.05) == []


async def test_many_callers_at_once_wait_for_their_turn(store: JobStore) -> None:
    """More callers than connections all get their answer."""
    await make(store)
    records = await asyncio.gather(*(store.get("a") for _ in range(300)))
    assert {record.id for record in records} == {"a"}


async def test_a_cancelled_wait_mixes_up_no_answers(store: JobStore) -> None:
    """After a wait was cut off in the middle, every caller still gets its own answer."""
    await make(store)
    for _ in range(20):
        waiting = asyncio.create_task(store.wait_for_work(["none"], 2.0))
        await asyncio.sleep(0.002)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert (await store.get("a")).id == "a"


async def test_a_server_that_hangs_is_away(
    store: JobStore, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes connections but is silent is unavailable, not waited for."""
    monkeypatch.setattr(connection, "ANSWER_TIMEOUT_S", 0.2)
    await make(store)
    with valkey.frozen(), pytest.raises(StoreUnavailable):
        await store.get("a")
    assert (await store.get("a")).id == "a"


async def test_an_idle_history_keeps_its_end(store: JobStore) -> None:
    """However long nothing happens, whoever has seen the newest change can go on from it."""
    await make(store, "a")
    await make(store, "b")
    newest = await store.tail()
    await asyncio.sleep(0.01)
    for _ in range(2):
        await store.trim(history_s=0.0, records_s=DAY_S)
        assert await store.tail() == newest
        await store.check_position(newest)


async def test_engines_follow_what_workers_say(store: JobStore) -> None:
    """An engine that its worker no longer names is gone; one of a worker that can't tell or
    is away for a while is not."""
    await store.announce("w1", {"a": b"1", "b": b"2"}, ttl_s=60)
    await store.announce("w2", {"c": b"3"}, ttl_s=0.01)
    await store.announce("w1", {"a": b"9"}, ttl_s=60)
    await asyncio.sleep(0.03)
    assert await store.engines() == {"a": b"9", "c": b"3"}
    assert await store.workers() == ["w1"]
    await store.announce("w1", None, ttl_s=60)
    assert await store.engines() == {"a": b"9", "c": b"3"}
    await store.announce("w1", {}, ttl_s=60)
    assert await store.engines() == {"c": b"3"}


async def test_after_a_sleep_workers_may_beat_first(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nobody looked for a while no lease is judged at once: a worker that woke up too goes
    on, and one that did not is found out after the grace."""
    monkeypatch.setattr(housekeeping, "GRACE_S", 0.05)
    await make(store)
    held = await claim(store, lease_s=0.01)
    _, _, now_ms = await store.reconcile(b"lost")
    await asyncio.sleep(0.03)
    await store.reconcile(b"lost", now_ms - 60_000)
    assert await store.beat(held, 0.01) is Hold.OK
    await asyncio.sleep(0.03)
    _, _, now_ms = await store.reconcile(b"lost", 0)
    assert (await store.get("a")).state is State.RUNNING
    await asyncio.sleep(0.08)
    await store.reconcile(b"lost", now_ms)
    assert ((await store.get("a")).state, (await store.get("a")).error) == (State.QUEUED, b"lost")
