"""`musicgen devices`: what engines compute on."""

from __future__ import annotations

from collections.abc import Iterable

import click

from musicgen.api.inference.v1 import device_pb2
from musicgen.cli.jsonable import device_to_json
from musicgen.cli.output import print_json, print_table, say, size
from musicgen.cli.shell import Shell, studio_options


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  musicgen devices
  musicgen devices use cuda:0
  musicgen devices use auto
""",
)
@studio_options
@click.pass_context
def devices(ctx: click.Context) -> None:
    """List what engines can compute on; or choose."""
    if ctx.invoked_subcommand is None:
        shell = ctx.ensure_object(Shell)
        found = shell.ask(lambda studio: studio.models.devices())
        _print(shell, found.devices, found.choice, found.trouble)


@devices.command()
@click.argument("device")
@studio_options
@click.pass_obj
def use(shell: Shell, device: str) -> None:
    """Let engines compute on DEVICE; "auto" leaves it to the studio."""
    found = shell.ask(lambda studio: studio.models.select_device(device))
    _print(shell, found.devices, found.choice, "")


def _print(shell: Shell, found: Iterable[device_pb2.Device], choice: str, trouble: str) -> None:
    listed = [device_to_json(device) for device in found]
    if shell.json:
        print_json({"devices": listed, "choice": choice, "trouble": trouble})
        return
    print_table(
        ("DEVICE", "CHOSEN", "MEMORY", "HALF", "NAME"),
        (
            (
                device["device_id"],
                "yes" if device["chosen"] else "",
                size(device["memory_bytes"]) if device["memory_bytes"] else "",
                device["half"],
                device["name"],
            )
            for device in listed
        ),
        stretch=4,
        empty="There are no devices.",
    )
    if trouble:
        say(trouble)
