from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.studio import Studio, studio
from tests.hub import WEIGHTS_BYTES, Place, open_place

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A hub with models."""
    folder = Path(tempfile.mkdtemp(prefix="mg-hub-"))
    with open_place(folder) as opened:
        yield opened
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def connected(place: Place) -> Iterator[Studio]:
    """A studio that knows this hub and its models."""
    told = {k: v for k, v in place.environment().items() if k.startswith(("HF_", "MUSICGEN_"))}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**told, "MUSICGEN_MODELS_FILE": str(place.models_file)}.items():
            patch.setenv(name, value)
        data = place.folder / "data"
        data.mkdir()
        with studio(data) as running:
            yield running


def cli(running: Studio, *arguments: str) -> tuple[int, Any, Any]:
    """Run a command; return its exit code and the JSON that it printed, and its error."""
    done = subprocess.run(
        [sys.executable, "-m", "musicgen.cli", *arguments, "--json"],
        env=os.environ | {"MUSICGEN_GATEWAY": running.address},
        capture_output=True,
        text=True,
        check=False,
    )
    said = json.loads(done.stdout) if done.stdout else None
    return done.returncode, said, json.loads(done.stderr)["error"] if done.stderr else None


def post(running: Studio, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Post JSON; return the answer, also of a refusal."""
    request = urllib.request.Request(  # noqa: S310  # our own address
        running.url + path,
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # the same
            return json.load(answer)  # type: ignore[no-any-return]  # JSON
    except urllib.error.HTTPError as refused:
        return json.load(refused)  # type: ignore[no-any-return]  # JSON


def test_install_verify_remove(connected: Studio, place: Place) -> None:
    """The command line installs a model through a job, with what it needs; verifies it, finds
    what was damaged, brings that again, and removes it."""
    code, said, _ = cli(connected, "models", "install", "big")
    assert code == 0
    assert (said["job"]["kind"], said["job"]["model"]["state"]) == ("install_model", "installed")
    listed = cli(connected, "models", "list")[1]["models"]
    assert {m["name"]: m["state"] for m in listed if m["engine"] == "fake"} == {
        "big": "installed",
        "part": "installed",
        "gated": "not_installed",
        "licensed": "not_installed",
    }
    assert cli(connected, "models", "verify", "big")[0] == 0
    [kept] = (connected.folder / "models" / "hub").glob("models--me--big/snapshots/*/weights.bin")
    content = bytearray(kept.read_bytes())
    content[99] ^= 1
    kept.resolve().write_bytes(content)
    code, _, error = cli(connected, "models", "verify", "big")
    assert (code, error["reason"]) == (1, "CHECKSUM_MISMATCH")
    assert cli(connected, "models", "install", "big")[0] == 0
    assert place.hub.sent_bytes("me/big", "weights.bin") == 2 * WEIGHTS_BYTES
    assert cli(connected, "models", "remove", "big")[1]["model"]["state"] == "not_installed"


def test_refusals(connected: Studio) -> None:
    """What can't be done is refused before a job is accepted, with the field that is wrong."""
    code, _, error = cli(connected, "models", "install", "licensed")
    assert (code, error["reason"]) == (2, "LICENCE_NOT_ACCEPTED")
    code, _, error = cli(connected, "models", "install", "nosuch")
    assert (code, error["reason"]) == (3, "MODEL_NOT_FOUND")
    code, _, error = cli(connected, "engines", "setup", "composer")
    assert (code, error["reason"]) == (2, "INVALID_FIELD")
    code, _, error = cli(connected, "engines", "setup", "nosuch")
    assert (code, error["reason"]) == (3, "MODEL_NOT_FOUND")
    code, said, _ = cli(connected, "models", "install", "licensed", "--accept-licence")
    assert (code, said["job"]["model"]["licence"]["accepted"]) == (0, True)


def test_the_same_over_rest(connected: Studio, place: Place) -> None:
    """Models and devices have REST paths; a job's progress tells bytes and rate, and a
    cancelled install ends; the next goes on from there."""
    models = {m["name"]: m for m in connected.get("/v1/models")["models"]}
    assert models["big"]["licence"]["licenceId"] == "MIT"
    assert connected.get("/v1/models/diffrhythm-1.2-base")["licenceAccepted"] is True
    accepted = post(
        connected, "/v1/models/muq-mulan-large:acceptLicence", {"licenceId": "CC-BY-NC-4.0"}
    )
    assert accepted["licenceAccepted"] is True
    assert connected.get("/v1/devices")["choice"] == "auto"
    assert post(connected, "/v1/devices:select", {"deviceId": "cpu"})["choice"] == "cpu"
    refused = post(connected, "/v1/models/big:load", {})
    assert "not installed" in refused["message"]

    file = place.hub.files["me/big", "weights.bin"]
    before, file.bytes_per_second = file.sent_bytes, 1.5e6
    spec = {"installModel": {"model": "big"}}
    job_id = post(connected, "/v1/jobs", {"spec": spec})["jobId"]
    transfer: dict[str, Any] = {}
    while not transfer.get("bytesPerSecond"):
        transfer = connected.get(f"/v1/jobs/{job_id}").get("progress", {}).get("transfer", {})
    assert 0 < int(transfer["doneBytes"]) < int(transfer["totalBytes"])
    post(connected, f"/v1/jobs/{job_id}:cancel", {})
    cancelled_s = time.monotonic()
    while connected.get(f"/v1/jobs/{job_id}")["state"] != "STATE_CANCELLED":
        assert time.monotonic() - cancelled_s < 10.0
    file.bytes_per_second = 0
    assert cli(connected, "models", "install", "big")[0] == 0
    assert file.sent_bytes - before < 1.2 * WEIGHTS_BYTES
    assert connected.get("/v1/models/big")["state"] == "STATE_INSTALLED"


def test_an_install_survives_the_service(connected: Studio, place: Place) -> None:
    """When inference is killed in the middle of an install, the job is tried again by itself
    and goes on where it was."""
    assert cli(connected, "models", "remove", "big")[0] == 0
    file = place.hub.files["me/big", "weights.bin"]
    before, file.bytes_per_second = file.sent_bytes, 3e6
    spec = {"installModel": {"model": "big"}}
    job_id = post(connected, "/v1/jobs", {"spec": spec})["jobId"]
    while connected.get(f"/v1/jobs/{job_id}").get("progress", {}).get("fraction", 0) < 0.3:
        time.sleep(0.05)
    connected.kill("services.inference")
    file.bytes_per_second = 0
    until_s = time.monotonic() + 60
    while (job := connected.get(f"/v1/jobs/{job_id}"))["state"] != "STATE_SUCCEEDED":
        assert time.monotonic() < until_s, job
        time.sleep(0.1)
    assert job["attempt"] > 1
    assert file.sent_bytes - before < 1.3 * WEIGHTS_BYTES
