"""`musicgen engines`: what can make music here."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.padding import Padding
from rich.text import Text

from musicgen.cli.jsonable import engine_to_json, environment_to_json, job_to_json
from musicgen.cli.output import STYLES, clock, console, print_json, print_table, printable, say
from musicgen.cli.shell import Shell, priority_option, studio_options
from musicgen.cli.work import run_job
from musicgen.client import specs


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  musicgen engines --json | jq '.engines[].options_schema'
  musicgen engines setup diffrhythm
""",
)
@studio_options
@click.pass_context
def engines(ctx: click.Context) -> None:
    """List the engines and what each can do; or set one up."""
    if ctx.invoked_subcommand is None:
        _list(ctx.ensure_object(Shell))


@engines.command()
@click.argument("engine", metavar="ENGINE")
@click.option("--repair", "action", flag_value="repair", help="Check every file; make it anew.")
@click.option("--remove", "action", flag_value="remove", help="Remove it, and what it takes.")
@priority_option
@studio_options
@click.pass_obj
def setup(shell: Shell, engine: str, action: str | None) -> None:
    """Make the environment that ENGINE runs in, with the build of torch that fits this
    machine; or repair or remove it. The name of its family will do, too."""
    action = action or "make"
    job = run_job(shell, specs.setup_engine(engine, action), f"Setting up {engine}")
    if shell.json:
        print_json({"job": job_to_json(job)})
        return
    environment = environment_to_json(job.result.environment)
    say(f"The environment of {engine} is {environment['state']}.")


def _list(shell: Shell) -> None:
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
            _abilities(engine),
            f"  {printable(engine['license'])}",
        )
    )  # fmt: skip
    environment = engine["environment"]
    wanting = environment["state"] not in ("ready", "not_needed", "unspecified")
    setup_hint = f"Not set up: `musicgen engines setup {engine['name']}`." if wanting else ""
    for text in (setup_hint, engine["detail"], engine["description"]):
        if text:
            out.print(Padding(Text(printable(text)), (0, 0, 0, 2)))
    options = _options(engine)
    width = max(map(len, options), default=0)
    for name, schema in options.items():
        about = Text(f"{printable(name):<{width}}  ", "cyan")
        about.append(printable(_meaning(schema)), "default")
        out.print(Padding(about, (0, 0, 0, 2)))


def _abilities(engine: dict[str, Any]) -> str:
    """Say what an engine can do beyond making music from a prompt."""
    can = ["sings lyrics" if engine["supports_lyrics"] else "instrumental"]
    if engine["supports_style_audio"]:
        can.append("takes a style from music")
    if engine["supports_edit"]:
        can.append("makes parts anew")
    if engine["checks_lyrics"]:
        can.append("checks lyrics")
    return ", ".join(can)


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
