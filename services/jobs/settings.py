"""What the jobs service is told by its environment (MUSICGEN_…)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """Read once by __main__."""

    address: str = field(metadata={"help": 'where to listen: "unix:/path" or "host:port"'})
    redis_url: str = field(metadata={"help": 'the job store: "redis://…" or "unix:///…"'})
    library_address: str = field(metadata={"help": "the library service"})
    inference_address: str = field(metadata={"help": "the inference service"})
    looper_address: str = field(metadata={"help": "the looper service"})
    log_level: str = field(default="INFO", metadata={"help": "DEBUG, INFO, WARNING or ERROR"})
    metrics_address: str = field(
        default="", metadata={"help": "where to serve metrics; nowhere if it is not set"}
    )
    queue_limit: int = field(default=10_000, metadata={"help": "jobs that may wait in a queue"})
    max_attempts: int = field(default=3, metadata={"help": "attempts before a job is FAILED"})
    history_s: float = field(default=24 * 3600.0, metadata={"help": "how far a cursor reaches"})
    records_s: float = field(default=30 * 86_400.0, metadata={"help": "life of an ended job"})
    watch_s: float = field(default=1800.0, metadata={"help": "when a watch ends with OK"})
    bookmark_s: float = field(default=10.0, metadata={"help": "silence before a bookmark"})

    def __post_init__(self) -> None:
        """Refuse what can't work."""
        for name in ("queue_limit", "max_attempts", "history_s", "records_s", "watch_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"MUSICGEN_{name.upper()} must be greater than 0")
        if not 0 < self.bookmark_s <= 30:
            raise ValueError("MUSICGEN_BOOKMARK_S must be between 0 and 30")
