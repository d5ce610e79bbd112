"""espeak-ng in its own process: started on first use, restarted once if it dies."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from musicgen.errors import EngineCrashed, EnvironmentBroken

VERSION = "1.51"
"""The model was trained with its phones; later ones say some words differently."""

_PROGRAM = Path(__file__).with_name("espeak_process.py")
_LONGEST_WAIT_S = 30.0
_LONGEST_ANSWER_BYTES = 1 << 24
_REMEDY = "Repair the engine's environment: musicgen engines setup diffrhythm --repair"


class Espeak:
    """Phones of English words. Safe to use from several threads, one after the other."""

    def __init__(self, python: str = sys.executable) -> None:
        """`python` is the interpreter of an environment with the wheel `espeak-english`."""
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._lock = threading.Lock()

    def phones(self, texts: Sequence[str]) -> list[str]:
        """Return the phones of each text: _ between phones, a space between words.

        Raises EnvironmentBroken if espeak-ng isn't there or is another version, EngineCrashed
        if it dies or hangs twice.
        """
        with self._lock:
            try:
                return self._ask(texts)
            except EngineCrashed:
                return self._ask(texts)

    def close(self) -> None:
        """End the process; a later question starts another."""
        with self._lock:
            self._end()

    def __enter__(self) -> Espeak:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, texts: Sequence[str]) -> list[str]:
        try:
            process = self._running()
            assert process.stdin is not None  # noqa: S101  # opened as a pipe below
            process.stdin.write(json.dumps({"texts": list(texts)}).encode() + b"\n")
            process.stdin.flush()
            answer = self._answer(process)
            phones = answer.get("phones")
            if not isinstance(phones, list) or len(phones) != len(texts):
                raise _crashed("answered something else than phones")
            return phones
        except OSError as error:
            self._end()
            raise _crashed("ended") from error
        except (EngineCrashed, EnvironmentBroken):
            self._end()
            raise

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        # Isolated: what is in the working folder or in PYTHONPATH is none of its business.
        self._process = subprocess.Popen(  # noqa: S603  # our own program
            [self._python, "-I", str(_PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        version = str(self._answer(self._process).get("version"))
        if version != VERSION:
            raise EnvironmentBroken(
                f"English needs espeak-ng {VERSION}; the engine's environment has {version}.",
                remedy=_REMEDY,
            )
        return self._process

    def _answer(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        row = self._row(process)
        try:
            answer = json.loads(row)
        except ValueError as error:
            raise _crashed("wrote something that is no answer") from error
        if not isinstance(answer, dict):
            raise _crashed("wrote something that is no answer")
        if "error" in answer:
            raise EnvironmentBroken(
                f"English lyrics need espeak-ng: {answer['error']}.", remedy=_REMEDY
            )
        return answer

    def _row(self, process: subprocess.Popen[bytes]) -> bytes:
        """Read a line, but don't wait for ever."""
        assert process.stdout is not None  # noqa: S101  # opened as a pipe above
        deadline = time.monotonic() + _LONGEST_WAIT_S
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise _crashed(f"said nothing for {_LONGEST_WAIT_S:g} s")
                chunk = os.read(process.stdout.fileno(), 1 << 16)
                if not chunk or len(self._unread) > _LONGEST_ANSWER_BYTES:
                    raise _crashed("ended")
                self._unread += chunk
        row, _, self._unread = self._unread.partition(b"\n")
        return row

    def _end(self) -> None:
        process, self._process, self._unread = self._process, None, b""
        if process is None:
            return
        with contextlib.suppress(OSError):  # what it never read is lost with it
            process.stdin.close()  # type: ignore[union-attr]  # opened as a pipe above
        try:
            process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()  # type: ignore[union-attr]  # opened as a pipe above


def _crashed(what: str) -> EngineCrashed:
    return EngineCrashed(f"espeak-ng, which reads English lyrics, {what}.")
