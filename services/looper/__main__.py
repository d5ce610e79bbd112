"""Runs the looper: `python -m services.looper` serves, with a command it works on files."""

from __future__ import annotations

import sys


def main() -> int:
    """Serve, or do what the command line says. Returns the process's exit code."""
    # Each is imported only where it is wanted: a command has no use for a gRPC server.
    if len(sys.argv) == 1:
        from services.looper import serve  # noqa: PLC0415 - see above

        return serve.main()
    from services.looper.cli.commands import cli  # noqa: PLC0415 - see above

    cli(prog_name="python -m services.looper")
    return 0


if __name__ == "__main__":
    sys.exit(main())
