"""The library's settings, read once in __main__."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; see README.md."""

    address: str = field(metadata={"help": 'gRPC listens here: "unix:/path" or "host:port"'})
    http_address: str = field(metadata={"help": 'HTTP listens here: "unix:/path" or "host:port"'})
    data_root: Path = field(metadata={"help": "root folder of the artifact store"})
    web_root: Path | None = field(default=None, metadata={"help": "folder of the built frontend"})
    max_upload_bytes: int = field(
        default=2 << 30, metadata={"help": "the largest upload that is accepted, in bytes"}
    )
    artifacts_keep_s: float = field(
        default=7 * 86_400.0, metadata={"help": "life of exports, uploads and leftovers"}
    )
    log_level: str = field(default="INFO", metadata={"help": "DEBUG, INFO, WARNING or ERROR"})
    metrics_address: str = field(
        default="", metadata={"help": "where to serve metrics; nowhere if it is not set"}
    )

    def __post_init__(self) -> None:
        """Refuse values that can't work."""
        if self.max_upload_bytes < 1:
            raise ValueError("MUSICGEN_MAX_UPLOAD_BYTES must be 1 or more")
        if self.artifacts_keep_s < 3600:
            raise ValueError("MUSICGEN_ARTIFACTS_KEEP_S must be 3600 or more")
