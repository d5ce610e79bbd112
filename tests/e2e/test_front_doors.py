"""Bad input on every front door: a reason and a remedy, and nothing dies."""

from __future__ import annotations

import json
import struct
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest

from musicgen.api.jobs.v1 import job_service_pb2
from musicgen.rpc.status import from_rpc_error
from tests.e2e.studio import Studio

pytestmark = pytest.mark.e2e


def spec(**parameters: Any) -> dict[str, Any]:
    """Return a generate spec as JSON."""
    engine = parameters.pop("engine", "composer")
    return {"generate": {"engine": engine, "parameters": {"prompt": "calm"} | parameters}}


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("empty prompt", spec(prompt=""), "INVALID_PROMPT"),
    ("long prompt", spec(prompt="x" * 10_000), "INVALID_PROMPT"),
    ("negative length", spec(durationSeconds=-1), "INVALID_FIELD"),
    ("11 h", spec(durationSeconds=39_600), "INVALID_FIELD"),
    ("not a number", spec(durationSeconds="NaN"), "INVALID_FIELD"),
    ("unknown engine", spec(engine="nobody"), "MODEL_NOT_FOUND"),
    ("11 h loop", {"loop": {"source": {"trackId": "x"}, "lengthSeconds": 39_600}}, "INVALID_FIELD"),
    (
        "loop of nothing",
        {"loop": {"source": {"trackId": "x"}, "lengthSeconds": 60}},
        "TRACK_NOT_FOUND",
    ),
    ("loop without end", {"loop": {"source": {"trackId": "x"}}}, "INVALID_FIELD"),
    (
        "fade of an hour",
        {
            "loop": {
                "source": {"trackId": "x"},
                "cycles": 9,
                "ending": "ENDING_FADE",
                "fadeSeconds": 3600,
            }
        },
        "INVALID_FIELD",
    ),
    (
        "tail of no points",
        {"loop": {"source": {"trackId": "x"}, "cycles": 9, "foldTail": True}},
        "INVALID_FIELD",
    ),
    ("loops of nothing", {"findLoops": {"source": {"trackId": "x"}}}, "TRACK_NOT_FOUND"),
    (
        "nine loops",
        {"findLoops": {"source": {"trackId": "x"}, "maxCandidates": 9}},
        "INVALID_FIELD",
    ),
    ("export of nothing", {"export": {"trackId": "x"}}, "TRACK_NOT_FOUND"),
    ("no kind", {}, "INVALID_FIELD"),
]
NAMES = [name for name, _, _ in BAD]


def request_message(body: dict[str, Any]) -> bytes:
    """Return the request as protobuf."""
    from google.protobuf import json_format  # noqa: PLC0415 - beside its one use

    message = job_service_pb2.CreateJobRequest()
    json_format.ParseDict({"spec": body}, message)
    return message.SerializeToString()


