"""What processes use, by Linux' own books: CPU time and memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, in user and system mode, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def pss_kib(pid: int) -> int:
    """Return the memory of a process, what it shares with others in parts."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds of the servers in one stretch of time."""

    jobs_s: float
    envoy_s: float
    valkey_s: float

    @classmethod
    def until_now(cls, pids: tuple[int, int, int]) -> Spent:
        """Return what jobs, Envoy and Valkey have used since they started."""
        return cls(*map(cpu_s, pids))

    def __sub__(self, other: Spent) -> Spent:
        """Return what was used since `other`."""
        return Spent(
            self.jobs_s - other.jobs_s,
            self.envoy_s - other.envoy_s,
            self.valkey_s - other.valkey_s,
        )
