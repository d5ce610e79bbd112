from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from musicgen.artifacts import ArtifactStore
from musicgen.errors import (
    ClaimLost,
    DiskFull,
    EditConflict,
    InvalidField,
    MessageTooLarge,
)
from services.library.uploads import Chunk, State, Uploads

pytestmark = pytest.mark.unit

ID = "123e4567-e89b-42d3-a456-426614174000"
DATA = os.urandom(3_000_000)


async def stream(data: bytes, piece: int = 100_000) -> AsyncIterator[bytes]:
    """A body in pieces."""
    for start in range(0, len(data), piece):
        await asyncio.sleep(0)
        yield data[start : start + piece]


class Cut(Exception):
    """The connection broke."""


async def cut_stream(data: bytes) -> AsyncIterator[bytes]:
    """A body whose connection breaks at its end."""
    async for piece in stream(data):
        yield piece
    raise Cut


@pytest.fixture
def uploads(store: ArtifactStore) -> Uploads:
    """Uploads of up to 10 MB."""
    return Uploads(store, largest_bytes=10_000_000)


def left(store: ArtifactStore) -> list[str]:
    """Every file under uploads/."""
    return sorted(path.name for path in (store.root / "uploads").rglob("*") if path.is_file())


async def test_whole_upload(store: ArtifactStore, uploads: Uploads) -> None:
    """One body without a range is an upload; doing it again is fine and reads nothing."""
    state = await uploads.receive(ID.upper(), Chunk(0, None, len(DATA)), stream(DATA))
    assert state == State(ID, len(DATA), finished=True)
    assert store.existing(f"uploads/{ID}").read_bytes() == DATA
    assert left(store) == [ID]
    again = await uploads.receive(ID, Chunk(0, None, len(DATA)), stream(b"never read"))
    assert again == state == await uploads.state(ID)
    with pytest.raises(EditConflict):
        await uploads.receive(ID, Chunk(0, None, 5), stream(b"other"))


async def test_resume_after_a_cut(store: ArtifactStore, uploads: Uploads) -> None:
    """What arrived before the cut is kept; the client asks, goes on, and it is whole."""
    with pytest.raises(Cut):
        await uploads.receive(ID, Chunk(0, len(DATA), len(DATA)), cut_stream(DATA[:1_234_567]))
    state = await uploads.state(ID)
    assert state == State(ID, 1_234_567, finished=False)
    assert not store.path(f"uploads/{ID}").exists()
    rest = Chunk(state.size_bytes, len(DATA), len(DATA))
    done = await uploads.receive(ID, rest, stream(DATA[state.size_bytes :]))
    assert done.finished
    assert store.path(f"uploads/{ID}").read_bytes() == DATA
    assert left(store) == [ID]


async def test_a_cut_upload_without_ranges_starts_over(
    store: ArtifactStore, uploads: Uploads
) -> None:
    """A plain PUT after a cut replaces what had arrived."""
    with pytest.raises(Cut):
        await uploads.receive(ID, Chunk(0, None, 500_000), cut_stream(DATA[:400_000]))
    done = await uploads.receive(ID, Chunk(0, None, 300_000), stream(DATA[-300_000:]))
    assert done.finished
    assert store.path(f"uploads/{ID}").read_bytes() == DATA[-300_000:]


async def test_chunks_only_at_the_offset(uploads: Uploads) -> None:
    """A gap or an overlap is a conflict that names the offset; nothing changes."""
    await uploads.receive(ID, Chunk(0, 1000, None), stream(DATA[:1000]))
    for start in (0, 999, 1001):
        with pytest.raises(EditConflict) as caught:
            await uploads.receive(ID, Chunk(start, start + 10, 5000), stream(b"x" * 10))
        assert caught.value.metadata["offset"] == "1000"
    state = await uploads.receive(ID, Chunk(1000, 2000, 5000), stream(DATA[1000:2000]))
    assert state == State(ID, 2000, finished=False)


async def test_a_body_longer_than_its_range(uploads: Uploads) -> None:
    """The bytes within the range are kept, those beyond are refused."""
    with pytest.raises(InvalidField):
        await uploads.receive(ID, Chunk(0, 1000, 5000), stream(DATA[:2000]))
    assert (await uploads.state(ID)).size_bytes == 1000


