from __future__ import annotations

import itertools
import random

import pytest

from musicgen.api.jobs.v1 import job_event_pb2, job_pb2, job_service_pb2
from musicgen.api.progress.v1 import progress_pb2
from musicgen.client.view import Change, JobsView, Kind

pytestmark = pytest.mark.unit

Frame = job_service_pb2.WatchJobsResponse
Job = job_pb2.Job
Event = job_event_pb2.JobEvent


def job(job_id: str, rev: int, state: job_pb2.Job.State.ValueType = Job.STATE_RUNNING) -> Job:
    """Make a job."""
    return Job(job_id=job_id, rev=rev, state=state)


def changed(job_id: str, rev: int) -> Event:
    """Make an event of a new state; the message inside does not count revs itself."""
    return Event(job_id=job_id, rev=rev, changed=Job(job_id=job_id, state=Job.STATE_RUNNING))


def progressed(job_id: str, rev: int, fraction: float = 0.5) -> Event:
    """Make an event of progress."""
    return Event(job_id=job_id, rev=rev, progressed=progress_pb2.Progress(fraction=fraction))


def deleted(job_id: str, rev: int) -> Event:
    """Make an event of a deletion."""
    return Event(job_id=job_id, rev=rev, deleted=job_event_pb2.JobDeleted())


def page(*jobs: Job) -> Frame:
    """Make a page of a snapshot that is not the last."""
    return Frame(snapshot=job_event_pb2.JobsSnapshot(jobs=jobs))


def last_page(cursor: str, *jobs: Job) -> Frame:
    """Make the last page of a snapshot."""
    return Frame(cursor=cursor, snapshot=job_event_pb2.JobsSnapshot(jobs=jobs, complete=True))


def events(cursor: str, *items: Event) -> Frame:
    """Make a frame of events."""
    return Frame(cursor=cursor, events=job_event_pb2.JobEvents(events=items))


def synced(*jobs: Job) -> JobsView:
    """Make a view that has read a snapshot."""
    view = JobsView()
    view.apply(last_page("c0", *jobs))
    return view


def summary(changes: tuple[Change, ...]) -> list[tuple[Kind, str, int]]:
    """Reduce changes to what is compared."""
    return [(change.kind, change.job.job_id, change.job.rev) for change in changes]


def test_a_snapshot_counts_when_its_last_page_is_there() -> None:
    """Pages of it alone change nothing, not even the cursor."""
    view = JobsView()
    assert not view.apply(page(job("a", 1))).changes
    assert (dict(view.jobs), view.cursor, view.synced) == ({}, "", False)
    applied = view.apply(last_page("c1", job("b", 2)))
    assert applied.synced
    assert summary(applied.changes) == [(Kind.CHANGED, "a", 1), (Kind.CHANGED, "b", 2)]
    assert (set(view.jobs), view.cursor, view.synced) == ({"a", "b"}, "c1", True)


def test_pages_before_a_disconnect_are_forgotten() -> None:
    """The next connection sends them all again."""
    view = JobsView()
    view.apply(page(job("a", 1)))
    view.disconnected()
    view.apply(last_page("c1", job("b", 1)))
    assert set(view.jobs) == {"b"}


def test_an_event_applies_only_if_its_rev_is_greater() -> None:
    """Older and equal revs are what was known already."""
    view = synced(job("a", 5))
    applied = view.apply(
        events("c1", changed("a", 4), changed("a", 5), progressed("a", 5), changed("a", 6))
    )
    assert summary(applied.changes) == [(Kind.CHANGED, "a", 6)]
    assert view.cursor == "c1"


def test_previews_are_no_new_state() -> None:
    """A record with more previews in the same state tells just that; in another state, or
    with fewer, it is a change."""
    view = synced(job("a", 1))
    heard = changed("a", 2)
    heard.changed.previews.add(start_frame=0)
    assert summary(view.apply(events("c1", heard)).changes) == [(Kind.PREVIEWED, "a", 2)]
    assert summary(view.apply(events("c2", changed("a", 3))).changes) == [(Kind.CHANGED, "a", 3)]
    heard.rev, heard.changed.state = 4, Job.STATE_CANCELLING
    assert summary(view.apply(events("c3", heard)).changes) == [(Kind.CHANGED, "a", 4)]


def test_revs_may_leap() -> None:
    """Coalesced progress leaves gaps."""
    view = synced(job("a", 5))
    assert summary(view.apply(events("c1", progressed("a", 40))).changes) == [
        (Kind.PROGRESSED, "a", 40)
    ]


def test_progress_keeps_all_else() -> None:
    """Only progress and rev are replaced, and what was read before stays as it was."""
    view = synced(job("a", 1, Job.STATE_CANCELLING))
    before = view.jobs["a"]
    view.apply(events("c1", progressed("a", 2, 0.25)))
    after = view.jobs["a"]
    assert (after.state, after.rev, after.progress.fraction) == (Job.STATE_CANCELLING, 2, 0.25)
    assert (before.rev, before.HasField("progress")) == (1, False)


def test_progress_of_an_unknown_job_says_nothing() -> None:
    """It is from a job that was gone before the snapshot."""
    view = synced()
    assert not view.apply(events("c1", progressed("a", 3))).changes
    assert not view.jobs


