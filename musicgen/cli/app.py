"""The command `musicgen`: its subcommands, loaded when they are needed, and its errors."""

from __future__ import annotations

import importlib
import sys
from typing import Any, NoReturn

import click

from musicgen import __version__
from musicgen.cli.exits import Exit, WorkFailed, exit_code, from_click, from_os, report
from musicgen.cli.reader import silence_stdout
from musicgen.cli.shell import Shell
from musicgen.errors import Cancelled, StudioError

_COMMANDS = {
    "generate": "Make a track from a description of the music.",
    "vary": "Make variations of a track: a new melody, other drums, another take.",
    "regenerate": "Make parts of a track anew, and leave all else as it is.",
    "lyrics": "Check whether lyrics can be sung as they stand.",
    "loop": "Repeat a track or a file to a length, without an audible seam.",
    "loops": "Find the cycles of a track or a file that repeat without an audible seam.",
    "export": "Save a track with its tags as FLAC, WAV, MP3, Opus, OGG or M4A.",
    "batch": "Have many jobs done, a line of a file each.",
    "batches": "List, show or cancel what was accepted together.",
    "queue": "Show what waits, in order; pause or resume.",
    "jobs": "List, show, move, cancel, retry or delete jobs.",
    "watch": "Follow jobs live.",
    "tracks": "List, show, edit or delete the library's tracks.",
    "engines": "List the engines and what each can do, or set one up.",
    "models": "List, install, verify, load or remove the models of engines.",
    "devices": "List what engines can compute on, and choose.",
    "health": "Ask every part of the studio whether it can do its work.",
    "up": "Start the studio on this machine.",
    "doctor": "Look for what is wrong with this machine's studio.",
}
"""Module and command of each name, and what `musicgen --help` says of it: so that help
doesn't have to load gRPC."""


class Root(click.Group):
    """Loads a command's module only when it is run, and turns every error into a message
    and an exit code."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order in which people need them."""
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"musicgen.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def main(self, *positional: Any, **named: Any) -> NoReturn:
        """Run a command line, as click's own `main` does, and exit."""
        args = positional[0] if positional else named.pop("args", None)
        sys.exit(self._run(list(sys.argv[1:] if args is None else args), named))

    def _run(self, args: list[str], named: dict[str, Any]) -> int:
        named |= {"prog_name": "musicgen", "standalone_mode": False}
        # What follows --exec is another program's command line.
        as_json = "--json" in (args[: args.index("--exec")] if "--exec" in args else args)
        try:
            result = super().main(args, **named)
        except WorkFailed as failed:
            error, code = failed.error, exit_code(failed.error, of_work=True)
        except StudioError as refused:
            error, code = refused, exit_code(refused)
        except click.exceptions.NoArgsIsHelpError as asked:
            asked.show()
            return Exit.INVALID
        except click.ClickException as wrong:
            error, code = from_click(wrong), Exit.INVALID
        except (click.Abort, KeyboardInterrupt):
            error, code = Cancelled("Stopped."), Exit.CANCELLED
        except BrokenPipeError:
            # Whoever read our output has seen enough; nothing more can be said there.
            silence_stdout()
            return Exit.FAILED
        except OSError as failure:
            error, code = from_os(failure), Exit.FAILED
        else:
            return result if isinstance(result, int) else Exit.OK
        report(error, code, as_json=as_json)
        return code


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "obj": None, "max_content_width": 100},
    epilog="""\b
Examples:
  musicgen up
  musicgen generate "warm lofi hip hop, 82 bpm, rainy night" --duration 60 -o out.flac
  musicgen vary 4k2j9x --layer lead --count 3
  musicgen regenerate 4k2j9x --part 12.5-20
  musicgen loop out.flac --length 2h -o sleep.mp3
  musicgen batch night.jsonl
  musicgen jobs --json | jq -r '.jobs[] | select(.state == "failed") | .job_id'

\b
Exit codes:
  0    done
  1    the work failed
  2    usage: the request can't be served as it is
  3    no such job, track, engine or file
  4    the studio can't be reached
  5    something ran out: disk, queue, memory
  130  cancelled
""",
)
@click.version_option(__version__, prog_name="musicgen")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A music studio on your own machine: make tracks from words, loop them without a
    seam, keep and export them.

    `musicgen up` starts the studio; every other command talks to it.
    """
    ctx.ensure_object(Shell)


def main() -> NoReturn:
    """Run the command line of this process."""
    cli.main()
