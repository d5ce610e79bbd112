"""Guards of the studio, and copies of it that lack one: each invariant must be seen to break."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from musicgen.local.parts import code_root

_COPIED = ("services", "musicgen", "gateway", "tests/chaos", "tests/__init__.py")


class CannotSabotage(Exception):
    """The text that a guard is known by is not where it was."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What keeps an invariant true. Without `patches` (file, text, text instead) it is gone;
    then a run of `scenario` must report that one of `breaks` is broken."""

    name: str
    what: str
    scenario: str
    breaks: Sequence[str]
    patches: Sequence[tuple[str, str, str]]


GUARDS = (
    Guard(
        "attempts",
        "a job that kills every worker is given up",
        "poison",
        ("attempts_over_limit",),
        (
            (
                "services/jobs/lua/_lib.lua",
                "tonumber(get(id, 'attempt')) >= tonumber(get(id, 'max_attempts'))",
                "false",
            ),
        ),
    ),
    Guard(
        "fence",
        "only the newest claim of a job may report",
        "two_claims",
        ("stale",),
        (
            (
                "services/jobs/lua/_lib.lua",
                "and get(id, 'fence') == fence and get(id, 'outcome') == ''",
                "and get(id, 'outcome') == ''",
            ),
        ),
    ),
    Guard(
        "fence-grows",
        "every claim gets a greater fence",
        "one_job",
        ("fence_regressions",),
        (
            (
                "services/jobs/lua/claim.lua",
                "'HINCRBY', job_key(chosen), 'fence', 1)",
                "'HINCRBY', job_key(chosen), 'fence', 0)",
            ),
        ),
    ),
    Guard(
        "request-id",
        "a request id is remembered with its job",
        "lost_create",
        ("request_ids_with_two_jobs",),
        (
            (
                "services/jobs/lua/create.lua",
                "remember_request(request_id, digest, 'job', id, ARGV[7])\n",
                "",
            ),
        ),
    ),
    Guard(
        "durable",
        "an accepted job is on disk before the answer",
        "store_killed",
        ("lost",),
        (("musicgen/local/valkey.py", "appendonly yes\n", "appendonly no\n"),),
    ),
    Guard(
        "publish-once",
        "a job that left the outbox is not ended again",
        "lost_publish",
        ("doubled",),
        (
            (
                "services/jobs/lua/publish.lua",
                "if not redis.call('ZSCORE', P .. 'outbox', id) then return 'OK' end\n",
                "",
            ),
        ),
    ),
    Guard(
        "register-once",
        "the library knows a job's output again",
        "killed_while_publishing",
        ("orphaned",),
        (
            (
                "services/library/track.py",
                'f"{job_id}|{output_index}"',
                """f"{job_id}|{output_index}|{__import__('os').getpid()}\"""",
            ),
        ),
    ),
    Guard(
        "registered-first",
        "a job succeeds when the library has its track, not before",
        "library_away",
        ("torn",),
        (("services/jobs/publisher.py", "raise from_rpc_error(error) from error", "continue"),),
    ),
    Guard(
        "whole-files",
        "a file gets its name when it is whole",
        "killed_while_writing",
        ("torn",),
        (
            (
                "services/inference/finishing.py",
                'target = folder / f".{_MIX}.{self._format.extension}"\n',
                (
                    'target = self._store.path(f"{self._prefix}/{self._mix_name}")\n'
                    "        target.parent.mkdir(parents=True, exist_ok=True)\n"
                ),
            ),
        ),
    ),
    Guard(
        "lease",
        "a job whose worker fell silent is freed",
        "worker_gone",
        ("unended",),
        (
            (
                "services/jobs/lua/reconcile.lua",
                "attempt_over(id, ARGV[1], true, 0)",
                "redis.call('ZREM', P .. 'due', id)",
            ),
        ),
    ),
    Guard(
        "rev",
        "every change counts by one",
        "one_job",
        ("rev_gaps",),
        (
            (
                "services/jobs/lua/_lib.lua",
                "redis.call('HINCRBY', job_key(id), 'rev', 1)",
                "redis.call('HINCRBY', job_key(id), 'rev', 2)",
            ),
        ),
    ),
    Guard(
        "taken-out",
        "a job that has ended waits nowhere",
        "cancelled",
        ("left_in_queues",),
        (
            (
                "services/jobs/lua/_lib.lua",
                "local function finish(id, state)\n  take_out(id)\n",
                "local function finish(id, state)\n",
            ),
        ),
    ),
    Guard(
        "batch-counts",
        "a batch counts each job in one state",
        "batch",
        ("batch_miscounts",),
        (
            (
                "services/jobs/lua/_lib.lua",
                "if old ~= '' then redis.call('HINCRBY', P .. 'batch:' .. batch, old, -1) end\n",
                "",
            ),
        ),
    ),
    Guard(
        "told-twice",
        "a change that comes again is passed over",
        "old_cursors",
        ("watchers_doubled", "watchers_wrong"),
        (("musicgen/client/view.py", "if event.rev <= known_rev:", "if False:"),),
    ),
)

BY_NAME = {guard.name: guard for guard in GUARDS}


def copy_without(guard: Guard, folder: Path) -> Path:
    """Copy the studio and this suite into `folder`, without the guard, and return it. Raises
    CannotSabotage if a text of its patches is not there exactly once."""
    for name in _COPIED:
        source, target = code_root() / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for name, old, new in guard.patches:
        text = (folder / name).read_text(encoding="utf-8")
        if (count := text.count(old)) != 1:
            raise CannotSabotage(
                f"{guard.name}: {name} holds {old!r} {count} times; the guard is known by it."
            )
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    return folder
