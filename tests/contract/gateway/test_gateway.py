from __future__ import annotations

import gzip
import http.client
import itertools
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gateway.__main__ import command, find_envoy, is_ready, write
from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import inference_service_pb2
from musicgen.api.jobs.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from musicgen.api.library.v1 import library_service_pb2, library_service_pb2_grpc
from musicgen.errors import (
    InvalidPrompt,
    MessageTooLarge,
    RouteNotFound,
    ServiceUnavailable,
    WatchCursorCompacted,
)
from musicgen.rpc.status import from_rpc_error
from tests.contract.gateway.clients import call, grpc_web, grpc_web_frames
from tests.contract.gateway.conftest import Gateway, free_port, settings_in

pytestmark = pytest.mark.contract

JOBS = "/musicgen.api.jobs.v1.JobService/"
PAGE = "http://localhost:5173"


def spec(prompt: str) -> job_pb2.JobSpec:
    """A generate job."""
    parameters = engine_pb2.GenerationParameters(prompt=prompt)
    return job_pb2.JobSpec(generate=inference_service_pb2.GenerateSpec(parameters=parameters))


# ---- REST ------------------------------------------------------------------------------


def test_rest_create_answers_with_the_job_itself(gateway: Gateway) -> None:
    """POST /v1/jobs answers with the Job, unwrapped, in lowerCamelCase."""
    body = json.dumps({"spec": {"generate": {"parameters": {"prompt": "Regen – 雨"}}}}).encode()
    answer = call(gateway.port, "POST", "/v1/jobs", body)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["jobId"] == "made"
    assert answer.json["state"] == "STATE_QUEUED"
    assert answer.json["spec"]["generate"]["parameters"]["prompt"] == "Regen – 雨"
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_rest_paths_verbs_and_queries(gateway: Gateway) -> None:
    """GET, POST with a verb, DELETE and query parameters reach their methods."""
    assert call(gateway.port, "GET", "/v1/jobs/abc").json["jobId"] == "abc"
    assert call(gateway.port, "POST", "/v1/jobs/abc:cancel", b"{}").json["state"] == (
        "STATE_CANCELLING"
    )
    assert call(gateway.port, "DELETE", "/v1/jobs/abc").json == {}
    assert len(call(gateway.port, "GET", "/v1/jobs?pageSize=3").json["jobs"]) == 3
    engines = call(gateway.port, "GET", "/v1/engines").json["engines"]
    assert engines[0]["manifest"]["name"] == "composer"


def test_rest_patch_derives_the_mask_from_the_body(gateway: Gateway) -> None:
    """PATCH changes the fields that the body names, and those only."""
    answer = call(gateway.port, "PATCH", "/v1/tracks/t1", b'{"title": "Rain", "year": 2024}')
    assert answer.json["trackId"] == "t1"
    assert answer.json["title"] == "Rain"
    assert answer.json["album"] == "title,year"
    tricky = b'{"title": "a \\" : { b", "etag": "e", "tags": ["x", "y:"], "genre": ""}'
    answer = call(gateway.port, "PATCH", "/v1/tracks/t1", tricky)
    assert answer.json["album"] == "title,tags,genre"
    answer = call(gateway.port, "PATCH", "/v1/tracks/t1?updateMask=genre", b'{"title": "Rain"}')
    assert answer.json["album"] == "genre"


def test_rest_prints_false_and_zero(gateway: Gateway) -> None:
    """A part that does not serve says so, instead of saying nothing."""
    part = call(gateway.port, "GET", "/v1/health").json["components"][0]
    assert part["serving"] is False


