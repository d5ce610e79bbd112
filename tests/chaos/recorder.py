"""Reads the store's history as it is written, and checks each change against those before."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis.asyncio
import redis.exceptions

from services.jobs.store.connection import PREFIX

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_BLOCK_MS = 500
_RETRY_S = 0.05


@dataclass(slots=True)
class Story:
    """What the history told of one job."""

    rev: int = 0
    fence: int = 0
    state: str = ""
    owner: str = ""
    claims: int = 0
    ended: list[str] = field(default_factory=list)
    """Every change that told of its end; there should be one."""
    revs: list[int] = field(default_factory=list)
    """Revs of the changes that are never coalesced."""
    told: list[tuple[int, str, int, str]] = field(default_factory=list)
    """(milliseconds, state, fence, owner) of those."""


class Recorder:
    """Follows the history from its start, through any restart of the store."""

    def __init__(self, socket: Path) -> None:
        self.redis: Any = redis.asyncio.Redis(unix_socket_path=str(socket), socket_timeout=None)
        self.stories: defaultdict[str, Story] = defaultdict(Story)
        self.changes = 0
        self.rev_gaps: list[str] = []
        self.fence_regressions: list[str] = []
        self.running: dict[str, str] = {}
        """Job → the worker that holds it."""
        self.ended: set[str] = set()
        self.last_change_s = time.monotonic()
        self._after = "0-0"

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._read(_BLOCK_MS)
            except (redis.exceptions.RedisError, OSError):
                await asyncio.sleep(_RETRY_S)

    async def catch_up(self) -> None:
        """Read to the end of the history. Raises RedisError."""
        while await self._read(1):
            pass

    async def close(self) -> None:
        """Close the connection."""
        await self.redis.aclose()

    async def _read(self, block_ms: int) -> int:
        answer = await self.redis.xread({f"{PREFIX}ev": self._after}, 500, block_ms)
        entries = answer[0][1] if answer else []
        for position, fields in entries:
            if position.decode() == self._after:
                continue
            self._after = position.decode()
            self._take({name.decode(): value for name, value in fields.items()}, self._after)
        return len(entries)

    def _take(self, fields: dict[str, bytes], position: str) -> None:
        kind = fields["kind"].decode()
        if kind == "queue":
            return
        self.changes += 1
        self.last_change_s = time.monotonic()
        job_id, rev = fields["job"].decode(), int(fields["rev"])
        story = self.stories[job_id]
        if rev != story.rev + 1:
            self.rev_gaps.append(f"job {job_id}: rev {story.rev} was followed by {rev}")
        story.rev = rev
        if kind != "changed":
            return
        self._follow(job_id, story, fields, int(position.partition("-")[0]))

    def _follow(self, job_id: str, story: Story, fields: dict[str, bytes], at_ms: int) -> None:
        state, fence = fields["state"].decode(), int(fields["fence"])
        owner = fields.get("owner", b"").decode()
        claimed = state == "RUNNING" and story.state == "QUEUED"
        if fence < story.fence or (claimed and fence == story.fence):
            self.fence_regressions.append(
                f"job {job_id}: fence {story.fence} was followed by {fence} ({state})"
            )
        story.claims += claimed
        story.revs.append(story.rev)
        story.told.append((at_ms, state, fence, owner))
        story.state, story.fence, story.owner = state, fence, owner
        if state in ENDED:
            story.ended.append(state)
            self.ended.add(job_id)
            self.running.pop(job_id, None)
        elif state == "QUEUED":
            self.running.pop(job_id, None)
        elif owner:
            self.running[job_id] = owner
