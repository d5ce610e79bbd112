"""A launcher to be killed: `python -m tests.contract.local.studio DATA_ROOT`. It runs a real
Valkey and a part with a child in a session of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from musicgen.local.launcher import LaunchOptions, up
from musicgen.local.layout import Layout
from musicgen.local.parts import Part, studio_parts
from tests.contract.local.programs import HAS_A_CHILD, part, said


def parts_of(layout: Layout, port: int, environ: Mapping[str, str]) -> list[Part]:
    """Return Valkey as it is, and the small part."""
    valkey = next(p for p in studio_parts(layout, port, environ) if p.name == "valkey")
    return [valkey, part("parent", HAS_A_CHILD, said(layout.log("parent")))]


if __name__ == "__main__":
    options = LaunchOptions(data_root=Path(sys.argv[1]), port=0, exec_command=sys.argv[2:] or None)
    sys.exit(asyncio.run(up(options, parts_of=parts_of)))
