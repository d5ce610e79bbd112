"""The same question about several things: one that is refused keeps none of the others from
being asked."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from musicgen.cli.shell import Shell
from musicgen.client.studio import Studio
from musicgen.errors import StudioError, Unavailable

Answer = TypeVar("Answer")


class Asked:
    """The questions so far, and the first refusal."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.refusal: StudioError | None = None

    def of(
        self, names: Sequence[str], question: Callable[[Studio, str], Awaitable[Answer]]
    ) -> list[Answer]:
        """Ask about each name. Returns what was answered."""

        async def ask_all(studio: Studio) -> list[Answer]:
            answers = []
            for name in names:
                try:
                    answers.append(await question(studio, name))
                except Unavailable:
                    raise
                except StudioError as error:
                    self.refusal = self.refusal or error
            return answers

        return self._shell.ask(ask_all) if names else []


@contextlib.contextmanager
def ask_each(shell: Shell) -> Iterator[Asked]:
    """Ask, print the answers, and at the end raise the first refusal if there was one."""
    asked = Asked(shell)
    yield asked
    if asked.refusal:
        raise asked.refusal
