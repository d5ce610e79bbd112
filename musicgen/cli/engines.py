"""`musicgen engines`: what can make music here."""

from __future__ import annotations

import click

from musicgen.api.engine.v1 import engine_pb2
from musicgen.cli.jsonable import engine_state, engine_to_json
from musicgen.cli.output import clock, print_json, print_table
from musicgen.cli.shell import Shell, studio_options


@click.command(epilog="\b\nExample:\n  musicgen engines --json | jq '.engines[].options_schema'\n")
@studio_options
@click.pass_obj
def engines(shell: Shell) -> None:
    """List the engines and what each can do."""
    found = shell.ask(lambda studio: studio.list_engines())
    if shell.json:
        print_json({"engines": [engine_to_json(engine) for engine in found]})
        return
    print_table(
        ("ENGINE", "STATE", "LENGTH", "LYRICS", "LICENCE", "OPTIONS", "ABOUT"),
        (
            (
                engine.manifest.name,
                engine_state(engine),
                lengths(engine.manifest),
                "sung" if engine.manifest.supports_lyrics else "",
                engine.manifest.license,
                ", ".join(engine_to_json(engine)["options_schema"].get("properties", {})),
                engine.detail or engine.manifest.description,
            )
            for engine in found
        ),
        stretch=6,
        empty="This studio has no engines.",
    )


def lengths(manifest: engine_pb2.EngineManifest) -> str:
    """Return the range of lengths that an engine makes."""
    return f"{clock(manifest.min_duration_seconds)} to {clock(manifest.max_duration_seconds)}"
