"""Small real parts for the supervisor to run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from musicgen.local.parts import Part, RestartPolicy
from musicgen.local.probes import Probe, alive

QUICK = RestartPolicy(first_delay_s=0.05, longest_delay_s=0.1, max_crashes=4, window_s=60)

SLEEPS = "import time; time.sleep(600)"
CRASHES = "import sys; print('no such tune'); sys.exit(3)"
IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf', flush=True); time.sleep(600)"
)
# Its child leads a session of its own, as engine hosts do, and prints its id.
HAS_A_CHILD = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'],"
    " start_new_session=True);"
    "print(child.pid, flush=True); time.sleep(600)"
)


def part(name: str, code: str, probe: Probe | None = None, **changes: Any) -> Part:
    """Return a part that runs Python code."""
    values: dict[str, Any] = {
        "argv": (sys.executable, "-S", "-c", code),
        "probe": probe or alive(),
        "restart": QUICK,
        "start_timeout_s": 10.0,
        "stop_grace_s": 1.0,
        **changes,
    }
    return Part(name=name, **values)


def said(log: Path, wanted: Callable[[str], bool] = bool) -> Probe:
    """Probe that passes once the log holds something that is wanted."""

    async def probe() -> str:
        return "" if log.exists() and wanted(log.read_text()) else "silent"

    return probe
