"""What the gateway can be told, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_ADDRESS = re.compile(r"unix:/.+|[^/:\s]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")
_ORIGIN = re.compile(r"https?://[^/*\s]+")
_HOST = re.compile(r"[A-Za-z0-9.-]+")
_API_KEY = re.compile(r"[A-Za-z0-9._~-]{16,256}")
_PART = re.compile(r"[a-z0-9-]{1,40}")
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Settings:
    """Read from MUSICGEN_… variables. Addresses are "unix:/path.sock" or "host:port"."""

    jobs_address: str = field(metadata={"help": "gRPC address of the jobs service"})
    library_address: str = field(metadata={"help": "gRPC address of the library service"})
    library_http_address: str = field(metadata={"help": "HTTP address of the library service"})
    inference_address: str = field(metadata={"help": "gRPC address of the inference service"})
    admin_socket: Path = field(
        metadata={"help": "Unix socket to make for Envoy's admin pages and metrics"}
    )
    address: str = field(default="127.0.0.1:8400", metadata={"help": "host:port to listen on"})
    allowed_origins: str = field(
        default="",
        metadata={"help": "more web origins that may call, comma-separated: http://host:port"},
    )
    allowed_hosts: str = field(
        default="",
        metadata={"help": "more host names that the studio goes by, comma-separated, no port"},
    )
    api_key: str | None = field(
        default=None, metadata={"help": "if set, the API answers only with this key"}
    )
    requests_per_s: int = field(
        default=1_000, metadata={"help": "sustained limit of all requests together, 1 or more"}
    )
    metrics_targets: str = field(
        default="",
        metadata={"help": "who serves /metrics/PART, comma-separated: PART=ADDRESS"},
    )
    metrics_address: str = field(
        default="", metadata={"help": "host:port of Envoy's own /metrics, without any guard"}
    )
    otlp_address: str = field(
        default="", metadata={"help": "where to send traces, as gRPC OTLP; absent: nowhere"}
    )
    threads: int = field(default=2, metadata={"help": "Envoy's worker threads, 1 or more"})

    def __post_init__(self) -> None:
        """Check every value. Raises ValueError that lists all that is wrong."""
        faults = [
            f"{name}: {value!r} is no address; give unix:/path.sock or host:port"
            for name in (
                "address",
                "jobs_address",
                "library_address",
                "library_http_address",
                "inference_address",
            )
            if not _ADDRESS.fullmatch(value := getattr(self, name))
        ]
        if self.address.startswith("unix:"):
            faults.append("address: the gateway listens on host:port")
        faults += [
            f"allowed_origins: {origin!r} is no origin such as http://localhost:5173"
            for origin in _listed(self.allowed_origins)
            if not _ORIGIN.fullmatch(origin)
        ]
        faults += [
            f"allowed_hosts: {host!r} is no host name (leave the port out)"
            for host in _listed(self.allowed_hosts)
            if not _HOST.fullmatch(host)
        ]
        if self.api_key is not None and not _API_KEY.fullmatch(self.api_key):
            faults.append("api_key: 16 to 256 characters of A-Z a-z 0-9 . _ ~ -")
        faults += self._monitoring_faults()
        if self.requests_per_s < 1 or self.threads < 1:
            faults.append("requests_per_s and threads: 1 or more")
        if faults:
            raise ValueError("\n".join(faults))

    def _monitoring_faults(self) -> list[str]:
        faults = [
            f"{name}: {value!r} is no address; give {wanted}"
            for name, value, wanted in (
                ("metrics_address", self.metrics_address, "host:port"),
                ("otlp_address", self.otlp_address, "host:port or unix:/path.sock"),
            )
            if value and not _ADDRESS.fullmatch(value)
        ]
        if self.metrics_address.startswith("unix:"):
            faults.append("metrics_address: the gateway listens on host:port")
        for target in _listed(self.metrics_targets):
            name, _, address = target.partition("=")
            if not (_PART.fullmatch(name) and _ADDRESS.fullmatch(address)) or name == "envoy":
                faults.append(
                    f"metrics_targets: {target!r} is not PART=ADDRESS; PART is of a-z 0-9 - "
                    "and not envoy"
                )
        return faults

    @property
    def metrics_of(self) -> dict[str, str]:
        """Who serves /metrics/PART: part → address."""
        pairs = (target.partition("=") for target in _listed(self.metrics_targets))
        return {name: address for name, _, address in pairs}

    @property
    def port(self) -> int:
        """The port to listen on."""
        return int(self.address.rpartition(":")[2])

    @property
    def hosts(self) -> list[str]:
        """Host names, without ports, under which the studio answers."""
        return [*LOOPBACK_HOSTS, *_listed(self.allowed_hosts)]

    @property
    def origins(self) -> list[str]:
        """Web origins that may call: the gateway's own, and those allowed by name."""
        own = [f"http://{host}:{self.port}" for host in self.hosts]
        return [*own, *_listed(self.allowed_origins)]


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