def test_rest_error_has_status_and_details(gateway: Gateway) -> None:
    """An error of a service arrives as google.rpc.Status with reason and remedy."""
    answer = call(gateway.port, "POST", "/v1/jobs", b"{}")
    assert answer.status == 400
    assert answer.json["code"] == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert answer.reason == "INVALID_PROMPT"
    assert answer.info["metadata"]["remedy"]
    kinds = {detail["@type"].rpartition(".")[2] for detail in answer.json["details"]}
    assert kinds == {"ErrorInfo", "LocalizedMessage", "Help", "BadRequest"}
    missing = call(gateway.port, "GET", "/v1/jobs/missing")
    assert (missing.status, missing.reason) == (404, "JOB_NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b'{"spec": {"generate": {"parameters": {"prompt": "\xff\xfe"}}}}', "UTF-8"),
        (b'{"spec": ', ""),
        (b'{"spec": {"generate": {"parameters": {"seed": "x"}}}}', "seed"),
    ],
    ids=["broken UTF-8", "broken JSON", "wrong type"],
)
def test_bad_json_is_refused_with_its_cause(gateway: Gateway, body: bytes, cause: str) -> None:
    """What can't be read is INVALID_ARGUMENT, never a defect."""
    answer = call(gateway.port, "POST", "/v1/jobs", body)
    assert (answer.status, answer.reason) == (400, "MALFORMED_MESSAGE")
    assert cause in answer.info["metadata"].get("cause", cause)
    assert answer.info["metadata"]["remedy"]


def test_unknown_paths_and_queries_are_refused(gateway: Gateway) -> None:
    """A misspelt path or parameter is an error, not silently something else."""
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/jobs", 404),
        ("GET", "/v1/jobs?pagesize=3", 400),
        ("POST", "/musicgen.api.jobs.v1.JobService/CreateJob", 404),
    ):
        answer = call(gateway.port, method, path, b"{}" if method != "GET" else None)
        assert answer.status == status, (path, answer.body)
        assert answer.info["metadata"]["remedy"]


def test_oversize_json_is_413_with_remedy(gateway: Gateway) -> None:
    """More than 4 MiB is MESSAGE_TOO_LARGE over REST."""
    body = json.dumps({"requestId": "x" * (5 << 20)}).encode()
    answer = call(gateway.port, "POST", "/v1/jobs", body)
    assert (answer.status, answer.reason) == (413, "MESSAGE_TOO_LARGE")
    assert "uploads" in answer.info["metadata"]["remedy"]


# ---- server-sent events ----------------------------------------------------------------


def test_sse_arrives_live(gateway: Gateway) -> None:
    """GET /v1/jobs:watch is an event stream; each frame comes when it is sent."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    started = time.monotonic()
    connection.request("GET", "/v1/jobs:watch?filter.jobIds=a", headers={"accept-encoding": "gzip"})
    response = connection.getresponse()
    assert response.getheader("content-type") == "text/event-stream"
    assert response.getheader("content-encoding") is None
    frames, arrivals = [], []
    while line := response.readline():
        if line.startswith(b"data: "):
            frames.append(json.loads(line.removeprefix(b"data: ")))
            arrivals.append(time.monotonic() - started)
    connection.close()
    assert [frame["cursor"] for frame in frames] == ["0", "1", "2", "3", "4"]
    job = frames[0]["snapshot"]["jobs"][0]
    assert job["jobId"] == "a"
    assert job["previews"][0]["startFrame"] == "44100"
    assert job["previews"][0]["artifact"]["key"] == "artifacts/a/1/preview-1.flac"
    assert arrivals[0] < 0.2
    gaps = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
    assert min(gaps) > 0.1


def test_sse_error_is_json(gateway: Gateway) -> None:
    """A watch that can't start answers with the status, not with an empty stream."""
    answer = call(gateway.port, "GET", "/v1/jobs:watch?cursor=old")
    assert (answer.status, answer.reason) == (400, "WATCH_CURSOR_COMPACTED")


# ---- gRPC-Web --------------------------------------------------------------------------


