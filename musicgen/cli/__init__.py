"""The command line of the studio. It uses only the SDK, and the launcher for `up`."""

from musicgen.cli.app import main

__all__ = ["main"]
