"""`musicgen doctor`: what is wrong with this machine's studio."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import click
from rich.text import Text

from musicgen.cli import machine
from musicgen.cli.exits import Exit
from musicgen.cli.output import console, print_json, printable
from musicgen.cli.shell import Shell, run_async, studio_options

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


@click.command(epilog="Exits 1 if something is in the way of running a studio, else 0.")
@click.option(
    "--data",
    "data_root",
    type=click.Path(path_type=Path, file_okay=False),
    help="The studio's folder. Default: $MUSICGEN_HOME, else the usual place.",
)
@studio_options
@click.pass_obj
def doctor(shell: Shell, data_root: Path | None) -> int:
    """Look for what keeps the studio on this machine from working, and say what to do."""
    findings = run_async(machine.doctor().diagnose(data_root))
    healthy = all(finding.verdict.value != "failed" for finding in findings)
    if shell.json:
        print_json(
            {
                "healthy": healthy,
                "findings": [
                    {**dataclasses.asdict(finding), "verdict": finding.verdict.value}
                    for finding in findings
                ],
            }
        )
    else:
        out = console()
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            mark, style = _MARKS[finding.verdict.value]
            if (sys.stdout.encoding or "").lower() not in {"utf-8", "utf8"}:
                mark = finding.verdict.value
            line = Text.assemble(
                (mark, style), f" {finding.name:<{width}}  ", printable(finding.detail)
            )
            out.print(line, soft_wrap=True)
            if finding.remedy and finding.verdict.value != "ok":
                out.print(
                    Text(f"  {'':<{width}}  → {printable(finding.remedy)}", "dim"), soft_wrap=True
                )
    return Exit.OK if healthy else Exit.FAILED