def test_grpc_web_unary(gateway: Gateway) -> None:
    """A browser's unary call is answered, and the page may read the status."""
    request = job_service_pb2.CreateJobRequest(spec=spec("rain"))
    ended = grpc_web(gateway.port, JOBS + "CreateJob", request, origin=PAGE)
    assert ended.status == 0
    made = job_service_pb2.CreateJobResponse.FromString(ended.messages[0])
    assert made.job.job_id == "made"
    assert ended.headers["access-control-allow-origin"] == PAGE
    assert "grpc-status-details-bin" in ended.headers["access-control-expose-headers"]


def test_grpc_web_error_keeps_its_details(gateway: Gateway) -> None:
    """Reason and remedy reach the page."""
    ended = grpc_web(gateway.port, JOBS + "CreateJob", job_service_pb2.CreateJobRequest())
    assert ended.status == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert len(ended.details.details) == 4


def test_grpc_web_stream_is_live_and_not_compressed(gateway: Gateway) -> None:
    """Each frame of a watch comes when it is sent."""
    started, arrivals = time.monotonic(), []
    for flags, payload, headers in grpc_web_frames(
        gateway.port, JOBS + "WatchJobs", job_service_pb2.WatchJobsRequest()
    ):
        assert "content-encoding" not in headers
        if not flags:
            job_service_pb2.WatchJobsResponse.FromString(payload)
            arrivals.append(time.monotonic() - started)
    assert len(arrivals) == 5
    assert arrivals[0] < 0.2
    assert arrivals[-1] > 0.9


def test_grpc_web_oversize_names_the_reason(gateway: Gateway) -> None:
    """More than 4 MiB is MESSAGE_TOO_LARGE in a form that the page's client reads."""
    ended = grpc_web(gateway.port, JOBS + "CreateJob", b"x" * (5 << 20))
    assert ended.status == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert b"MESSAGE_TOO_LARGE" in ended.details.SerializeToString()


# ---- native gRPC -----------------------------------------------------------------------


def test_native_grpc_on_the_same_port(gateway: Gateway) -> None:
    """The SDK's calls, streams, errors, health and reflection all pass."""
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        jobs = job_service_pb2_grpc.JobServiceStub(channel)
        made = jobs.CreateJob(job_service_pb2.CreateJobRequest(spec=spec("rain")))
        assert made.job.job_id == "made"
        assert len(list(jobs.WatchJobs(job_service_pb2.WatchJobsRequest()))) == 5
        with pytest.raises(grpc.RpcError) as caught:
            jobs.CreateJob(job_service_pb2.CreateJobRequest())
        error = from_rpc_error(caught.value)
        assert isinstance(error, InvalidPrompt)
        assert error.fields == {"spec.generate": "say something"}
        with pytest.raises(grpc.RpcError) as caught:
            list(jobs.WatchJobs(job_service_pb2.WatchJobsRequest(cursor="old")))
        assert isinstance(from_rpc_error(caught.value), WatchCursorCompacted)
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([asked]), timeout=5
        )
        names = [service.name for service in next(answers).list_services_response.service]
        assert "musicgen.api.jobs.v1.JobService" in names


def test_native_grpc_oversize(gateway: Gateway) -> None:
    """The SDK sees MessageTooLarge with its remedy."""
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        request = job_service_pb2.CreateJobRequest(request_id="x" * (5 << 20))
        with pytest.raises(grpc.RpcError) as caught:
            job_service_pb2_grpc.JobServiceStub(channel).CreateJob(request, timeout=10)
    error = from_rpc_error(caught.value)
    assert isinstance(error, MessageTooLarge)
    assert error.remedy


def test_what_runners_use_is_not_exposed(gateway: Gateway) -> None:
    """RegisterTrack and the like don't exist outside."""
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        library = library_service_pb2_grpc.LibraryServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            library.RegisterTrack(library_service_pb2.RegisterTrackRequest(), timeout=5)
    assert isinstance(from_rpc_error(caught.value), RouteNotFound)
    for path in (
        "/musicgen.api.inference.v1.InferenceService/Generate",
        "/musicgen.api.looper.v1.LooperService/RenderLoop",
        "/musicgen.api.engine.v1.EngineService/Generate",
    ):
        assert grpc_web(gateway.port, path, b"").status == grpc.StatusCode.NOT_FOUND.value[0]


