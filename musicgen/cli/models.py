"""`musicgen models`: the weights that engines use."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from musicgen.api.inference.v1 import model_pb2
from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli.jsonable import job_to_json, model_state, model_to_json
from musicgen.cli.output import print_facts, print_json, print_table, say, size
from musicgen.cli.shell import Shell, priority_option, studio_options
from musicgen.cli.work import run_job
from musicgen.client import specs
from musicgen.client.studio import Studio
from musicgen.errors import Cancelled, ModelNotInstalled

POLL_S = 0.3


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  musicgen models
  musicgen models install diffrhythm-1.2-base
  musicgen models import diffrhythm-1.2-base /media/usb/models
  musicgen models verify diffrhythm-1.2-base
  musicgen models --json | jq -r '.models[] | select(.state == "installed") | .name'

\b
Mirrors: set HF_ENDPOINT for the studio. Tokens: `hf auth login`, or HF_TOKEN.
""",
)
@click.option("--engine", default="", help="Only those of this engine.")
@studio_options
@click.pass_context
def models(ctx: click.Context, engine: str) -> None:
    """List the models; or show, install, import, verify, load, unload or remove one."""
    if ctx.invoked_subcommand is None:
        _list(ctx.ensure_object(Shell), engine)


@models.command(name="list")
@click.option("--engine", default="", help="Only those of this engine.")
@studio_options
@click.pass_obj
def list_models(shell: Shell, engine: str) -> None:
    """List the models."""
    _list(shell, engine)


def _list(shell: Shell, engine: str) -> None:
    found = shell.ask(lambda studio: studio.models.list(engine))
    if shell.json:
        print_json({"models": [model_to_json(model) for model in found]})
        return
    print_table(
        ("MODEL", "STATE", "SIZE", "LICENCE", "WHAT"),
        (
            (
                model.name,
                model_state(model),
                size(model.size_bytes),
                model.licence.licence_id,
                model.detail or model.description,
            )
            for model in found
        ),
        stretch=4,
        empty="There are no models.",
    )


@models.command()
@click.argument("model", metavar="MODEL")
@studio_options
@click.pass_obj
def show(shell: Shell, model: str) -> None:
    """Show one model, and what its licence means."""
    _print(shell, shell.ask(lambda studio: studio.models.get(model)))


@models.command()
@click.argument("model", metavar="MODEL")
@click.option("--accept-licence", is_flag=True, help="The licences were read and are accepted.")
@priority_option
@studio_options
@click.pass_obj
def install(shell: Shell, model: str, accept_licence: bool) -> None:
    """Fetch MODEL and all that it needs. What is here already is not fetched again, and an
    install that was stopped goes on where it was."""
    accepted = accept_licence or _ask_for_licences(shell, model)
    spec = specs.install_model(model, accept_licence=accepted)
    _tell(shell, run_job(shell, spec, f"Installing {model}"))


@models.command(name="import")
@click.argument("model", metavar="MODEL")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--accept-licence", is_flag=True, help="The licences were read and are accepted.")
@priority_option
@studio_options
@click.pass_obj
def import_model(shell: Shell, model: str, folder: Path, accept_licence: bool) -> None:
    """Install MODEL from FOLDER of the studio's machine, without a network. The files may lie
    there under their names, in folders named like the models, or as a hub's cache."""
    accepted = accept_licence or _ask_for_licences(shell, model)
    spec = specs.install_model(
        model, accept_licence=accepted, folder=str(folder.expanduser().absolute())
    )
    _tell(shell, run_job(shell, spec, f"Importing {model}"))


@models.command()
@click.argument("model", metavar="MODEL")
@priority_option
@studio_options
@click.pass_obj
def verify(shell: Shell, model: str) -> None:
    """Read all files of MODEL, and compare them with what was promised."""
    _tell(shell, run_job(shell, specs.verify_model(model), f"Verifying {model}"))


@models.command()
@click.argument("model", metavar="MODEL")
@studio_options
@click.pass_obj
def remove(shell: Shell, model: str) -> None:
    """Remove MODEL from the disk, and what only it needed."""
    _done(shell, shell.ask(lambda studio: studio.models.remove(model)))


@models.command()
@click.argument("model", metavar="MODEL")
@studio_options
@click.pass_obj
def load(shell: Shell, model: str) -> None:
    """Load MODEL into memory, and wait until it is there."""

    async def until_loaded(studio: Studio) -> model_pb2.Model:
        now = await studio.models.load(model)
        while now.state == model_pb2.Model.STATE_LOADING:
            await asyncio.sleep(POLL_S)
            now = await studio.models.get(model)
        return now

    loaded = shell.ask(until_loaded)
    if loaded.state != model_pb2.Model.STATE_LOADED:
        raise ModelNotInstalled(
            loaded.detail or f"{model} was not loaded.", remedy="The studio's log says more."
        )
    _done(shell, loaded)


@models.command()
@click.argument("model", metavar="MODEL")
@studio_options
@click.pass_obj
def unload(shell: Shell, model: str) -> None:
    """Give the memory of MODEL back."""
    _done(shell, shell.ask(lambda studio: studio.models.unload(model)))


def _ask_for_licences(shell: Shell, name: str) -> bool:
    """Show the licences that must be accepted, and ask; only where somebody can answer: else
    the studio refuses, and its error names them."""

    async def all_of_it(studio: Studio) -> list[model_pb2.Model]:
        model = await studio.models.get(name)
        return [model, *[await studio.models.get(need) for need in model.needs]]

    if shell.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    found = shell.ask(all_of_it)
    left = {m.licence.licence_id: m.licence for m in found if not m.licence_accepted}
    for licence in left.values():
        say(f"{licence.title}\n{licence.url}")
        say(licence.summary)
        say(licence.meaning_for_tracks)
    if left and not click.confirm("Do you accept?", default=False, err=True):
        raise Cancelled("Nothing was installed.")
    return bool(left)


def _tell(shell: Shell, job: job_pb2.Job) -> None:
    if shell.json:
        print_json({"job": job_to_json(job)})
    else:
        _done(shell, job.result.model)


def _done(shell: Shell, model: model_pb2.Model) -> None:
    if shell.json:
        print_json({"model": model_to_json(model)})
    else:
        say(f"{model.display_name} is {model_state(model)}.")
        print(model.name)


def _print(shell: Shell, model: model_pb2.Model) -> None:
    if shell.json:
        print_json({"model": model_to_json(model)})
        return
    licence = model.licence
    accepted = "accepted" if licence.must_accept and model.licence_accepted else ""
    print_facts(
        (
            ("model", model.name),
            ("what", model.description),
            ("state", model_state(model)),
            ("detail", model.detail),
            ("engine", model.engine),
            ("from", f"{model.repository} at {model.revision}"),
            ("size", size(model.size_bytes)),
            ("on disk", size(model.installed_bytes)),
            ("memory", size(model.memory_bytes) if model.memory_bytes else ""),
            ("can do", ", ".join(model.capabilities)),
            ("needs", ", ".join(model.needs)),
            ("licence", " ".join(part for part in (licence.title, licence.url) if part)),
            ("", licence.summary),
            ("your tracks", licence.meaning_for_tracks),
            ("accepted", accepted),
        )
    )
