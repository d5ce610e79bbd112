"""What a host hands over while it works: previews and checkpoints are stored, progress goes on."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from musicgen.artifacts import ArtifactStore, StoredFile, sha256_of
from musicgen.engine.base import MAX_CHECKPOINT_BYTES, Checkpoint, Generation, Preview, Reported
from musicgen.engine.client import Made
from musicgen.errors import DiskFull, EngineCrashed
from musicgen.progress import Progress
from musicgen.testing.fake_engine import MANIFEST
from musicgen.testing.signals import sine
from services.inference import checkpoints as checkpoints_module
from services.inference.checkpoints import Checkpoints, StoredCheckpoint, usable
from services.inference.passing import Passing
from services.inference.previews import Previews, StoredPreview

pytestmark = pytest.mark.unit

MADE = Made(Generation("t"), "mix.wav")
STEP = Progress("s", 1, 1, 1.0)


def passing_in(folder: Path, store: ArtifactStore, **more: Any) -> Passing:
    """Pass on what a host leaves in a folder."""
    return Passing(
        Previews(store, "artifacts/j/1", folder, MANIFEST),
        Checkpoints(store, "j", folder, ""),
        **more,
    )


def write_mix(path: Path, frames: int) -> None:
    """Write a preview."""
    soundfile.write(path, sine(220.0, frames, 44_100), 44_100, "FLOAT")


def leave(folder: Path, number: int) -> Checkpoint:
    """Leave a checkpoint as a host does."""
    (folder / f"state-{number}").write_bytes(b"state %d" % number)
    return Checkpoint(f"state-{number}")


def stages(store: ArtifactStore) -> list[bytes]:
    """Return what is kept, sorted."""
    return sorted(path.read_bytes() for path in store.path("artifacts/j/stages").iterdir())


async def test_progress_is_not_held_up_by_previews(tmp_path: Path) -> None:
    """Progress that comes while a preview is being encoded is passed on; what was made comes
    when all previews are stored."""
    write_mix(tmp_path / "a.wav", 441_000)
    write_mix(tmp_path / "b.wav", 44_100)

    async def engine() -> AsyncGenerator[Reported | Made, None]:
        for event in (Preview("a.wav", 0), Preview("b.wav", 441_000), STEP, STEP, MADE):
            yield event

    passing = passing_in(tmp_path, ArtifactStore(tmp_path / "data"))
    events = [event async for event in passing.among(engine())]
    assert events[:2] == [STEP, STEP]
    stored = [event.start_frame for event in events if isinstance(event, StoredPreview)]
    assert stored == [0, 441_000]
    assert events[-1] == MADE


async def test_closing_while_a_preview_is_stored(tmp_path: Path) -> None:
    """The engine's stream is closed, the encoding breaks off, and no file is half there."""
    write_mix(tmp_path / "a.wav", 60 * 44_100)
    closed = []

    async def engine() -> AsyncGenerator[Reported | Made, None]:
        try:
            yield Preview("a.wav", 0)
            while True:
                yield STEP
                await asyncio.sleep(0.01)
        finally:
            closed.append(True)

    store = ArtifactStore(tmp_path / "data")
    events = passing_in(tmp_path, store).among(engine())
    assert isinstance(await anext(events), Progress)
    await events.aclose()
    assert closed == [True]
    assert not [path for path in store.root.rglob("*") if path.is_file()]


async def test_of_checkpoints_that_come_fast_the_newest_is_stored(tmp_path: Path) -> None:
    """The first at once, the last of those that came within the interval after it; nothing of
    the others stays, and progress goes on meanwhile."""
    store, kept = ArtifactStore(tmp_path / "data"), asyncio.Semaphore(0)

    async def engine() -> AsyncGenerator[Reported | Made, None]:
        yield leave(tmp_path, 0)
        await kept.acquire()
        for number in range(1, 50):
            yield leave(tmp_path, number)
            yield STEP
        await kept.acquire()
        yield MADE

    events: list[Any] = []
    async for event in passing_in(tmp_path, store, checkpoint_interval_s=2.0).among(engine()):
        events.append(event)
        if isinstance(event, StoredCheckpoint):
            assert store.path(event.stored.key).is_file()
            kept.release()
    assert sum(isinstance(event, StoredCheckpoint) for event in events) == 2
    assert stages(store) == [b"state 0", b"state 49"]
    assert events.count(STEP) == 49
    assert events[-1] == MADE
    assert not list(tmp_path.glob("state-*"))


async def test_a_slow_checkpoint_holds_up_no_end(tmp_path: Path) -> None:
    """What waits for its turn when all is made is dropped."""
    store = ArtifactStore(tmp_path / "data")

    async def engine() -> AsyncGenerator[Reported | Made, None]:
        yield leave(tmp_path, 0)
        await asyncio.sleep(0.2)
        yield leave(tmp_path, 1)
        yield MADE

    async with asyncio.timeout(5):
        events = passing_in(tmp_path, store, checkpoint_interval_s=60.0).among(engine())
        assert MADE in [event async for event in events]
    assert stages(store) == [b"state 0"]


