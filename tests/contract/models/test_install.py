from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from musicgen.errors import ModelInUse, ModelNotInstalled
from musicgen.testing.loopback_hub import TOKEN
from services.inference.models.manager import State
from services.inference.models.records import Records
from tests.hub import WEIGHTS_BYTES, Place, noise

pytestmark = pytest.mark.contract


def error_of(told: list[dict[str, object]]) -> dict[str, object]:
    """What the work failed with."""
    error = told[-1].get("error")
    assert isinstance(error, dict), told[-1]
    return error


def test_install(place: Place) -> None:
    """A model is fetched with what it needs, each byte once and one request for each part,
    into the layout that other libraries read; installing it again asks nobody."""
    told = place.work("install", "big")
    assert told[-1] == {"done": True}
    manager = place.manager
    assert manager.status("big").state is State.INSTALLED
    assert (manager.folder("big") / "weights.bin").read_bytes() == noise(WEIGHTS_BYTES)
    assert (manager.folder("part") / "deep" / "part.bin").read_bytes() == noise(200_000, 2)
    assert place.hub.sent_bytes("me/big", "weights.bin") == WEIGHTS_BYTES
    commit = place.hub.commits["me/big"]
    kept = place.root / "hub" / "models--me--big"
    assert (kept / "refs" / "main").read_text() == commit
    assert (kept / "snapshots" / commit / "config.json").read_bytes() == b'{"n": 1}'
    sha256 = hashlib.sha256(noise(WEIGHTS_BYTES)).hexdigest()
    assert (kept / "blobs" / sha256).is_file()
    asked = len(place.hub.requests)
    assert place.work("install", "big") == [{"done": True}]
    assert len(place.hub.requests) == asked


