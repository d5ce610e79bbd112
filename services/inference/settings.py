"""What the environment says about the inference service."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Read once, by `musicgen.settings.load`, from variables with the prefix MUSICGEN_."""

    address: str = field(metadata={"help": 'where to listen: "unix:/path.sock" or "host:port"'})
    data_root: Path = field(metadata={"help": "folder of the artifact store"})
    log_level: str = field(default="INFO", metadata={"help": "least level that is logged"})
    metrics_address: str = field(
        default="", metadata={"help": "where to serve metrics; nowhere if it is not set"}
    )
    engines_file: Path | None = field(
        default=None, metadata={"help": "JSON file that registers more engines"}
    )
    models_root: Path | None = field(
        default=None, metadata={"help": "folder of the models; else models/ in the data root"}
    )
    models_file: Path | None = field(
        default=None, metadata={"help": "JSON file that adds models that can be installed"}
    )
    prewarm: str = field(
        default="composer", metadata={"help": "engines to start at once, with commas between"}
    )
    runtime_dir: Path | None = field(
        default=None,
        metadata={"help": "short folder for the sockets of engine hosts; else the system's"},
    )
    engine_start_timeout_s: float = field(
        default=60.0, metadata={"help": "seconds in which an engine host must be up"}
    )
    stall_timeout_s: float = field(
        default=120.0, metadata={"help": "seconds without progress after which a host is killed"}
    )

    def __post_init__(self) -> None:
        for name in ("engine_start_timeout_s", "stall_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"MUSICGEN_{name.upper()} must be more than 0")

    @property
    def prewarmed(self) -> list[str]:
        """Names of the engines to start at once."""
        return [name.strip() for name in self.prewarm.split(",") if name.strip()]
