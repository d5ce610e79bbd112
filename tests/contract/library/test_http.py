from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.library.v1 import library_service_pb2 as pb
from musicgen.api.library.v1 import track_pb2
from musicgen.audio.codecs import Format
from services.library import library as library_module
from tests.contract.library.studio import Studio, UnixConnection, running
from tests.unit.library.sounds import samples

pytestmark = pytest.mark.contract

UPLOAD = "/v1/uploads/123e4567-e89b-42d3-a456-426614174000"


async def audio_of(studio: Studio) -> tuple[str, bytes]:
    """A registered track's audio: its path over HTTP, and its bytes on the disk."""
    track = await studio.register()
    return track.audio_path, studio.store.path(f"library/{track.track_id}/audio.flac").read_bytes()


@pytest.mark.parametrize("format", Format)
async def test_audio_whole(studio: Studio, format: Format) -> None:
    """The file as it is, with its media type, and the same headers without it for HEAD."""
    track = await studio.register(format=format)
    answer = await studio.http("GET", track.audio_path)
    assert answer.code == 200
    path = studio.store.path(f"library/{track.track_id}/audio.{format.extension}")
    assert answer.body == path.read_bytes()
    assert answer.headers["content-type"] == format.media_type
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = await studio.http("HEAD", track.audio_path)
    assert (head.code, head.body) == (200, b"")
    for name in ("content-length", "etag", "content-type", "accept-ranges"):
        assert head.headers[name] == answer.headers[name]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-", 0, None),
        ("bytes=0-0", 0, 1),
        ("bytes=4-9", 4, 10),
        ("bytes=100-99999999", 100, None),
        ("bytes=-7", -7, None),
        ("bytes=-99999999", 0, None),
    ],
)
async def test_audio_in_part(studio: Studio, asked: str, start: int, end: int | None) -> None:
    """206 with exactly the bytes asked for."""
    path, data = await audio_of(studio)
    answer = await studio.http("GET", path, headers={"Range": asked})
    assert answer.code == 206
    assert answer.body == data[start:end]
    first = start % len(data)
    assert (
        answer.headers["content-range"]
        == f"bytes {first}-{first + len(answer.body) - 1}/{len(data)}"
    )


async def test_audio_ranges_at_the_edges(studio: Studio) -> None:
    """Several ranges, none that fits, malformed ones, and If-Range."""
    path, data = await audio_of(studio)
    several = await studio.http("GET", path, headers={"Range": "bytes=0-3,-2"})
    assert several.code == 206
    assert several.headers["content-type"].startswith("multipart/byteranges")
    assert b"fLaC" in several.body
    assert data[-2:] in several.body
    beyond = await studio.http("GET", path, headers={"Range": f"bytes={len(data)}-"})
    assert beyond.code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(data)}"
    assert beyond.reason == "INVALID_FIELD"
    for ignored in ("bytes=9-5", "bytes=x", "frames=1-2", "bytes=" + "0-1," * 500 + "0-1"):
        assert (await studio.http("GET", path, headers={"Range": ignored})).code == 200
    etag = several.headers["etag"]
    for if_range, code in ((etag, 206), ('"other"', 200), (several.headers["last-modified"], 206)):
        headers = {"Range": "bytes=0-3", "If-Range": if_range}
        assert (await studio.http("GET", path, headers=headers)).code == code


async def test_an_edited_track_is_fetched_again(studio: Studio) -> None:
    """304 while nothing changed, 200 with another ETag after an edit of its tags."""
    track = await studio.register()
    before = await studio.http("GET", track.audio_path)
    assert "no-cache" in before.headers["cache-control"]
    known = {"If-None-Match": f'"x", W/{before.headers["etag"]}'}
    unchanged = await studio.http("GET", track.audio_path, headers=known)
    assert (unchanged.code, unchanged.body) == (304, b"")
    edit = track_pb2.Track(track_id=track.track_id, title="Rainy Dawn!")
    await studio.stub.UpdateTrack(pb.UpdateTrackRequest(track=edit))
    after = await studio.http("GET", track.audio_path, headers=known)
    assert after.code == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert b"Rainy Dawn!" in after.body