# ---- who may call ----------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://localhost:5173.evil.test"])
def test_foreign_origins_are_refused(gateway: Gateway, origin: str) -> None:
    """Another site's page can do nothing, not even blindly."""
    for method, path in (("POST", "/v1/jobs"), ("GET", "/v1/jobs"), ("GET", "/")):
        answer = call(gateway.port, method, path, headers={"origin": origin})
        assert (answer.status, answer.reason) == (403, "FORBIDDEN")
        assert "access-control-allow-origin" not in answer.headers
    refused = grpc_web(gateway.port, JOBS + "ListJobs", b"", origin=origin)
    assert refused.status == grpc.StatusCode.PERMISSION_DENIED.value[0]


def test_own_and_allowed_origins_pass(gateway: Gateway) -> None:
    """The studio's own page and those named in the settings may call."""
    for origin in (PAGE, f"http://127.0.0.1:{gateway.port}", f"http://localhost:{gateway.port}"):
        answer = call(gateway.port, "GET", "/v1/jobs", headers={"origin": origin})
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == origin


def test_embedding_by_another_site_is_refused_but_links_work(gateway: Gateway) -> None:
    """Another site can link to the studio, but not load its audio or streams."""
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert call(gateway.port, "GET", "/v1/tracks/t/audio", headers=embedded).status == 403
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert call(gateway.port, "GET", "/", headers=link).status == 200


def test_preflight(gateway: Gateway) -> None:
    """A preflight of an allowed page passes, another one does not."""
    asked = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-grpc-web",
    }
    path = JOBS + "CreateJob"
    passed = call(gateway.port, "OPTIONS", path, headers={"origin": PAGE, **asked})
    assert passed.status == 200
    assert passed.headers["access-control-allow-origin"] == PAGE
    assert "x-grpc-web" in passed.headers["access-control-allow-headers"]
    refused = call(gateway.port, "OPTIONS", path, headers={"origin": "http://evil.test", **asked})
    assert refused.status == 403


@pytest.mark.parametrize("host", ["evil.test", "evil.test:80", "10.0.0.1", "localhost.evil.test"])
def test_foreign_hosts_are_refused(gateway: Gateway, host: str) -> None:
    """A name that was made to point here (DNS rebinding) reaches nothing."""
    for path in ("/", "/v1/jobs", JOBS + "CreateJob"):
        answer = call(gateway.port, "GET", path, headers={"host": host})
        assert (answer.status, answer.reason) == (421, "FORBIDDEN")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9", "127.0.0.1:8400", "[::1]:8400", "studio.test"]
)
def test_own_hosts_are_served(gateway: Gateway, host: str) -> None:
    """Loopback names with any port, and names from the settings, are served."""
    assert call(gateway.port, "GET", "/v1/jobs", headers={"host": host}).status == 200


def test_api_key_and_rate_limit(guarded_gateway: Gateway) -> None:
    """With a key set the API wants it, in a header or cookie; the page loads without it.
    Too many requests get 429 with a remedy."""
    port, key = guarded_gateway.port, "a-key-of-16-characters"
    refused = call(port, "GET", "/v1/jobs", headers={"x-api-key": key[:-1] + "x"})
    assert (refused.status, refused.reason) == (401, "UNAUTHENTICATED")
    assert call(port, "GET", "/v1/jobs").status == 401
    for headers in (
        {"authorization": f"Bearer {key}"},
        {"x-api-key": key},
        {"cookie": f"a=b; musicgen_key={key}"},
    ):
        assert call(port, "GET", "/v1/jobs", headers=headers).status == 200
    assert call(port, "GET", "/").status == 200
    answers = [call(port, "GET", "/") for _ in range(20)]
    limited = next(answer for answer in answers if answer.status == 429)
    assert limited.reason == "RATE_LIMITED"
    assert limited.headers["retry-after"] == "1"


