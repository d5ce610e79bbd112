"""The connection to the store's server, and how a script of ../lua is run on it."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

import redis.asyncio
import redis.exceptions

from musicgen.errors import StoreUnavailable
from musicgen.rpc import log
from services.jobs.records import JobRecord

PREFIX = "{musicgen}:"
CONNECTIONS = 100
ANSWER_TIMEOUT_S = 5.0
"""A server that is silent for so long is away, and the connection to it dead."""
WAIT_LIMIT_S = 2.0
"""No wait for work or for changes takes longer, whatever is asked for."""
_SCRIPTS = Path(__file__).parents[1] / "lua"
_LIBRARY = (_SCRIPTS / "_lib.lua").read_text()

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def guarded(
    method: Callable[Arguments, Coroutine[Any, Any, Result]],
) -> Callable[Arguments, Coroutine[Any, Any, Result]]:
    """Make whatever the server answers when it can't serve a StoreUnavailable."""

    @functools.wraps(method)
    async def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await method(*args, **kwargs)
        except TimeoutError as error:
            raise StoreUnavailable(
                "The job store does not answer in time.", retry_after_s=1.0
            ) from error
        except (redis.exceptions.RedisError, OSError) as error:
            # What redis-py says names sockets and hosts: for the log, not for clients.
            said = str(error)
            defect = said.startswith("user_script")  # of ours; a server that is full says OOM
            log.get().log(
                logging.ERROR if defect else logging.WARNING, "store unavailable", why=said
            )
            raise StoreUnavailable(
                "The job store does not answer or takes no writes.", retry_after_s=1.0
            ) from error

    return call


def _whole(script: str) -> str:
    """Put the library before a script, and the script's flags before both: those that free
    memory, or hold on to work, run when the server's memory is full, too."""
    if not script.startswith("#!"):
        return _LIBRARY + script
    flags, rest = script.split("\n", 1)
    return f"{flags}\n{_LIBRARY}{rest}"


class Connection:
    """What every part of the store is built on."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._redis: Any = client  # redis-py's types mix sync and async answers
        self._scripts = {
            path.stem: client.register_script(_whole(path.read_text()))
            for path in _SCRIPTS.glob("[!_]*.lua")
        }

    @classmethod
    def connect(cls, url: str) -> Self:
        """Use the server at `url` ("redis://host:port" or "unix:///path.sock")."""
        # Callers beyond the pool's size wait for a connection; they are not refused. No
        # socket_timeout: redis-py enforces it with wait_for, which may lose a cancellation.
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=None,
            socket_timeout=None,
        )
        return cls(redis.asyncio.Redis.from_pool(pool))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _run(self, script: str, *args: str | bytes | float) -> Any:
        return await self._scripts[script](keys=[PREFIX], args=args)

    async def _records(self, ids: Sequence[str]) -> list[JobRecord]:
        pipe = self._redis.pipeline(transaction=False)
        for id in ids:
            pipe.hgetall(f"{PREFIX}job:{id}")
        found = zip(ids, await pipe.execute(), strict=True)
        return [JobRecord.parse(id, fields) for id, fields in found if fields]
