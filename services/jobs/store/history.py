"""The history of all changes, and positions in it."""

from __future__ import annotations

import secrets

from musicgen.errors import WatchCursorCompacted
from services.jobs.records import Change
from services.jobs.store.connection import PREFIX, WAIT_LIMIT_S, Connection, guarded


class History(Connection):
    """Reads changes, from any position that is kept."""

    @guarded
    async def epoch(self) -> str:
        """Return what this store's history is called; another store has another name."""
        key = f"{PREFIX}epoch"
        if not await self._redis.exists(key):  # a full server can still be watched
            await self._redis.set(key, secrets.token_hex(4), nx=True)
        return str((await self._redis.get(key)).decode())

    @guarded
    async def tail(self) -> str:
        """Return the position of the newest change, "0-0" if there is none."""
        newest = await self._redis.xrevrange(f"{PREFIX}ev", count=1)
        return str(newest[0][0].decode()) if newest else "0-0"

    @guarded
    async def history_length(self) -> int:
        """Return how many changes are kept."""
        return int(await self._redis.xlen(f"{PREFIX}ev"))

    @guarded
    async def check_position(self, position: str) -> None:
        """Raise WatchCursorCompacted if changes after `position` are not all kept, or if
        the position lies in a future that this store has not seen."""
        floor = (await self._redis.get(f"{PREFIX}floor") or b"0-0").decode()
        if not age(floor) <= age(position) <= age(await self.tail()):
            raise WatchCursorCompacted(
                "The history no longer holds what came after this cursor.",
                metadata={"oldest_position": floor},
            )

    @guarded
    async def changes(self, after: str, upto: str = "+", count: int = 500) -> list[Change]:
        """Return up to `count` changes after one position, up to and with another."""
        entries = await self._redis.xrange(f"{PREFIX}ev", f"({after}", upto, count)
        return [Change.parse(position, fields) for position, fields in entries]

    @guarded
    async def next_changes(self, after: str, wait_s: float, count: int = 500) -> list[Change]:
        """As `changes`, but wait up to `wait_s` for the first."""
        wait_ms = int(min(wait_s, WAIT_LIMIT_S) * 1000)
        answer = await self._redis.xread({f"{PREFIX}ev": after}, count, wait_ms)
        entries = answer[0][1] if answer else []
        return [Change.parse(position, fields) for position, fields in entries]


def age(position: str) -> tuple[int, int]:
    """Return what positions are ordered by: the smaller, the older."""
    milliseconds, _, number = position.partition("-")
    return int(milliseconds), int(number or 0)


def just_before(position: str) -> str:
    """Return a position that lies before this one and after all earlier changes."""
    milliseconds, number = age(position)
    return f"{milliseconds}-{number - 1}" if number else f"{milliseconds - 1}-{10**19 - 1}"


def is_position(text: str) -> bool:
    """Whether `text` has the form of a position."""
    parts = text.split("-")
    return len(parts) == 2 and all(
        part.isascii() and part.isdecimal() and len(part) < 20 for part in parts
    )
