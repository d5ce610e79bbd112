from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from musicgen.local import logs
from musicgen.local.errors import CannotStart
from musicgen.local.layout import Layout
from musicgen.local.parts import studio_parts
from musicgen.local.run_file import RunLock

pytestmark = pytest.mark.unit


def test_logs_rotate_and_stay_few(tmp_path: Path) -> None:
    """Each start begins a new log; only the last few old ones are kept."""
    log = tmp_path / "jobs.log"
    for number in range(6):
        logs.rotate(log)
        log.write_text(f"run {number}")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "jobs.1.log",
        "jobs.2.log",
        "jobs.3.log",
        "jobs.log",
    ]
    assert (tmp_path / "jobs.3.log").read_text() == "run 2"


def test_a_log_in_use_is_bounded(tmp_path: Path) -> None:
    """A log that grew too large is moved away under its writer, which goes on."""
    log = tmp_path / "jobs.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 100)
        logs.bound(log, max_bytes=100)
        assert log.stat().st_size == 100
        writer.write(b"y")
        logs.bound(log, max_bytes=100)
        writer.write(b"z")
    assert log.read_bytes() == b"z"
    assert (tmp_path / "jobs.1.log").stat().st_size == 101


def test_tail_shows_the_end(tmp_path: Path) -> None:
    """The last lines, whatever bytes they hold; nothing if there is no log."""
    log = tmp_path / "jobs.log"
    assert logs.tail(log) == []
    log.write_bytes(b"".join(b"line %d \xff\n" % number for number in range(5000)))
    assert logs.tail(log, lines=2) == ["line 4998 \ufffd", "line 4999 \ufffd"]


def test_sockets_lie_in_a_private_folder(tmp_path: Path) -> None:
    """The folder is short, belongs to this user and is closed to others, also if it was
    there with other rights."""
    layout = Layout.make(tmp_path / "data", {})
    layout.sockets.chmod(0o755)
    again = Layout.make(tmp_path / "data", {})
    assert again == layout
    assert layout.sockets.stat().st_mode & 0o777 == 0o700
    assert len(str(layout.socket("library-http"))) < 100
    assert Layout.make(tmp_path / "other", {}).sockets != layout.sockets
    shutil.rmtree(layout.sockets)
    shutil.rmtree(Layout.make(tmp_path / "other", {}).sockets)


def test_runtime_dir_is_used_if_it_is_short(tmp_path: Path) -> None:
    """XDG_RUNTIME_DIR is preferred, unless its path is too long for sockets."""
    runtime = Path("/tmp") / f"run-{tmp_path.name}"  # noqa: S108  # it has to be short
    runtime.mkdir()
    try:
        layout = Layout.make(tmp_path / "data", {"XDG_RUNTIME_DIR": str(runtime)})
        assert layout.sockets.parent == runtime
        long = Layout.make(tmp_path / "data", {"XDG_RUNTIME_DIR": str(runtime / ("x" * 80))})
        assert long.sockets.parent == Path("/tmp")  # noqa: S108  # the fallback
        shutil.rmtree(long.sockets)
    finally:
        shutil.rmtree(runtime)


def test_a_folder_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    """A link in the folder's place, which another user could have made, is refused."""
    layout = Layout.make(tmp_path / "data", {})
    shutil.rmtree(layout.sockets)
    layout.sockets.symlink_to(tmp_path)
    with pytest.raises(CannotStart, match="No private folder"):
        Layout.make(tmp_path / "data", {})
    layout.sockets.unlink()


def test_one_lock_per_data_root(tmp_path: Path) -> None:
    """Only one can hold it; what it announced goes with it."""
    first = RunLock.take(tmp_path)
    assert first is not None
    with first:
        assert RunLock.take(tmp_path) is None
        assert first.announce(9000).url == "http://127.0.0.1:9000"
        assert (tmp_path / "run.json").exists()
    assert not (tmp_path / "run.json").exists()
    second = RunLock.take(tmp_path)
    assert second is not None
    with second:
        pass


def test_parts_know_each_other(tmp_path: Path) -> None:
    """Every part is told what it needs, over private sockets; only Envoy has a port."""
    layout = Layout.make(tmp_path, {})
    parts = {part.name: part for part in studio_parts(layout, 8400, {})}
    assert list(parts) == ["valkey", "jobs", "library", "inference", "looper", "runner", "envoy"]
    assert parts["envoy"].env["MUSICGEN_ADDRESS"] == "127.0.0.1:8400"
    for name in ("jobs", "library", "inference", "looper"):
        assert parts[name].env["MUSICGEN_ADDRESS"] == layout.address(name)
        assert parts[name].env["MUSICGEN_DATA_ROOT"] == str(layout.data_root)
    for name in ("jobs", "runner"):
        assert parts[name].env["MUSICGEN_REDIS_URL"] == f"unix://{layout.socket('valkey')}"
        assert parts[name].env["MUSICGEN_LOOPER_ADDRESS"] == layout.address("looper")
    assert parts["runner"].env["MUSICGEN_RUNNER_NAME"] == "local"
    ranks = [parts[name].rank for name in ("valkey", "jobs", "runner", "envoy")]
    assert ranks == [0, 1, 2, 3]
    config = (layout.data_root / "valkey" / "valkey.conf").read_text()
    assert "port 0" in config
    assert "appendfsync always" in config
    shutil.rmtree(layout.sockets)
