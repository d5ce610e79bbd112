"""The verdict, as one JSON object and as lines for people."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.audit import Facts, Findings
from tests.chaos.recovery import Recovery, percentile

SHOWN = 5
"""Examples of each violation."""


@dataclass(slots=True)
class Report:
    """Everything that a run found out."""

    seed: int
    lease_s: float
    jobs: int = 0
    requests_acked: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    facts: Facts = field(default_factory=Facts)
    watchers: Mapping[str, int] = field(default_factory=dict)
    recoveries: Sequence[Recovery] = ()
    slow_ends: Sequence[str] = ()
    remarks: Sequence[str] = ()
    duration_s: float = 0.0

    @property
    def violations(self) -> dict[str, list[str]]:
        """What does not hold: name of the invariant → where."""
        found = dataclasses.asdict(self.findings)
        return {name: where for name, where in found.items() if where}

    @property
    def holds(self) -> bool:
        """Whether every invariant does."""
        return not self.violations

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        counts = {name: len(where) for name, where in dataclasses.asdict(self.findings).items()}
        watchers_wrong, watchers_doubled = (
            counts.pop("watchers_wrong"),
            counts.pop("watchers_doubled"),
        )
        freed_s = [r.freed_s for r in self.recoveries if not r.upset]
        upset_s = [r.freed_s for r in self.recoveries if r.upset]
        resumed_s = [r.resumed_s for r in self.recoveries if r.resumed_s is not None]
        return {
            "seed": self.seed,
            "jobs": self.jobs,
            "requests_acked": self.requests_acked,
            "jobs_nobody_was_told_of": self.facts.unpromised,
            "faults": self.faults.total(),
            "faults_by_kind": {k: n for k, n in sorted(self.faults.items()) if n},
            **counts,
            "watchers": {**self.watchers, "wrong": watchers_wrong, "doubled": watchers_doubled},
            "recovery_s": {
                "jobs": len(freed_s),
                "p50": percentile(freed_s, 0.5),
                "p99": percentile(freed_s, 0.99),
                "jobs_in_an_outage": len(upset_s),
                "p99_in_an_outage": percentile(upset_s, 0.99),
                "running_again_p50": percentile(resumed_s, 0.5),
                "running_again_p99": percentile(resumed_s, 0.99),
            },
            "ends": dict(self.facts.ends),
            "failed_because": dict(self.facts.failed_because),
            "started_more_than_once": self.facts.started_more_than_once,
            "tracks": self.facts.tracks,
            "exports": self.facts.exports,
            "files_of_dead_claims_swept": self.facts.files_of_dead_claims,
            "refused": dict(self.refused),
            "slow_to_end": dict(Counter(self.slow_ends)),
            "remarks": list(self.remarks),
            "lease_s": self.lease_s,
            "duration_s": round(self.duration_s, 1),
            "holds": self.holds,
        }

    def lines(self) -> list[str]:
        """Return it for people: what does not hold, with examples."""
        if self.holds:
            return [f"All invariants hold: {self.jobs} jobs, {self.faults.total()} faults."]
        lines = []
        for name, where in self.violations.items():
            lines.append(f"{name}: {len(where)}")
            lines += [f"    {one}" for one in where[:SHOWN]]
            if len(where) > SHOWN:
                lines.append(f"    … and {len(where) - SHOWN} more")
        return lines
