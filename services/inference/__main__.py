"""`python -m services.inference`: reads the settings and serves."""

from __future__ import annotations

import asyncio
import os
import sys

from musicgen.rpc import telemetry
from musicgen.settings import SettingsError, load
from services.inference.service import InferenceService
from services.inference.settings import Settings


async def _serve(settings: Settings) -> None:
    await InferenceService(settings).run()


def main() -> None:
    """Run as a program."""
    try:
        settings = load(Settings, os.environ)
        telemetry.start(
            "inference", log_level=settings.log_level, metrics_address=settings.metrics_address
        )
        asyncio.run(_serve(settings))
    except SettingsError as error:
        sys.exit(f"services.inference: {error}")


if __name__ == "__main__":
    main()