# ---- bytes -----------------------------------------------------------------------------


def test_range_requests_pass(gateway: Gateway) -> None:
    """Audio answers Range with 206 and the right bytes, uncompressed."""
    answer = call(
        gateway.port,
        "GET",
        "/v1/tracks/t/audio",
        headers={"range": "bytes=256-511", "accept-encoding": "gzip"},
    )
    assert answer.status == 206
    assert answer.body == bytes(range(256))
    assert answer.headers["content-range"] == "bytes 256-511/102400"


def test_files_beside_a_track_pass(gateway: Gateway) -> None:
    """They come from the library's HTTP side; the folder itself is no path."""
    answer = call(gateway.port, "GET", "/v1/tracks/t/files/stem-drums.flac")
    assert (answer.status, len(answer.json["peaks"])) == (200, 2000)
    assert call(gateway.port, "GET", "/v1/tracks/t/files").status == 404


def test_uploads_stream_through(gateway: Gateway) -> None:
    """An upload larger than any message passes, and its first bytes arrive before its end."""
    answer = call(gateway.port, "PUT", "/v1/uploads/u1", b"x" * (9 << 20))
    assert answer.json == {"size_bytes": 9 << 20}
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(
            b"PUT /v1/uploads/first HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n"
            + b"y" * 1000
        )
        early = b""
        while not early.endswith(b"}"):
            early += (chunk := connection.recv(4096))
            assert chunk, early
        assert b'{"first":' in early


def test_uploads_over_two_gibibytes_are_refused_at_once(gateway: Gateway) -> None:
    """The size that is announced decides; no byte needs to be sent."""
    size = {"content-length": str(2 * 1024**3 + 1)}
    answer = call(gateway.port, "PUT", "/v1/uploads/u1", headers=size)
    assert (answer.status, answer.reason) == (413, "MESSAGE_TOO_LARGE")