async def test_peaks(studio: Studio) -> None:
    """The peaks are those of the audio, and are made again when they are missing."""
    track = await studio.register()
    first = await studio.http("GET", track.peaks_path)
    assert first.headers["content-type"] == "application/json"
    content = first.json()
    mix = samples(studio.store.path("artifacts/kept/1/mix.flac")).mean(axis=1) / 2**31
    step = content["frames_per_peak"]
    expected = [
        [mix[i : i + step].min(), mix[i : i + step].max()] for i in range(0, len(mix), step)
    ]
    assert np.allclose(content["peaks"], expected, atol=6e-4)
    assert len(content["peaks"]) <= 2000
    path = studio.store.path(f"library/{track.track_id}/peaks.json")
    path.unlink()
    answers = await asyncio.gather(*(studio.http("GET", track.peaks_path) for _ in range(5)))
    assert {answer.body for answer in answers} == {first.body}
    assert path.is_file()


async def test_peaks_of_long_tracks_are_made_afterwards(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a length the registration doesn't wait; the peaks come by themselves."""
    monkeypatch.setattr(library_module, "PEAKS_AT_ONCE_S", 0.5)
    track = await studio.register()
    path = studio.store.path(f"library/{track.track_id}/peaks.json")
    async with asyncio.timeout(5):
        while not path.is_file():
            await asyncio.sleep(0.02)
    assert (await studio.http("GET", track.peaks_path)).code == 200


async def test_downloads_have_a_name(studio: Studio) -> None:
    """A committed artifact downloads under the name asked for, made safe, also with Range."""
    await studio.register()
    path = "/v1/artifacts/kept/1/mix.flac"
    data = studio.store.path("artifacts/kept/1/mix.flac").read_bytes()
    plain = await studio.http("GET", path)
    assert (plain.code, plain.body) == (200, data)
    assert plain.headers["content-disposition"] == 'attachment; filename="mix.flac"'
    assert plain.headers["content-type"] == "audio/flac"
    assert "immutable" in plain.headers["cache-control"]
    named = await studio.http("GET", path + "?name=N%C3%A4chte%2F..%0D%0AX%3A%20y.flac")
    header = named.headers["content-disposition"]
    assert header.startswith(
        "attachment; filename=\"Nachte_.. X_ y.flac\"; filename*=UTF-8''N%C3%A4chte"
    )
    part = await studio.http("GET", path, headers={"Range": "bytes=4-7"})
    assert (part.code, part.body) == (206, data[4:8])


async def test_previews_are_served_from_the_first_on(studio: Studio) -> None:
    """What a worker has stored can be played, whole and in part, while it goes on writing."""
    key = "artifacts/going-on/2/preview-0.flac"
    with studio.store.writing(key) as temporary:
        temporary.write_bytes(b"fLaC" + bytes(range(256)))
        assert (await studio.http("GET", f"/v1/{key}")).code == 404
    whole = await studio.http("GET", f"/v1/{key}")
    assert (whole.code, whole.headers["content-type"]) == (200, "audio/flac")
    assert "immutable" in whole.headers["cache-control"]
    part = await studio.http("GET", f"/v1/{key}", headers={"Range": "bytes=4-13"})
    assert (part.code, part.body) == (206, bytes(range(10)))


@pytest.mark.parametrize(
    "path",
    [
        "/v1/tracks/../../etc/audio",
        "/v1/tracks/%2e%2e%2f%2e%2e/audio",
        "/v1/tracks/..%2f..%2findex.sqlite/audio",
        "/v1/tracks/.trash/audio",
        "/v1/tracks/%00/peaks",
        "/v1/tracks/aaaaaaaaaaaaaaaa/audio",
        "/v1/tracks/aaaaaaaaaaaaaaaa/peaks",
        "/v1/artifacts/kept/1/nope.flac",
        "/v1/artifacts/kept/1/..%2f..%2f..%2fsecret",
        "/v1/artifacts/../../secret",
        "/v1/artifacts/kept/1/link.flac",
        "/v1/artifacts/kept/1/.mix.flac.part",
        "/v1/artifacts/kept/1",
        "/v1/nothing",
        "/v1/uploads/x",
    ],
)
async def test_nothing_else_is_served(studio: Studio, path: str) -> None:
    """Traversal, links out, hidden and missing files: 404 with a reason and a remedy."""
    await studio.register()
    secret = studio.folder / "secret"
    secret.write_text("secret")
    (studio.store.path("artifacts/kept/1") / "link.flac").symlink_to(secret)
    answer = await studio.http("GET", path)
    assert answer.code == 404
    assert b"secret\n" not in answer.body
    assert answer.json()["code"] == 5
    assert answer.reason in ("TRACK_NOT_FOUND", "ARTIFACT_NOT_FOUND", "ROUTE_NOT_FOUND")
    assert answer.json()["details"][0]["metadata"]["remedy"]


async def test_wrong_methods(studio: Studio) -> None:
    """A method that a path doesn't know is 405, as a status with a reason."""
    answer = await studio.http("DELETE", "/v1/tracks/aaaaaaaaaaaaaaaa/audio")
    assert answer.code == 405
    assert answer.reason == "INVALID_FIELD"


async def test_upload_in_chunks(studio: Studio) -> None:
    """308 with what arrived, 409 away from the offset, 201 when whole; it can be asked."""
    data = studio_file(studio)
    total = len(data)
    unknown = await studio.http("PUT", UPLOAD, headers={"Content-Range": f"bytes */{total}"})
    assert unknown.code == 308
    assert "range" not in unknown.headers
    first = await studio.http(
        "PUT", UPLOAD, headers={"Content-Range": f"bytes 0-999/{total}"}, body=data[:1000]
    )
    assert (first.code, first.headers["range"]) == (308, "bytes=0-999")
    gap = await studio.http(
        "PUT", UPLOAD, headers={"Content-Range": f"bytes 2000-2009/{total}"}, body=data[:10]
    )
    assert (gap.code, gap.headers["range"], gap.reason) == (409, "bytes=0-999", "EDIT_CONFLICT")
    rest = {"Content-Range": f"bytes 1000-{total - 1}/{total}"}
    done = await studio.http("PUT", UPLOAD, headers=rest, body=data[1000:])
    assert done.code == 201
    assert done.json() == {"upload_id": UPLOAD.rpartition("/")[2], "size_bytes": total}
    asked = await studio.http("PUT", UPLOAD, headers={"Content-Range": "bytes */*"})
    assert (asked.code, asked.json()) == (201, done.json())
    resolved = await studio.stub.ResolveAudio(
        pb.ResolveAudioRequest(audio=audio_pb2.AudioRef(upload_id=done.json()["upload_id"]))
    )
    assert resolved.track.artifact.audio.duration_frames == 50_017


def studio_file(studio: Studio) -> bytes:
    """A FLAC file to upload."""
    request = studio.request("source")
    return studio.store.path(request.track.artifact.key).read_bytes()


async def test_upload_goes_on_after_a_cut(studio: Studio) -> None:
    """The connection breaks in the middle of the body; what arrived counts."""
    data = os.urandom(3_000_000)

    def cut() -> None:
        connection = UnixConnection(studio.folder / "http.sock")
        connection.putrequest("PUT", UPLOAD)
        connection.putheader("Content-Length", str(len(data)))
        connection.putheader("Content-Range", f"bytes 0-{len(data) - 1}/{len(data)}")
        connection.endheaders()
        connection.send(data[:1_700_000])
        connection.close()

    await asyncio.to_thread(cut)
    ask = {"Content-Range": f"bytes */{len(data)}"}
    async with asyncio.timeout(5):
        while True:
            state = await studio.http("PUT", UPLOAD, headers=ask)
            offset = int(state.headers.get("range", "=-1").rpartition("-")[2]) + 1
            if offset == 1_700_000:
                break
            await asyncio.sleep(0.02)
    rest = {"Content-Range": f"bytes {offset}-{len(data) - 1}/{len(data)}"}
    done = await studio.http("PUT", UPLOAD, headers=rest, body=data[offset:])
    assert done.code == 201
    assert studio.store.path("uploads/" + UPLOAD.rpartition("/")[2]).read_bytes() == data


async def test_uploads_that_are_refused(studio: Studio) -> None:
    """Too large 413, no UUID 400, a range that lies 400, no space 507: with a remedy each."""
    too_large = await studio.http("PUT", UPLOAD, body=bytes(5_000_001))
    assert (too_large.code, too_large.reason) == (413, "MESSAGE_TOO_LARGE")
    for path in ("/v1/uploads/x", "/v1/uploads/..%2e", "/v1/uploads/" + "a" * 36):
        answer = await studio.http("PUT", path, body=b"x")
        assert (answer.code, answer.reason) == (400, "INVALID_FIELD")
    lie = await studio.http("PUT", UPLOAD, headers={"Content-Range": "bytes 0-9/5"}, body=b"x" * 10)
    assert lie.code == 400
    assert lie.json()["details"][-1]["field_violations"][0]["field"] == "content-range"
    assert (await studio.http("PUT", UPLOAD, body=b"")).code == 400


async def test_upload_without_space(short_tmp: Path) -> None:
    """An upload that can't fit is 507 before its body is read."""
    async with running(short_tmp, max_upload_bytes=1 << 62) as studio:
        headers = {"Content-Range": f"bytes 0-9/{1 << 59}"}
        answer = await studio.http("PUT", UPLOAD, headers=headers, body=b"x" * 10)
        assert (answer.code, answer.reason) == (507, "DISK_FULL")


async def test_a_page_where_no_frontend_is_built(studio: Studio) -> None:
    """A person who opens the studio too early is told what to do."""
    answer = await studio.http("GET", "/")
    assert answer.code == 503
    assert b"make setup" in answer.body
    assert answer.headers["content-type"].startswith("text/html")


async def test_the_frontend(short_tmp: Path) -> None:
    """The page is asked for anew each time, hashed assets are kept, the app's own
    addresses get the page, and nothing outside of the folder is served."""
    web = short_tmp / "web"
    (web / "assets").mkdir(parents=True)
    (web / "index.html").write_text("<!doctype html><title>app</title>")
    (web / "assets" / "index-Bx3kQ9_z.js").write_text("let a = 1")
    (web / "assets" / "plain.css").write_text("a {}")
    (web / "favicon.svg").write_text("<svg/>")
    (short_tmp / "secret.txt").write_text("secret")
    (web / "link.txt").symlink_to(short_tmp / "secret.txt")
    async with running(short_tmp, web_root=web) as studio:
        for path in ("/", "/tracks/abc", "/index.html", "/create?x=1"):
            page = await studio.http("GET", path)
            assert (page.code, page.body[:9]) == (200, b"<!doctype")
            assert page.headers["cache-control"] == "no-cache"
            assert "script-src 'self';" in page.headers["content-security-policy"]
            assert page.headers["x-content-type-options"] == "nosniff"
        script = await studio.http("GET", "/assets/index-Bx3kQ9_z.js")
        assert "immutable" in script.headers["cache-control"]
        assert script.headers["content-type"].startswith("text/javascript")
        for path, kind in (("/assets/plain.css", "text/css"), ("/favicon.svg", "image/svg+xml")):
            answer = await studio.http("GET", path)
            assert answer.headers["content-type"].startswith(kind)
            assert answer.headers["cache-control"] == "no-cache"
        for path in (
            "/link.txt",
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/assets/nope.js",
            "/assets/nope",
            "/.env",
            "/v1/nope",
            "/nope.png",
        ):
            answer = await studio.http("GET", path)
            assert answer.code == 404, path
            assert answer.reason == "ROUTE_NOT_FOUND"
        head = await studio.http("HEAD", "/")
        assert (head.code, head.body) == (200, b"")


async def test_errors_are_statuses(studio: Studio) -> None:
    """An error body has the shape of google.rpc.Status."""
    answer = await studio.http("GET", "/v1/tracks/aaaaaaaaaaaaaaaa/audio")
    body = json.loads(answer.body)
    assert set(body) == {"code", "message", "details"}
    kinds = [detail["@type"].rpartition(".")[2] for detail in body["details"]]
    assert kinds == ["ErrorInfo", "LocalizedMessage", "Help"]
    assert answer.headers["cache-control"] == "no-store"


async def test_files_beside_a_track_are_downloads(studio: Studio) -> None:
    """Each has the bytes that the engine made, its type, Range, and a name that says what
    of which track it is; all that leads elsewhere is 404."""
    track = await studio.register(files=True, title="Rainy/Night")
    assert [(file.label, file.media_type) for file in track.files] == [
        ("Score", "audio/midi"),
        ("Bass", "audio/flac"),
        ("Drums", "audio/flac"),
    ]
    saved = ["Rainy_Night - Score.mid", "Rainy_Night - Bass.flac", "Rainy_Night - Drums.flac"]
    for file, name in zip(track.files, saved, strict=True):
        assert file.path == f"/v1/tracks/{track.track_id}/files/{file.name}"
        answer = await studio.http("GET", file.path)
        assert (answer.code, len(answer.body)) == (200, file.size_bytes)
        assert hashlib.sha256(answer.body).hexdigest() == file.sha256
        assert answer.headers["content-type"] == file.media_type
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        part = await studio.http("GET", file.path, headers={"Range": "bytes=1-3"})
        assert (part.code, part.body) == (206, answer.body[1:4])
        assert (await studio.http("HEAD", file.path)).body == b""
    base = f"/v1/tracks/{track.track_id}/files"
    for path in (f"{base}/none.mid", f"{base}/..%2Ftrack.json", f"{base}/%2e%2e"):
        answer = await studio.http("GET", path)
        assert answer.code == 404, path
    missing = await studio.http("GET", f"/v1/tracks/{'a' * 16}/files/score.mid")
    assert (missing.code, missing.reason) == (404, "TRACK_NOT_FOUND")