async def test_what_a_host_left_before_it_died_counts(tmp_path: Path) -> None:
    """The newest is stored and told before the error is, though another was stored just then."""
    store = ArtifactStore(tmp_path / "data")

    async def engine() -> AsyncGenerator[Reported | Made, None]:
        yield leave(tmp_path, 0)
        await asyncio.sleep(0.2)
        yield leave(tmp_path, 1)
        yield leave(tmp_path, 2)
        raise EngineCrashed("Killed.")

    events = passing_in(tmp_path, store, checkpoint_interval_s=60.0).among(engine())
    for number in (0, 2):
        kept = await anext(events)
        assert isinstance(kept, StoredCheckpoint)
        assert store.path(kept.stored.key).read_bytes() == b"state %d" % number
    with pytest.raises(EngineCrashed, match="Killed"):
        await anext(events)


def test_only_the_newest_two_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not registered yet, and the one before, from which the attempt began at
    first; those of others are left alone."""
    monkeypatch.setattr(checkpoints_module, "KEEP_S", 0.0)
    store = ArtifactStore(tmp_path / "data")
    first = Checkpoints(store, "j", tmp_path, "").keep(leave(tmp_path, 0))
    other = Checkpoints(store, "other", tmp_path, "").keep(leave(tmp_path, 0))
    assert first is not None
    assert other is not None
    checkpoints = Checkpoints(store, "j", tmp_path, first.stored.key)
    for number in (1, 2, 2, 3):
        kept = checkpoints.keep(leave(tmp_path, number))
        assert kept is not None
        path = store.path(kept.stored.key)
        assert path.name == kept.stored.sha256 == sha256_of(path)
        assert path.stat().st_size == kept.stored.size_bytes
        before = {1: b"state 0", 2: b"state 1", 3: b"state 2"}[number]
        assert stages(store) == [before, b"state %d" % number]
    assert store.path(other.stored.key).is_file()


def test_while_none_is_registered_more_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that the job names may be older than the newest two, but there is a bound."""
    monkeypatch.setattr(checkpoints_module, "KEPT_MOST", 4)
    store = ArtifactStore(tmp_path / "data")
    checkpoints = Checkpoints(store, "j", tmp_path, "")
    for number in range(6):
        assert checkpoints.keep(leave(tmp_path, number))
    assert stages(store) == [b"state %d" % number for number in range(2, 6)]


def test_a_disk_that_fails_ends_no_work(tmp_path: Path) -> None:
    """Whatever keeps a checkpoint from being written: it is given up."""
    store = ArtifactStore(tmp_path / "data")
    folder = store.path(store.stages_prefix("j"))
    folder.parent.mkdir(parents=True)
    folder.write_bytes(b"in the way")
    assert Checkpoints(store, "j", tmp_path, "").keep(leave(tmp_path, 0)) is None


@pytest.mark.parametrize("wrong", ["missing", "empty", "large", "link", "folder"])
def test_what_is_no_checkpoint_is_a_breach(tmp_path: Path, wrong: str) -> None:
    """As a mix that isn't one."""
    store, path = ArtifactStore(tmp_path / "data"), tmp_path / "state"
    match wrong:
        case "empty":
            path.touch()
        case "large":
            with path.open("wb") as file:
                file.truncate(MAX_CHECKPOINT_BYTES + 1)
        case "link":
            path.symlink_to("/etc/hostname")
        case "folder":
            path.mkdir()
    with pytest.raises(EngineCrashed):
        Checkpoints(store, "j", tmp_path, "").keep(Checkpoint("state"))
    assert not list(tmp_path.glob("data/**/stages/*"))


def test_a_full_disk_ends_no_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint is given up, the one before stays, and the next one may find room."""
    store = ArtifactStore(tmp_path / "data")
    checkpoints = Checkpoints(store, "j", tmp_path, "")
    assert checkpoints.keep(leave(tmp_path, 0))

    @contextlib.contextmanager
    def full(_: str) -> Any:
        raise DiskFull("No space is left.")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(store, "writing", full)
        assert checkpoints.keep(leave(tmp_path, 1)) is None
    assert stages(store) == [b"state 0"]
    assert not list(tmp_path.glob("state-*"))
    assert checkpoints.keep(leave(tmp_path, 2))


@pytest.mark.parametrize(
    "wrong", ["", "gone", "cut", "changed", "link", "key", "hash", "job", "size", "outside"]
)
def test_only_an_intact_checkpoint_of_this_job_is_used(tmp_path: Path, wrong: str) -> None:
    """Whatever else is asked for is passed over, not refused."""
    store = ArtifactStore(tmp_path / "data")
    kept = Checkpoints(store, "j", tmp_path, "").keep(leave(tmp_path, 0))
    assert kept is not None
    given, path, job = kept.stored, store.path(kept.stored.key), "j"
    match wrong:
        case "gone":
            path.unlink()
        case "cut":
            path.write_bytes(path.read_bytes()[:-1])
        case "changed":
            path.write_bytes(b"State 0")
        case "link":
            shutil.move(path, tmp_path / "elsewhere")
            path.symlink_to(tmp_path / "elsewhere")
        case "key":
            given = StoredFile(f"artifacts/j/1/{given.sha256}", given.sha256, given.size_bytes)
        case "hash":
            given = StoredFile("artifacts/j/stages/", "", given.size_bytes)
        case "job":
            job = "other"
        case "size":
            given = StoredFile(given.key, given.sha256, MAX_CHECKPOINT_BYTES + 1)
        case "outside":
            job = "../artifacts/j"
            given = StoredFile(
                f"artifacts/../artifacts/j/stages/{given.sha256}", given.sha256, given.size_bytes
            )
    assert usable(store, job, given) == (None if wrong else path)
