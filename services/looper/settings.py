"""Settings of the looper service, from MUSICGEN_* variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Read once in __main__."""

    address: str = field(metadata={"help": '"unix:/path.sock" or "host:port" to listen on'})
    data_root: Path = field(metadata={"help": "root folder of the artifact store"})
    log_level: str = field(default="INFO", metadata={"help": "DEBUG, INFO, WARNING or ERROR"})
    metrics_address: str = field(
        default="", metadata={"help": "where to serve metrics; nowhere if it is not set"}
    )
    looper_slots: int = field(
        default=2, metadata={"help": "analyses and renders at the same time; more have to wait"}
    )

    def __post_init__(self) -> None:
        """Check what types can't. Raises ValueError, listing every fault."""
        faults = []
        if self.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            faults.append(f"MUSICGEN_LOG_LEVEL={self.log_level!r}: no such level")
        if not 1 <= self.looper_slots <= 64:
            faults.append(f"MUSICGEN_LOOPER_SLOTS={self.looper_slots}: must be 1 to 64")
        if faults:
            raise ValueError("\n".join(faults))
