"""Runs the library: `python -m services.library`."""

from __future__ import annotations

import asyncio
import os
import sys

from musicgen.rpc import telemetry
from musicgen.settings import SettingsError, load
from services.library.service import LibraryService
from services.library.settings import Settings


async def run(settings: Settings) -> None:
    """Serve gRPC and HTTP until SIGTERM or SIGINT."""
    await LibraryService(settings).run()


def main() -> int:
    """Read the settings and run; 2 if they are wrong."""
    try:
        settings = load(Settings, os.environ)
        telemetry.start(
            "library", log_level=settings.log_level, metrics_address=settings.metrics_address
        )
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    asyncio.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