def test_progress(place: Place) -> None:
    """Progress says stage, file, bytes of all files, rate and time left; the share never
    falls and ends at 1."""
    place.hub.files["me/big", "weights.bin"].bytes_per_second = 5e6
    steps = [said["progress"] for said in place.work("install", "big") if "progress" in said]
    assert [*dict.fromkeys(step["stage"] for step in steps)] == ["looking", "downloading"]
    fractions = [step["fraction"] for step in steps if step["stage"] == "downloading"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    moved = [step["transfer"] for step in steps if step["stage"] == "downloading"]
    assert {m["total_bytes"] for m in moved} == {WEIGHTS_BYTES + 200_000 + 8}
    assert any(m["bytes_per_second"] > 0 for m in moved)
    assert any(step["eta_s"] is not None for step in steps)
    assert any("Big: weights.bin" in step["detail"] for step in steps)


def test_killed_three_times(place: Place) -> None:
    """A download whose process is killed with SIGKILL three times ends with the right bytes,
    and each byte was sent about once."""
    file = place.hub.files["me/big", "weights.bin"]
    file.bytes_per_second = 4e6
    for share in (0.2, 0.5, 0.8):
        with place.start("install", "big") as process:
            assert process.stdout is not None
            for line in process.stdout:
                step = json.loads(line).get("progress", {})
                if "weights" in step["detail"] and step["fraction"] >= share:
                    break
            process.kill()
        assert place.manager.status("big").state is State.NOT_INSTALLED
    assert place.work("install", "big")[-1] == {"done": True}
    found = (place.manager.folder("big") / "weights.bin").read_bytes()
    assert found == noise(WEIGHTS_BYTES)
    # What was on its way to a process that died: the buffers of three connections.
    assert WEIGHTS_BYTES <= file.sent_bytes <= 1.15 * WEIGHTS_BYTES
    assert not list(place.root.rglob("*.part"))


def test_broken_lines(place: Place) -> None:
    """Lines that break, and a server that is away for a moment, are borne in one install."""
    file = place.hub.files["me/big", "weights.bin"]
    file.cut_after_bytes = [1 << 20, 1 << 20, 300_000]
    file.answer_status = [503, 403]
    assert place.work("install", "big")[-1] == {"done": True}
    assert file.sent_bytes == WEIGHTS_BYTES


def test_a_server_without_ranges(place: Place) -> None:
    """A server that sends everything anew is understood."""
    file = place.hub.files["me/big", "weights.bin"]
    file.cut_after_bytes, file.ignores_range = [1 << 20], True
    assert place.work("install", "big")[-1] == {"done": True}
    assert (place.manager.folder("big") / "weights.bin").read_bytes() == noise(WEIGHTS_BYTES)


def test_a_hub_that_is_away(place: Place) -> None:
    """Without a hub the install fails with DOWNLOAD_FAILED; what was there stays."""
    place.hub.files["me/big", "weights.bin"].answer_status = [404]
    assert error_of(place.work("install", "big"))["reason"] == "DOWNLOAD_REFUSED"
    environment = place.environment(HF_HUB_OFFLINE="1")
    told = place.work("install", "big", environment=environment)
    assert error_of(told)["reason"] == "DOWNLOAD_FAILED"
    assert "import" in str(error_of(told)["remedy"])


def test_a_byte_that_flips_on_the_way(place: Place) -> None:
    """Bytes of the right number that are wrong are refused and not kept; the next install
    brings them right."""
    place.hub.files["me/big", "weights.bin"].flip_byte_at = [3 << 20]
    error = error_of(place.work("install", "big"))
    assert (error["reason"], error["metadata"]) == (
        "CHECKSUM_MISMATCH",
        {"model": "big", "files": "weights.bin"},
    )
    assert place.manager.status("big").state is State.NOT_INSTALLED
    assert place.work("install", "big")[-1] == {"done": True}


def test_a_byte_that_flips_on_the_disk(place: Place) -> None:
    """Verifying finds one flipped byte and says where; the model is CORRUPT then, and an
    install fetches that file only."""
    place.work("install", "big")
    assert place.work("verify", "big")[-1] == {"done": True}
    path = (place.manager.folder("big") / "weights.bin").resolve()
    with path.open("r+b") as file:
        file.seek(1234)
        byte = file.read(1)[0]
        file.seek(1234)
        file.write(bytes([byte ^ 1]))
    error = error_of(place.work("verify", "big"))
    assert error["reason"] == "CHECKSUM_MISMATCH"
    assert "me/big: weights.bin" in str(error["message"])
    assert place.manager.status("big").state is State.CORRUPT
    with pytest.raises(ModelNotInstalled):
        place.manager.folder("big")
    assert place.work("install", "big")[-1] == {"done": True}
    assert place.hub.sent_bytes("me/big", "weights.bin") == 2 * WEIGHTS_BYTES
    assert place.hub.sent_bytes("me/part", "deep/part.bin") == 200_000
    assert place.manager.status("big").state is State.INSTALLED


def test_a_file_that_was_cut_short(place: Place) -> None:
    """A file of the wrong size shows at once, without reading all of it."""
    place.work("install", "big")
    os.truncate((place.manager.folder("big") / "weights.bin").resolve(), 10)
    status = place.manager.status("big")
    assert status.state is State.CORRUPT
    assert "weights.bin has 10 bytes" in status.detail


def test_another_file_than_the_one_that_is_known(place: Place) -> None:
    """A pinned file that the hub has changed is refused before it is fetched."""
    said = json.loads(place.models_file.read_text())
    said["models"][1]["files"][0]["sha256"] = "0" * 64
    place.models_file.write_text(json.dumps(said))
    assert error_of(place.work("install", "big"))["reason"] == "CHECKSUM_MISMATCH"
    assert place.hub.sent_bytes("me/big", "weights.bin") == 0


def test_gated(place: Place) -> None:
    """Without a token a gated model is refused, and it is said what to do; with the token of
    huggingface_hub it is fetched, and the token goes to the hub alone."""
    error = error_of(place.work("install", "gated"))
    assert error["reason"] == "DOWNLOAD_REFUSED"
    assert "hf auth login" in str(error["remedy"])
    environment = place.environment(HF_TOKEN=TOKEN)
    assert place.work("install", "gated", environment=environment)[-1] == {"done": True}
    assert not place.hub.token_was_leaked


def test_licence(place: Place) -> None:
    """A licence must be accepted before the first byte, once."""
    error = error_of(place.work("install", "licensed"))
    assert error["reason"] == "LICENCE_NOT_ACCEPTED"
    assert "https://example.org/licence" in str(error["message"])
    assert place.hub.requests == []
    assert place.work("install", "licensed", accept_licence=True)[-1] == {"done": True}
    place.manager.remove("licensed")
    assert place.work("install", "licensed")[-1] == {"done": True}


def test_full_disk_is_seen_before(place: Place) -> None:
    """A disk that is too small is refused before the first byte, and nothing has changed."""
    place.root.mkdir()
    with mounted(place.root, 24):
        place.hub.add("me/big", {"weights.bin": noise(12 << 20), "config.json": b"{}"})
        error = error_of(place.work("install", "big"))
        assert error["reason"] == "DISK_FULL"
        assert place.hub.sent_bytes("me/big", "weights.bin") == 0
        assert place.files() == {}


@contextlib.contextmanager
def mounted(folder: Path, mib: int) -> Iterator[None]:
    """A small file system at a folder; skips the test where none can be mounted."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("needs to mount a small file system")
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("can't mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_full_in_the_middle(place: Place) -> None:
    """When the space runs out in the middle, everything is as it was: what an earlier install
    left, and nothing of this one. (The limit of a file's size stands for the disk's.)"""
    place.work("install", "part")
    part = place.root / "hub" / "models--me--big" / "blobs"
    part.mkdir(parents=True)
    sha256 = hashlib.sha256(noise(WEIGHTS_BYTES)).hexdigest()
    (part / f"{sha256}.part").write_bytes(noise(WEIGHTS_BYTES)[:500_000])
    before = place.files()
    error = error_of(place.work("install", "big", most_bytes_a_file=2 << 20))
    assert error["reason"] == "DISK_FULL"
    assert place.files() == before
    assert place.work("install", "big")[-1] == {"done": True}


def test_full_when_all_is_there_but_the_record(place: Place) -> None:
    """Also files that were complete go, if what says so can't be written."""
    (place.root / "installed").mkdir(parents=True)
    before = place.files()

    class Full(Records):
        def write(self, name: str, record: object) -> None:
            raise OSError(errno.ENOSPC, f"no space for {name} {record}")

    manager = place.manager
    manager._records = Full(place.root / "installed")
    folder = place.folder / "offline"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "part.bin").write_bytes(noise(200_000, 2))
    with pytest.raises(Exception, match="No space"):
        manager.install("part", lambda _: None, folder=folder)
    assert place.files() == before