def test_pages_and_json_are_compressed(gateway: Gateway) -> None:
    """What is text and large travels as gzip, if the client likes it."""
    for path in ("/", "/v1/jobs?pageSize=200"):
        answer = call(gateway.port, "GET", path, headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip", path
        assert len(gzip.decompress(answer.body)) > len(answer.body)


# ---- failures --------------------------------------------------------------------------


def test_services_down_is_503_with_remedy(lonely_gateway: Gateway) -> None:
    """Every kind of client is told what to do when a service is down."""
    port = lonely_gateway.port
    for path in ("/v1/jobs", "/", "/v1/tracks/t/audio"):
        answer = call(port, "GET", path)
        assert (answer.status, answer.reason) == (503, "SERVICE_UNAVAILABLE")
        assert "doctor" in answer.info["metadata"]["remedy"]
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    with channel, pytest.raises(grpc.RpcError) as caught:
        job_service_pb2_grpc.JobServiceStub(channel).ListJobs(
            job_service_pb2.ListJobsRequest(), timeout=10
        )
    error = from_rpc_error(caught.value)
    assert isinstance(error, ServiceUnavailable)
    assert error.retry_after_s == 1


def test_a_taken_port_is_not_shared(gateway: Gateway, tmp_path: Path) -> None:
    """A second gateway on the same port ends with an error."""
    config = tmp_path / "envoy.json"
    write(settings_in(tmp_path, gateway.port), config)
    binary = find_envoy()
    assert binary is not None
    second = subprocess.run(
        command(binary, config, threads=1), capture_output=True, text=True, check=False, timeout=20
    )
    assert second.returncode != 0
    assert "Address already in use" in second.stdout + second.stderr


def test_admin_is_a_private_socket(gateway: Gateway) -> None:
    """Metrics are on a Unix socket that only this user can open; nothing else listens."""
    assert gateway.admin_socket.stat().st_mode & 0o777 == 0o600
    assert is_ready(gateway.admin_socket)
    assert not is_ready(gateway.folder / "nobody.sock")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(gateway.admin_socket))
        connection.sendall(
            b"GET /stats/prometheus HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert b"envoy_cluster_upstream_rq_total" in answer


def test_container_form_is_valid(tmp_path: Path) -> None:
    """The same template with host names, every interface and a key is valid."""
    environment = {
        "MUSICGEN_ADDRESS": f"0.0.0.0:{free_port()}",
        "MUSICGEN_JOBS_ADDRESS": "jobs:50051",
        "MUSICGEN_LIBRARY_ADDRESS": "library:50051",
        "MUSICGEN_LIBRARY_HTTP_ADDRESS": "library:8080",
        "MUSICGEN_INFERENCE_ADDRESS": "inference:50051",
        "MUSICGEN_ADMIN_SOCKET": str(tmp_path / "admin.sock"),
        "MUSICGEN_API_KEY": "0123456789abcdef",
    }
    out = tmp_path / "envoy.json"
    subprocess.run(
        [sys.executable, "-m", "gateway", "render", "--out", out], env=environment, check=True
    )
    binary = find_envoy()
    checked = subprocess.run(
        [str(binary), "--mode", "validate", "-c", str(out), "--log-level", "warning"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "[warning]" not in checked.stderr + checked.stdout
    assert out.stat().st_mode & 0o777 == 0o600


# ---- Hostile headers -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("grpc-timeout", "soon", 400),
        ("grpc-timeout", "-1m", 400),
        ("grpc-encoding", "nonsense", 400),
        ("grpc-previous-rpc-attempts", "many", 200),
        ("grpc-trace-bin", "!!!", 200),
    ],
)
def test_a_malformed_grpc_header_harms_no_other_call(
    gateway: Gateway, name: str, value: str, status: int
) -> None:
    """It is refused or dropped; a later call with a good one isn't made to fail by it."""
    answer = call(gateway.port, "GET", "/v1/jobs?pageSize=1", headers={name: value})
    assert answer.status == status, answer.body
    if status == 400:
        assert answer.reason == "MALFORMED_MESSAGE"
        assert name in answer.info["metadata"]["cause"]
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        request = job_service_pb2.ListJobsRequest(page_size=1)
        for _ in range(3):
            answered = stub.ListJobs(
                request,
                timeout=10,
                compression=grpc.Compression.Gzip,
                metadata=(("grpc-trace-bin", b"a"),),
            )
            assert len(answered.jobs) == 1


def test_long_urls_reach_the_service(gateway: Gateway) -> None:
    """What the gateway lets pass is not refused behind it; more is MESSAGE_TOO_LARGE."""
    for _ in range(5):
        long = call(gateway.port, "GET", f"/v1/jobs/{'a' * 40_000}")
        assert (long.status, len(long.json["jobId"])) == (200, 40_000)
    longer = call(gateway.port, "GET", f"/v1/jobs/{'a' * 80_000}")
    assert (longer.status, longer.reason) == (431, "MESSAGE_TOO_LARGE")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /v1/health HTTP/1.0\r\n\r\n", b"426"),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n", b"501"),
    ],
    ids=["HTTP/1.0", "unknown transfer encoding"],
)
def test_other_forms_of_http_are_refused_with_remedy(
    gateway: Gateway, head: bytes, status: bytes
) -> None:
    """Also what the gateway's codec refuses has the one shape of errors."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 " + status)
    found = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert found["details"][0]["reason"] == "MALFORMED_MESSAGE"


def test_grpc_to_a_path_of_the_page_is_not_found(gateway: Gateway) -> None:
    """A gRPC client that errs gets a status with details, not the page's refusal."""
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/some.Service/Method"
        )
        with pytest.raises(grpc.RpcError) as refused:
            method(b"", timeout=10)
    assert isinstance(from_rpc_error(refused.value), RouteNotFound)