async def test_limits(uploads: Uploads, store: ArtifactStore) -> None:
    """Too large, by its own word or by what arrives; empty; no UUID."""
    with pytest.raises(MessageTooLarge):
        await uploads.receive(ID, Chunk(0, None, 10_000_001), stream(b"x"))
    with pytest.raises(MessageTooLarge):
        await uploads.receive(ID, Chunk(0, None, None), stream(bytes(10_000_001)))
    with pytest.raises(InvalidField):
        await uploads.receive(ID, Chunk(0, None, 0), stream(b""))
    for bad in ("", "x", "../../etc/passwd", ID + "0", ID.replace("-", "/")):
        with pytest.raises(InvalidField):
            await uploads.state(bad)
    huge = Uploads(store, largest_bytes=1 << 60)
    with pytest.raises(DiskFull):
        await huge.receive(ID, Chunk(0, 10, 1 << 59), stream(b"x" * 10))


async def test_a_newer_request_takes_over(store: ArtifactStore, uploads: Uploads) -> None:
    """A client that reconnects while its old request hangs wins; bytes aren't mixed."""
    hang = asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        yield DATA[:2_000_000]
        await hang.wait()
        yield b"old" * 100_000

    old = asyncio.create_task(uploads.receive(ID, Chunk(0, len(DATA), len(DATA)), hanging()))
    while (await uploads.state(ID)).size_bytes < 2_000_000:
        await asyncio.sleep(0.01)
    rest = Chunk(2_000_000, len(DATA), len(DATA))
    done = await uploads.receive(ID, rest, stream(DATA[2_000_000:]))
    assert done.finished
    hang.set()
    with pytest.raises(ClaimLost):
        await old
    assert store.path(f"uploads/{ID}").read_bytes() == DATA


async def test_stale_partials_go_after_a_day(store: ArtifactStore, uploads: Uploads) -> None:
    """Only what nobody has written to for 24 hours is removed; finished uploads stay."""
    await uploads.receive(ID, Chunk(0, 10, 100), stream(b"x" * 10))
    other = ID.replace("1", "2")
    await uploads.receive(other, Chunk(0, None, 10), stream(b"x" * 10))
    assert uploads.remove_stale() == 0
    assert uploads.remove_stale(time.time() + 23 * 3600) == 0
    assert uploads.remove_stale(time.time() + 25 * 3600) == 1
    assert left(store) == [other]
    assert (await uploads.state(ID)).size_bytes == 0


async def test_a_planted_link_is_not_written_through(
    tmp_path: Path, store: ArtifactStore, uploads: Uploads
) -> None:
    """A link in place of the partial file makes the upload fail, not another file grow."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    partial = store.path("uploads") / ".partials" / f"{ID}.part"
    partial.parent.mkdir(parents=True)
    partial.symlink_to(victim)
    size = partial.lstat().st_size
    with pytest.raises(OSError, match="symbolic"):
        await uploads.receive(ID, Chunk(size, size + 10, 5000), stream(b"x" * 10))
    assert victim.read_bytes() == b""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MB; needs root, and a machine that lets it mount."""
    root = tmp_path / "small"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "none", str(root)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nobody may mount here")
    yield root
    subprocess.run(["umount", str(root)], check=True)


async def test_a_disk_that_fills_up(small_disk: Path) -> None:
    """On a disk that fills while an upload runs, what arrived is kept and the upload goes
    on when there is room again."""
    uploads = Uploads(ArtifactStore(small_disk), largest_bytes=1 << 30)
    data = os.urandom(3_000_000)

    async def filling() -> AsyncIterator[bytes]:
        yield data[:1_500_000]
        (small_disk / "hog").write_bytes(bytes(18_000_000))
        yield data[1_500_000:]

    with pytest.raises(DiskFull):
        await uploads.receive(ID, Chunk(0, len(data), len(data)), filling())
    kept = (await uploads.state(ID)).size_bytes
    assert 1_500_000 <= kept < len(data)
    (small_disk / "hog").unlink()
    done = await uploads.receive(ID, Chunk(kept, len(data), len(data)), stream(data[kept:]))
    assert done.finished
    assert (small_disk / "uploads" / ID).read_bytes() == data
