"""A program: makes a song again and again in less and less address space, and prints on which
rung it was made.

    python -m tests.neural.diffrhythm.in_little_memory FOLDER MIB...
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from musicgen.engine.base import Parameters
from musicgen.errors import OutOfMemory
from services.inference.engines.diffrhythm.config import DiTConfig, VaeConfig
from services.inference.engines.diffrhythm.engine import DiffRhythmTiny
from tests.neural.diffrhythm import studio

MIDDLING = DiTConfig(dim=512, depth=8, heads=8)
"""36 million numbers: 72 MB in half precision, 144 MB in full."""
MIDDLING_VAE = VaeConfig(channels=24)


def main() -> None:
    """Print a line for each limit."""
    torch.set_num_threads(1)
    folder, limits = Path(sys.argv[1]), [int(one) for one in sys.argv[2:]]
    patch = pytest.MonkeyPatch()
    patch.setattr("services.inference.engines.diffrhythm.checkpoints.TINY", MIDDLING)
    studio.install(folder, patch, MIDDLING, MIDDLING_VAE)
    engine = DiffRhythmTiny()
    options = {"steps": 1, "precision": "full", "model": studio.MODEL, "guidance": 0.0}
    asked = Parameters("warm", "Hello", 12.0, 7, options)
    for limit in (1 << 20, *limits):
        limit_bytes = used_bytes() + (limit << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, resource.RLIM_INFINITY))
        with tempfile.TemporaryDirectory() as scratch:
            try:
                said = engine.generate(asked, Path(scratch), lambda _: None).rung
            except OutOfMemory as error:
                said = error.reason
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
            engine._held.drop()  # the next one begins anew
        print(limit, said, flush=True)
    engine.close()


def used_bytes() -> int:
    """Return this process's address space."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
