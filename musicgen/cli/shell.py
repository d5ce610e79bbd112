"""What every command shares: which studio, and whether a script is reading."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from musicgen.client.studio import Studio

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")


PRIORITIES = ("low", "normal", "high")


@dataclass
class Shell:
    """The options that every command takes."""

    address: str | None = None
    json: bool = False
    priority: str = ""
    """How urgent the jobs are that the command makes; "" means as usual."""

    def studio(self) -> Studio:
        """Return a connection to the studio that is meant."""
        # gRPC takes longer to load than all the rest, and help doesn't need it.
        from musicgen.client.address import find_endpoint  # noqa: PLC0415  # see above
        from musicgen.client.studio import Studio  # noqa: PLC0415  # see above

        return Studio(find_endpoint(self.address, os.environ))

    def ask(self, question: Callable[[Studio], Awaitable[Result]]) -> Result:
        """Connect, run `question` to its end, and disconnect."""

        async def answer() -> Result:
            async with self.studio() as studio:
                return await question(studio)

        return run_async(answer())


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` in an event loop. Raises KeyboardInterrupt if Ctrl-C ended it."""
    try:
        return asyncio.run(work)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _set_address(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        ctx.ensure_object(Shell).address = value


def _set_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Shell).json = True


def _set_priority(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        ctx.ensure_object(Shell).priority = value


def priority_option(command: Command, default: str = "normal") -> Command:
    """Add --priority to a command that makes jobs; it ends in its Shell, but for the default,
    which is only told here."""
    return click.option(
        "--priority",
        type=click.Choice(PRIORITIES),
        expose_value=False,
        callback=_set_priority,
        help=f"Of the jobs that wait, the most urgent start first. Default: {default}.",
    )(command)


def studio_options(command: Command) -> Command:
    """Add --address and --json to a command; they end in its Shell."""
    command = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_set_json,
        help="Answer in JSON, errors too; for scripts.",
    )(command)
    return click.option(
        "--address",
        metavar="HOST:PORT",
        expose_value=False,
        callback=_set_address,
        help="The studio to use. Default: $MUSICGEN_GATEWAY, else the one that runs here.",
    )(command)
