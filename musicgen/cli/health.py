"""`musicgen health`: whether the studio works, part by part."""

from __future__ import annotations

import click

from musicgen.api.system.v1 import system_service_pb2
from musicgen.cli.exits import Exit
from musicgen.cli.output import print_json, print_table
from musicgen.cli.shell import Shell, studio_options


@click.command(epilog="Exits 1 if a part is down, 4 if the whole studio can't be reached.")
@studio_options
@click.pass_obj
def health(shell: Shell) -> int:
    """Ask every part of the studio whether it can do its work now."""
    answer = shell.ask(lambda studio: studio.health())
    serving = answer.status == system_service_pb2.GetHealthResponse.STATUS_SERVING
    if shell.json:
        print_json(
            {
                "serving": serving,
                "version": answer.version,
                "components": [
                    {"name": part.name, "serving": part.serving, "detail": part.detail}
                    for part in answer.components
                ],
            }
        )
    else:
        print_table(
            ("PART", "STATE", "DETAIL"),
            (
                (part.name, "ok" if part.serving else "down", part.detail)
                for part in answer.components
            ),
            stretch=2,
            empty="The studio names no parts.",
        )
    return Exit.OK if serving else Exit.FAILED
