from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from musicgen.client.backoff import Backoff
from musicgen.client.transfer import Transfers
from musicgen.errors import (
    ArtifactNotFound,
    ChecksumMismatch,
    DownloadFailed,
    InvalidAudio,
    MessageTooLarge,
    ServiceUnavailable,
)
from tests.contract.client.scripted_http import ScriptedHttp

pytestmark = pytest.mark.contract

CONTENT = bytes(range(256)) * 8000  # 2 MB
PATH = "/v1/artifacts/job1/1/export.flac?name=Rainy%20Night.flac"


@pytest.fixture
def http() -> Iterator[ScriptedHttp]:
    """The HTTP side of a studio, with one file to download."""
    server = ScriptedHttp()
    server.made[PATH] = CONTENT
    server.thread.start()
    yield server
    server.shutdown()
    server.server_close()
    server.thread.join()


@pytest.fixture
def transfers(http: ScriptedHttp) -> Transfers:
    """A client of it that does not wait long."""
    return Transfers(http.url, Backoff(first_s=0.01, most_s=0.05))


class Pipe(io.BytesIO):
    """Like stdout: what is written is gone."""

    def seekable(self) -> bool:
        """Never."""
        return False


async def test_a_broken_download_goes_on_with_range(
    http: ScriptedHttp, transfers: Transfers
) -> None:
    """Each byte is fetched once, however often the connection breaks."""
    http.faults.break_downloads_at = [700_000, 1, 500_000]
    told: list[tuple[int, int]] = []
    sink = Pipe()
    await transfers.download(
        PATH, sink, size_bytes=len(CONTENT), on_bytes=lambda done, total: told.append((done, total))
    )
    assert sink.getvalue() == CONTENT
    ranges = [headers.get("Range") for _, _, headers in http.requests]
    assert ranges == [None, "bytes=700000-", "bytes=700001-", "bytes=1200001-"]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


async def test_a_file_that_changed_meanwhile_starts_over(
    http: ScriptedHttp, transfers: Transfers, tmp_path: Path
) -> None:
    """Two versions are never spliced together."""
    http.faults.break_downloads_at = [700_000]
    http.faults.new_etag_each_time = True
    with (tmp_path / "file").open("w+b") as sink:
        await transfers.download(PATH, sink)
    assert (tmp_path / "file").read_bytes() == CONTENT


async def test_a_pipe_can_not_start_over(http: ScriptedHttp, transfers: Transfers) -> None:
    """What was written to a pipe can't be taken back, so that is an error."""
    http.faults.break_downloads_at = [700_000]
    http.faults.new_etag_each_time = True
    with pytest.raises(DownloadFailed):
        await transfers.download(PATH, Pipe())


async def test_a_wrong_checksum_is_an_error(transfers: Transfers) -> None:
    """Bytes are checked against what the job promised."""
    with pytest.raises(ChecksumMismatch):
        await transfers.download(PATH, io.BytesIO(), sha256="0" * 64)


async def test_a_missing_file_says_so_at_once(http: ScriptedHttp, transfers: Transfers) -> None:
    """A refusal is not repeated."""
    with pytest.raises(ArtifactNotFound):
        await transfers.download("/v1/artifacts/nonesuch", io.BytesIO())
    assert len(http.requests) == 1


async def test_unavailable_is_tried_again(http: ScriptedHttp, transfers: Transfers) -> None:
    """A service that is just starting is waited for, but not for ever."""
    http.faults.unavailable = 2
    await transfers.download(PATH, io.BytesIO())
    http.faults.unavailable = 99
    with pytest.raises(ServiceUnavailable):
        await transfers.download(PATH, io.BytesIO())


async def test_a_connection_that_never_brings_anything_fails(
    http: ScriptedHttp, transfers: Transfers
) -> None:
    """Some attempts without one byte are enough."""
    http.faults.break_downloads_at = [0] * 20
    with pytest.raises(DownloadFailed):
        await transfers.download(PATH, io.BytesIO())


async def test_a_cancelled_download_ends_at_once(http: ScriptedHttp, transfers: Transfers) -> None:
    """The thread behind it does not outlive the caller's interest."""
    http.faults.pause_s = 20.0
    downloading = asyncio.create_task(transfers.download(PATH, io.BytesIO()))
    await asyncio.sleep(0.2)
    started_s = time.monotonic()
    downloading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await downloading
    assert time.monotonic() - started_s < 1


async def test_a_broken_upload_goes_on_where_it_was(
    http: ScriptedHttp, transfers: Transfers, tmp_path: Path
) -> None:
    """The studio is asked how much has arrived, and only the rest is sent."""
    file = tmp_path / "take.wav"
    file.write_bytes(CONTENT)
    http.faults.break_uploads_at = [600_000, 300_000]
    await transfers.upload("/v1/uploads/one", file)
    assert bytes(http.uploads["one"]) == CONTENT
    sent = [headers["Content-Range"] for _, _, headers in http.requests]
    total = len(CONTENT)
    assert sent == [
        f"bytes 0-{total - 1}/{total}",
        f"bytes */{total}",
        f"bytes 600000-{total - 1}/{total}",
        f"bytes */{total}",
        f"bytes 900000-{total - 1}/{total}",
    ]


async def test_an_upload_too_large_says_so(
    http: ScriptedHttp, transfers: Transfers, tmp_path: Path
) -> None:
    """The refusal is read although the studio closes while the file is still being sent."""
    file = tmp_path / "take.wav"
    file.write_bytes(CONTENT * 4)
    http.faults.largest_upload_bytes = 1000
    with pytest.raises(MessageTooLarge):
        await transfers.upload("/v1/uploads/one", file)


async def test_an_empty_file_is_no_audio(transfers: Transfers, tmp_path: Path) -> None:
    """It is refused here, in words."""
    (tmp_path / "take.wav").touch()
    with pytest.raises(InvalidAudio):
        await transfers.upload("/v1/uploads/one", tmp_path / "take.wav")


async def test_no_studio_is_unavailable(tmp_path: Path) -> None:
    """Nothing listens there."""
    (tmp_path / "take.wav").write_bytes(b"x")
    nowhere = Transfers("http://127.0.0.1:9", Backoff(first_s=0.01, most_s=0.01))
    with pytest.raises(ServiceUnavailable):
        await nowhere.upload("/v1/uploads/one", tmp_path / "take.wav")