def test_the_deleted_stays_deleted() -> None:
    """A replay of older events does not bring it back; a newer job of that id does come."""
    view = synced(job("a", 5))
    assert summary(view.apply(events("c1", deleted("a", 6))).changes) == [(Kind.DELETED, "a", 6)]
    assert not view.apply(
        events("c2", changed("a", 5), progressed("a", 6), deleted("a", 6))
    ).changes
    assert not view.jobs
    view.apply(last_page("c3", job("a", 1)))
    assert view.jobs["a"].rev == 1


def test_a_bookmark_moves_only_the_cursor() -> None:
    """It is a sign of life."""
    view = synced(job("a", 1))
    applied = view.apply(Frame(cursor="c9", bookmark=job_event_pb2.Bookmark()))
    assert (applied.changes, applied.synced, view.cursor) == ((), False, "c9")


def test_a_frame_of_the_future_moves_only_the_cursor() -> None:
    """A body that this version does not know does no harm."""
    view = synced(job("a", 1))
    assert not view.apply(Frame(cursor="c9")).changes
    assert view.cursor == "c9"


def test_a_reset_leaves_no_cursor_until_the_snapshot() -> None:
    """A disconnect in between leads to a snapshot, never to a gap."""
    view = synced(job("a", 5), job("b", 1))
    view.apply(Frame(reset=job_event_pb2.WatchReset()))
    view.apply(page(job("a", 7)))
    assert (view.cursor, view.synced) == ("", False)
    applied = view.apply(last_page("c1", job("c", 1)))
    assert summary(applied.changes) == [
        (Kind.DELETED, "b", 1),
        (Kind.CHANGED, "a", 7),
        (Kind.CHANGED, "c", 1),
    ]


def test_a_snapshot_wins_over_greater_revs() -> None:
    """After the store was replaced, jobs count from 1 again."""
    view = synced(job("a", 50))
    view.restart()
    applied = view.apply(last_page("d1", job("a", 2)))
    assert summary(applied.changes) == [(Kind.CHANGED, "a", 2)]
    assert summary(view.apply(events("d2", changed("a", 3))).changes) == [(Kind.CHANGED, "a", 3)]


def test_what_a_snapshot_only_repeats_is_no_change() -> None:
    """A reconnect does not make everything blink."""
    view = synced(job("a", 5), job("b", 2))
    view.restart()
    applied = view.apply(last_page("c1", job("a", 5), job("b", 3)))
    assert applied.synced
    assert summary(applied.changes) == [(Kind.CHANGED, "b", 3)]


def test_any_overlap_of_replays_ends_in_the_same_view() -> None:
    """Whatever is sent again from any point on, each event counts once and in order."""
    rng = random.Random(7)  # noqa: S311  # repeatable, no secret
    history = [changed("a", 1), changed("b", 1)]
    history += [progressed(rng.choice("ab"), 0) for _ in range(30)]
    history += [changed("a", 0), deleted("b", 0)]
    revs = {"a": itertools.count(1), "b": itertools.count(1)}
    for event in history:
        event.rev = next(revs[event.job_id])
    for _ in range(50):
        view, at = synced(), 0
        seen: list[Change] = []
        while at < len(history):
            start = rng.randint(0, at)
            end = rng.randint(start, len(history)) if rng.random() < 0.9 else len(history)
            seen += view.apply(events(f"c{end}", *history[start:end])).changes
            at = max(at, end)
        assert set(view.jobs) == {"a"}
        for job_id in "ab":
            order = [c.job.rev for c in seen if c.job.job_id == job_id and c.kind != Kind.DELETED]
            assert order == sorted(set(order))
        assert sum(change.kind is Kind.DELETED for change in seen) == 1


def pause(cursor: str, *changes: tuple[str, bool]) -> Frame:
    """Make a frame of queues that were paused or resumed."""
    queues = [job_event_pb2.QueueChange(queue=queue, paused=paused) for queue, paused in changes]
    return Frame(cursor=cursor, events=job_event_pb2.JobEvents(queues=queues))


def told(queues: tuple[job_event_pb2.QueueChange, ...]) -> list[tuple[str, bool]]:
    """Return what is said of queues."""
    return [(each.queue, each.paused) for each in queues]


def test_paused_queues_come_with_the_snapshot_and_change() -> None:
    """Of several changes of a queue the last counts, and only what is another is told."""
    view = JobsView()
    snapshot = job_event_pb2.JobsSnapshot(complete=True, paused_queues=["loop"])
    applied = view.apply(Frame(cursor="c0", snapshot=snapshot))
    assert view.paused_queues == {"loop"}
    assert told(applied.queues) == [("loop", True)]
    frame = pause("c1", ("all", True), ("loop", False), ("loop", True), ("loop", False))
    assert told(view.apply(frame).queues) == [("all", True), ("loop", False)]
    assert view.paused_queues == {"all"}
    assert not view.apply(pause("c2", ("all", True))).queues
    assert view.cursor == "c2"


def test_a_new_snapshot_replaces_the_paused_queues() -> None:
    """What was resumed while nobody watched is told then; a reset alone says nothing."""
    view = synced()
    view.apply(pause("c1", ("all", True)))
    view.apply(Frame(reset=job_event_pb2.WatchReset()))
    assert view.paused_queues == {"all"}
    assert told(view.apply(last_page("c2")).queues) == [("all", False)]
    assert view.paused_queues == frozenset()
