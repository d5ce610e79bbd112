"""The command line of the comparison."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from services.inference.engines.diffrhythm.golden.folder import Folder


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--salt", default="a:", show_default=True, help="Of the synthetic weights.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(folder: Path, salt: str, *, as_json: bool) -> None:
    """Compare the network with the golden values in FOLDER."""
    found = []
    for one in Folder(folder, salt).findings():
        found.append(one)
        if not as_json:
            mark = "ok   " if one.passed else "FAILS"
            click.echo(f"{mark} {one.file:22} {one.array:22} {one.error:9.2e}  ≤ {one.allowed:g}")
    failed = [one for one in found if not one.passed]
    if as_json:
        listed = [
            {"file": one.file, "array": one.array, "max_abs_error": one.error,
             "allowed": one.allowed, "passed": one.passed}
            for one in found
        ]  # fmt: skip
        click.echo(json.dumps(listed, indent=2))
    else:
        click.echo(f"{len(found) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed or not found else 0)


if __name__ == "__main__":
    main()
