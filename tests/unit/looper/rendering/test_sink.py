from __future__ import annotations

import errno
import hashlib
import threading
from pathlib import Path

import pytest

from musicgen.errors import Cancelled
from services.looper.rendering.sink import SYNC_BYTES, Sink

pytestmark = pytest.mark.unit


def ignore(_: int) -> None:
    """Be a Wrote that nobody looks at."""


def hash_of(path: Path) -> str:
    """Hash a file by the plainest means."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_written_is_hashed_and_told(tmp_path: Path) -> None:
    """The file holds every byte, its hash is right, and the bytes told add up."""
    told: list[int] = []
    ticks: list[int] = []
    pieces: list[bytes | bytearray | memoryview] = [
        b"a",
        bytes(3 << 20),
        bytearray(b"bc"),
        memoryview(b"def" * 500_000),
    ]
    with Sink(tmp_path / "a", told.append) as sink:
        for piece in pieces:
            sink.write(piece)
        sha256 = sink.sha256(ticks.append)
        assert sink.size_bytes == sum(told) == sum(ticks)
    assert (tmp_path / "a").read_bytes() == b"".join(bytes(piece) for piece in pieces)
    assert sha256 == hash_of(tmp_path / "a")


def test_an_empty_file_has_a_hash(tmp_path: Path) -> None:
    """Nothing written is no special case."""
    with Sink(tmp_path / "a", ignore) as sink:
        assert sink.sha256() == hashlib.sha256().hexdigest()


@pytest.mark.parametrize("provisional", [True, False])
@pytest.mark.parametrize("body_bytes", [0, 100, 5 << 20])
def test_patches_are_hashed(tmp_path: Path, provisional: bool, body_bytes: int) -> None:
    """A patch counts, whether it was foretold or hits what is hashed already."""
    with Sink(tmp_path / "a", ignore) as sink:
        sink.write(b"????head", provisional=provisional)
        sink.write(bytes(body_bytes))
        if not provisional:
            assert len(sink.sha256()) == 64  # all is hashed by now
        sink.patch(0, b"true")
        sink.write(b"more")
        sha256 = sink.sha256()
        sink.patch(1, b"o")
        assert sha256 != sink.sha256() == hash_of(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"toue" + b"head" + bytes(body_bytes) + b"more"


def test_a_patch_that_never_comes_is_not_waited_for(tmp_path: Path) -> None:
    """Provisional bytes count as they are when the hash is asked for."""
    with Sink(tmp_path / "a", ignore) as sink:
        sink.write(b"abc", provisional=True)
        assert sink.sha256() == hash_of(tmp_path / "a")


def test_what_was_written_can_be_read(tmp_path: Path) -> None:
    """Reading gives the bytes asked for, and fewer where the file ends."""
    with Sink(tmp_path / "a", ignore) as sink:
        sink.write(b"0123456789")
        assert sink.read(2, 3) == b"234"
        assert sink.read(8, 100) == b"89"
        assert sink.read(10, 5) == b""


def test_a_cancel_ends_the_writing(tmp_path: Path) -> None:
    """What `wrote` raises comes out of write and of poll, and no thread stays."""
    threads = threading.active_count()

    def cancel(_: int) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled), Sink(tmp_path / "a", cancel) as sink:
        sink.write(b"abc")
    with pytest.raises(Cancelled), Sink(tmp_path / "a", cancel) as sink:
        sink.poll()
    with Sink(tmp_path / "a", ignore) as sink:
        sink.write(bytes(SYNC_BYTES + 1))
        with pytest.raises(Cancelled):
            sink.sha256(cancel)
    assert threading.active_count() == threads


def test_a_full_disk_is_an_os_error() -> None:
    """ENOSPC comes out of write."""
    with Sink(Path("/dev/full"), ignore) as sink, pytest.raises(OSError) as caught:  # noqa: PT011 - its number is checked
        sink.write(b"abc")
    assert caught.value.errno == errno.ENOSPC


def test_a_failure_in_a_thread_is_raised() -> None:
    """What can't be read back or forced to disk is no success, and no thread stays."""
    threads = threading.active_count()
    with Sink(Path("/dev/null"), ignore) as sink:
        sink.write(b"")
        sink.size_bytes += 3
        with pytest.raises(OSError):  # noqa: PT011 - either thread may be first
            sink.sha256()
        with pytest.raises(OSError):  # noqa: PT011 - as above
            sink.write(b"abc")
    assert threading.active_count() == threads