def test_import_from_a_folder(place: Place) -> None:
    """Without any network a model comes from a folder: by names, or a hub's cache as another
    machine has it; what a file lacks is said by name."""
    folder = place.folder / "usb"
    (folder / "part" / "deep").mkdir(parents=True)
    (folder / "big").mkdir()
    (folder / "part" / "deep" / "part.bin").write_bytes(noise(200_000, 2))
    (folder / "big" / "config.json").write_bytes(b"{}")
    offline = place.environment(HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    told = place.work("install", "big", folder=str(folder), environment=offline)
    assert error_of(told)["fields"] == {"folder": "has no big/weights.bin"}
    (folder / "big" / "weights.bin").write_bytes(noise(WEIGHTS_BYTES))
    told = place.work("install", "big", folder=str(folder), environment=offline)
    assert told[-1] == {"done": True}
    assert place.manager.status("big").state is State.INSTALLED
    assert place.work("verify", "big")[-1] == {"done": True}
    (folder / "big" / "weights.bin").write_bytes(b"changed")  # a copy, not a link
    assert place.work("verify", "big")[-1] == {"done": True}

    away = place.folder / "elsewhere"
    shutil.copytree(place.root / "hub", away, symlinks=True)
    place.manager.remove("big")
    assert place.manager.status("part").state is State.NOT_INSTALLED
    told = place.work("install", "big", folder=str(away), environment=offline)
    assert told[-1] == {"done": True}
    assert place.hub.requests == []


@pytest.mark.parametrize("folder", ["relative", "/nonexistent/folder"])
def test_import_from_nowhere(place: Place, folder: str) -> None:
    """A folder that isn't one is refused by name."""
    error = error_of(place.work("install", "big", folder=folder))
    assert (error["reason"], list(error["fields"])) == ("INVALID_FIELD", ["folder"])  # type: ignore[call-overload]  # a mapping


def test_remove(place: Place) -> None:
    """Removing takes what only this model needed, and nothing that another one needs."""
    place.work("install", "big")
    with pytest.raises(ModelInUse):
        place.manager.remove("part")
    assert place.manager.remove("big") == ["big", "part"]
    assert place.files() == {}
    assert place.manager.remove("big") == ["big", "part"]
    place.work("install", "big")
    place.work("install", "licensed", accept_licence=True)  # the same repository as part
    place.manager.remove("big")
    assert place.work("verify", "licensed")[-1] == {"done": True}


def test_one_at_a_time(place: Place) -> None:
    """While a model is installed nobody else installs or removes it; a killed install holds
    nothing up."""
    place.hub.files["me/big", "weights.bin"].bytes_per_second = 1e6
    with place.start("install", "big") as process:
        assert process.stdout is not None
        while "downloading" not in process.stdout.readline():
            pass
        assert error_of(place.work("install", "big"))["reason"] == "MODEL_IN_USE"
        with pytest.raises(ModelInUse):
            place.manager.remove("big")
        process.kill()
    place.hub.files["me/big", "weights.bin"].bytes_per_second = 0
    assert place.work("install", "big")[-1] == {"done": True}


def test_ends_with_its_parent(place: Place) -> None:
    """Work whose parent has gone, so that its input closes, ends by itself."""
    place.hub.files["me/big", "weights.bin"].bytes_per_second = 1e5
    process = place.start("install", "big")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    process.stdin.close()
    assert process.wait(10) == 1
    process.stdout.close()


def test_libraries_find_it(place: Place) -> None:
    """huggingface_hub itself finds what was installed, by name and with no network."""
    place.work("install", "big")
    code = (
        "from huggingface_hub import hf_hub_download, snapshot_download;"
        "print(hf_hub_download('me/big', 'config.json')); print(snapshot_download('me/big'))"
    )
    hub = str(place.root / "hub")
    environment = place.environment(
        HF_HUB_CACHE=hub, HF_HUB_OFFLINE="1", HF_ENDPOINT="http://127.0.0.1:9"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    file, folder = done.stdout.split()
    assert Path(file).read_bytes() == b'{"n": 1}'
    assert Path(folder) == place.manager.folder("big")
