"""`musicgen up`: the studio on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from musicgen.cli.machine import launcher
from musicgen.cli.shell import Shell, run_async


class UpCommand(click.Command):
    """Takes everything after --exec as a command line of its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Cut the other command line off before click reads the rest."""
        if "--exec" in args:
            at = args.index("--exec")
            args, ctx.meta[__name__] = args[:at], args[at + 1 :]
            if not ctx.meta[__name__]:
                raise click.UsageError("--exec needs a command after it.", ctx)
        return super().parse_args(ctx, args)


@click.command(
    cls=UpCommand,
    epilog="""\b
Examples:
  musicgen up
  musicgen up --port 9000 --data ~/music/studio --open
  musicgen up --quiet --exec musicgen generate "calm piano" --duration 30 -o track.flac

Ctrl-C ends the studio and everything that it started. Jobs are kept: those under way go
on with the next start.
""",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Default: 8400, or the next free one; 0 takes any free one.",
)
@click.option(
    "--data",
    "data_root",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for all that the studio keeps. Default: $MUSICGEN_HOME, else the usual place.",
)
@click.option("--quiet", is_flag=True, help="Say only what goes wrong.")
@click.option("--open", "open_browser", is_flag=True, help="Open the studio in the browser.")
@click.option(
    "--exec",
    "exec_command",
    metavar="CMD ARGS...",
    help="Run this once everything works, then end. Must come last.",
)
@click.pass_context
def up(
    ctx: click.Context,
    /,
    *,
    port: int | None,
    data_root: Path | None,
    quiet: bool,
    open_browser: bool,
    exec_command: str | None,
) -> int:
    """Start the studio on this machine and keep it running until Ctrl-C."""
    command: list[str] | None = ctx.meta.get(__name__, exec_command)
    ctx.ensure_object(Shell)
    launch = launcher()
    options = launch.LaunchOptions(
        data_root=data_root,
        port=launch.DEFAULT_PORT if port is None else port,
        open_browser=open_browser,
        quiet=quiet,
        exec_command=command,
    )
    code: int = run_async(launch.up(options))
    return code
