"""`musicgen engines`: what can make music here."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.padding import Padding
from rich.text import Text

from musicgen.cli.jsonable import engine_to_json
from musicgen.cli.output import STYLES, clock, console, print_json, print_table, printable
from musicgen.cli.shell import Shell, studio_options


@click.command(epilog="\b\nExample:\n  musicgen engines --json | jq '.engines[].options_schema'\n")
@studio_options
@click.pass_obj
def engines(shell: Shell) -> None:
    """List the engines and what each can do."""
    found = [engine_to_json(engine) for engine in shell.ask(lambda studio: studio.list_engines())]
    if shell.json:
        print_json({"engines": found})
    elif sys.stdout.isatty():
        for engine in found:
            describe(engine)
    else:
        print_table(
            (),
            (
                (
                    engine["name"],
                    engine["state"],
                    _lengths(engine),
                    engine["license"],
                    ",".join(_options(engine)),
                )
                for engine in found
            ),
            stretch=0,
            empty="",
        )


def describe(engine: dict[str, Any]) -> None:
    """Print what an engine is, and what each of its options means."""
    out = console()
    state = engine["state"]
    out.print(
        Text.assemble(
            (printable(engine["name"]), "bold"), "  ", (state, STYLES.get(state, "")),
            f"  {_lengths(engine)}, ",
            "sings lyrics" if engine["supports_lyrics"] else "instrumental",
            f"  {printable(engine['license'])}",
        )
    )  # fmt: skip
    for text in (engine["detail"], engine["description"]):
        if text:
            out.print(Padding(Text(printable(text)), (0, 0, 0, 2)))
    options = _options(engine)
    width = max(map(len, options), default=0)
    for name, schema in options.items():
        about = Text(f"{printable(name):<{width}}  ", "cyan")
        about.append(printable(_meaning(schema)), "default")
        out.print(Padding(about, (0, 0, 0, 2)))


def _lengths(engine: dict[str, Any]) -> str:
    return f"{clock(engine['min_duration_s'])} to {clock(engine['max_duration_s'])}"


def _options(engine: dict[str, Any]) -> dict[str, Any]:
    options = engine["options_schema"].get("properties")
    return options if isinstance(options, dict) else {}


def _meaning(schema: Any) -> str:
    """Say in a line what an option takes, from its JSON Schema."""
    if not isinstance(schema, dict):
        return ""
    parts = [str(schema.get("description", ""))]
    if "enum" in schema:
        parts.append("one of " + ", ".join(json.dumps(choice) for choice in schema["enum"]))
    elif "minimum" in schema and "maximum" in schema:
        parts.append(f"{schema['minimum']:g} to {schema['maximum']:g}")
    return "; ".join(part for part in parts if part)
