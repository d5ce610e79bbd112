"""Runs `work` in its process: what it tells comes as events, and a cancellation kills it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musicgen.errors import ServiceUnavailable, StudioError, by_reason
from musicgen.progress import Progress, Transfer

MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done: "install" or "verify"."""

    action: str
    model: str
    accept_licence: bool = False
    folder: str = ""


async def run(
    work: Work, root: Path, models_file: Path | None = None
) -> AsyncGenerator[Progress, None]:
    """Yield progress until the work is done. Closing the iterator ends the process at once.
    Raises what the work raised."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.inference.models.work",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MAX_LINE_BYTES,
        # Ctrl-C in a terminal is for the service, which ends this in order.
        start_new_session=True,
        # It asks the hub for the model and nothing else.
        env={
            **os.environ,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_XET": "1",
        },
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the process was started with pipes")
        request = {
            "action": work.action,
            "model": work.model,
            "accept_licence": work.accept_licence,
            "folder": work.folder,
            "root": str(root),
            "models_file": str(models_file or ""),
        }
        with contextlib.suppress(ConnectionError):  # it died: the end of its output says so
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
        while line := await process.stdout.readline():
            said = json.loads(line)
            if "progress" in said:
                yield _progress(said["progress"])
            elif "error" in said:
                raise _error(said["error"])
            else:
                return
        raise ServiceUnavailable(
            f"The process that worked on the model died (code {await process.wait()}).",
            remedy="Try again: it goes on where it stopped.",
        )
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _progress(said: dict[str, Any]) -> Progress:
    transfer = said.pop("transfer")
    return Progress(**said, transfer=Transfer(**transfer) if transfer else None)


def _error(said: dict[str, Any]) -> StudioError:
    return by_reason(said["reason"])(
        said["message"],
        remedy=said["remedy"],
        metadata=said["metadata"],
        fields=said["fields"],
    )
