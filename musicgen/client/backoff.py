"""How long to wait before trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first_s` up to `most_s`, each drawn between half of that
    and all of it, so that clients that lost the same server don't return as one."""

    first_s: float = 0.1
    most_s: float = 5.0

    def delay_s(self, failures: int) -> float:
        """Return the wait after that many failures in a row, 1 or more."""
        doubled = self.first_s * 2.0 ** min(failures - 1, 30)
        return min(doubled, self.most_s) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, no secret
