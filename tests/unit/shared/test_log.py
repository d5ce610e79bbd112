"""Logs: work goes on where they can't be written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

_WORKS = """
from musicgen.rpc import log
log.configure("test")
for number in range(1000):
    log.get().info("line", number=number)
print("done")
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_disk_ends_no_work() -> None:
    """A thousand lines to a full disk are lost, and nothing else."""
    with Path("/dev/full").open("wb") as full:
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            os.write(full.fileno(), b"x")
        ran = subprocess.run(
            [sys.executable, "-c", _WORKS], stdout=subprocess.PIPE, stderr=full, check=False
        )
    assert ran.stdout == b"done\n"
