"""What a runner is told by its environment (MUSICGEN_…)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Settings:
    """Read once by __main__. A runner serves the lanes whose service it is given."""

    redis_url: str = field(metadata={"help": 'the job store: "redis://…" or "unix:///…"'})
    library_address: str = field(metadata={"help": "the library service"})
    runner_name: str = field(
        metadata={"help": "unique and stable: a new runner of this name frees the old one's jobs"}
    )
    inference_address: str = field(
        default="", metadata={"help": "takes generate, install_model, verify_model, setup_engine"}
    )
    looper_address: str = field(default="", metadata={"help": "takes loop and find_loops jobs"})
    generate_engines: str = field(
        default="",
        metadata={"help": "engines to take generate jobs of, with commas between; else all"},
    )
    generate_slots: int = field(default=1, metadata={"help": "generate jobs at a time"})
    loop_slots: int = field(default=1, metadata={"help": "loop jobs at a time"})
    find_slots: int = field(default=1, metadata={"help": "find_loops jobs at a time"})
    export_slots: int = field(default=1, metadata={"help": "export jobs at a time; 0: none"})
    install_slots: int = field(default=1, metadata={"help": "install_model jobs at a time"})
    verify_slots: int = field(default=1, metadata={"help": "verify_model jobs at a time"})
    setup_slots: int = field(default=1, metadata={"help": "setup_engine jobs at a time"})
    lease_s: float = field(default=15.0, metadata={"help": "silence after which a job is freed"})
    log_level: str = field(default="INFO", metadata={"help": "DEBUG, INFO, WARNING or ERROR"})
    metrics_address: str = field(
        default="", metadata={"help": "where to serve metrics; nowhere if it is not set"}
    )

    def __post_init__(self) -> None:
        """Refuse what can't work."""
        if self.lease_s < 1:
            raise ValueError("MUSICGEN_LEASE_S must be 1 or more")
        slots = (
            self.generate_slots,
            self.loop_slots,
            self.find_slots,
            self.export_slots,
            self.install_slots,
            self.verify_slots,
            self.setup_slots,
        )
        if min(slots) < 0:
            raise ValueError("slots must not be negative")

    @property
    def engines_taken(self) -> frozenset[str]:
        """Names of the engines to take jobs of; empty: of all."""
        return frozenset(filter(None, map(str.strip, self.generate_engines.split(","))))