def http(studio: Studio, path: str, data: bytes, content_type: str) -> tuple[int, bytes, Any]:
    """POST bytes; return status, body and headers."""
    request = urllib.request.Request(  # noqa: S310 - our own address
        studio.url + path, data, {"content-type": content_type}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own address
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def reason_of(body: bytes) -> tuple[str, str]:
    """Return reason and remedy of a google.rpc.Status in JSON."""
    details = json.loads(body)["details"]
    info = next(detail for detail in details if "reason" in detail)
    return info["reason"], info["metadata"]["remedy"]


@pytest.mark.parametrize(("name", "body", "reason"), BAD, ids=NAMES)
def test_rest(shared_studio: Studio, name: str, body: dict[str, Any], reason: str) -> None:  # noqa: ARG001 - names the case
    """REST answers a 4xx with reason and remedy in JSON."""
    data = json.dumps({"spec": body}).encode()
    status, answer, _ = http(shared_studio, "/v1/jobs", data, "application/json")
    assert 400 <= status < 500
    assert reason_of(answer)[0] == reason
    assert reason_of(answer)[1]


@pytest.mark.parametrize(("name", "body", "reason"), BAD, ids=NAMES)
def test_grpc(shared_studio: Studio, name: str, body: dict[str, Any], reason: str) -> None:  # noqa: ARG001 - names the case
    """Native gRPC answers a status with reason and remedy."""
    with grpc.insecure_channel(
        shared_studio.address, options=[("grpc.enable_http_proxy", 0)]
    ) as channel:
        call: Any = channel.unary_unary("/musicgen.api.jobs.v1.JobService/CreateJob")
        with pytest.raises(grpc.RpcError) as caught:
            call(request_message(body), timeout=20)
    error = from_rpc_error(caught.value)
    assert (error.reason, bool(error.remedy)) == (reason, True)


@pytest.mark.parametrize(("name", "body", "reason"), BAD, ids=NAMES)
def test_grpc_web(shared_studio: Studio, name: str, body: dict[str, Any], reason: str) -> None:  # noqa: ARG001 - names the case
    """gRPC-Web answers a status whose details name the reason."""
    message = request_message(body)
    frame = struct.pack(">BI", 0, len(message)) + message
    path = "/musicgen.api.jobs.v1.JobService/CreateJob"
    _, answer, headers = http(shared_studio, path, frame, "application/grpc-web+proto")
    # The status is in the headers or, after them, in a trailer frame.
    details = headers.get("grpc-status-details-bin") or answer.decode("latin-1")
    assert headers.get("grpc-status") != "0"
    assert "grpc-status-details-bin" in details or headers.get("grpc-status-details-bin")
    import base64  # noqa: PLC0415 - beside its one use

    encoded = details.partition("grpc-status-details-bin:")[2].split("\r\n")[0].strip() or details
    assert reason.encode() in base64.b64decode(encoded + "=" * (-len(encoded) % 4))


@pytest.mark.parametrize(
    ("arguments", "reason", "code"),
    [
        (["generate", ""], "INVALID_PROMPT", 2),
        (["generate", "x" * 10_000], "INVALID_PROMPT", 2),
        (["generate", "calm", "--duration", "-1"], "INVALID_FIELD", 2),
        (["generate", "calm", "--duration", "39600"], "INVALID_FIELD", 2),
        (["generate", "calm", "--engine", "nobody"], "MODEL_NOT_FOUND", 3),
        (["loop", "nothing", "--length", "1m"], "TRACK_NOT_FOUND", 3),
        (["export", "nothing"], "TRACK_NOT_FOUND", 3),
    ],
)
def test_cli(
    shared_studio: Studio, tmp_path: Path, arguments: list[str], reason: str, code: int
) -> None:
    """The command line says reason and remedy, with the exit code it documents."""
    target = tmp_path / "x.flac"
    done = shared_studio.cli(*arguments, "--json", "-o", str(target))
    assert done.returncode == code, done.stderr
    assert reason in done.stderr
    assert "remedy" in done.stderr
    assert "Traceback" not in done.stderr
    assert not target.exists()


def test_garbage_audio(shared_studio: Studio, tmp_path: Path) -> None:
    """A file that is no audio is refused as such."""
    garbage = tmp_path / "garbage.wav"
    garbage.write_bytes(b"RIFF" + b"\x00" * 5000)
    done = shared_studio.cli(
        "loop", str(garbage), "--length", "1m", "--json", "-o", str(tmp_path / "x.flac")
    )
    assert done.returncode == 2, done.stderr
    assert "INVALID_AUDIO" in done.stderr


def test_broken_bytes(shared_studio: Studio) -> None:
    """Broken UTF-8 and an oversize message are refused on gRPC and REST; health stays."""
    with grpc.insecure_channel(
        shared_studio.address, options=[("grpc.enable_http_proxy", 0)]
    ) as channel:
        call: Any = channel.unary_unary("/musicgen.api.jobs.v1.JobService/CreateJob")
        for data, reason in (
            (bytes([0x12, 2, 0xC3, 0x28]), "MALFORMED_MESSAGE"),
            (b"\x00" * (5 << 20), "MESSAGE_TOO_LARGE"),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                call(data, timeout=20)
            assert from_rpc_error(caught.value).reason == reason
    status, _, _ = http(shared_studio, "/v1/jobs", b'{"requestId": "\xc3\x28"}', "application/json")
    assert status == 400
    status, answer, _ = http(shared_studio, "/v1/jobs", b" " * (5 << 20), "application/json")
    assert (status, reason_of(answer)[0]) == (413, "MESSAGE_TOO_LARGE")
    assert shared_studio.health()["status"] == "STATUS_SERVING"
