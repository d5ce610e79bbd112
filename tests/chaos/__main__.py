"""Breaks a studio at random and says what that cost."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.namespace import NoNamespace, enter
from tests.chaos.sabotage import BY_NAME, GUARDS, CannotSabotage, copy_without

_EXAMPLES = """\
examples:
  python -m tests.chaos --seed 1 --jobs 3000 --faults 200
  python -m tests.chaos --jobs 50 --faults 10 --only "kill runner" --only "term jobs"
  python -m tests.chaos --json --keep /tmp/chaos > report.json
  python -m tests.chaos --without fence      (a copy of the studio that lacks this guard)
  python -m tests.chaos --aim two_claims     (the same story, the guard in its place)

guards:
{guards}

The last line on standard output is one JSON object. The exit code is 0 if every invariant
holds, 1 if one does not, 2 if the suite can't run here.
"""


def _arguments() -> argparse.Namespace:
    guards = "\n".join(f"  {guard.name:<18}{guard.what}" for guard in GUARDS)
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        epilog=_EXAMPLES.format(guards=guards),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn")
    parser.add_argument("--jobs", type=int, default=300, help="jobs to have accepted (300)")
    parser.add_argument("--faults", type=int, default=40, help="faults to be done (40)")
    parser.add_argument("--only", action="append", default=[], help="a kind of fault; repeatable")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    parser.add_argument("--keep", type=Path, help="a folder for logs, promises and the report")
    aimed = parser.add_mutually_exclusive_group()
    aimed.add_argument("--without", choices=sorted(BY_NAME), help="a guard to do without")
    aimed.add_argument("--aim", metavar="SCENARIO", help='one scenario, or "all"; no chance')
    arguments = parser.parse_args()
    if arguments.jobs < 1 or arguments.faults < 0:
        parser.error("--jobs must be 1 or more, --faults 0 or more")
    return arguments


def _without(arguments: argparse.Namespace) -> int:
    """Run this suite in a copy of the studio that lacks a guard."""
    guard = BY_NAME[arguments.without]
    with tempfile.TemporaryDirectory(prefix="mg-sabotage-") as temporary:
        try:
            copy = copy_without(guard, Path(temporary))
        except CannotSabotage as error:
            print(error, file=sys.stderr)
            return 2
        command = [sys.executable, "-m", "tests.chaos", "--aim", guard.scenario]
        command += ["--seed", str(arguments.seed)] + ["--json"] * arguments.json
        if arguments.keep:
            command += ["--keep", str(arguments.keep.resolve())]
        return subprocess.run(command, cwd=copy, check=False).returncode


def _run(arguments: argparse.Namespace, folder: Path) -> int:
    from tests.chaos.faults import UnknownKind  # noqa: PLC0415
    from tests.chaos.run import Options, aimed, storm  # noqa: PLC0415  # slow to load
    from tests.chaos.scenarios import SCENARIOS, plan_for  # noqa: PLC0415

    began_s = time.monotonic()

    def tell(line: str) -> None:
        if not arguments.json:
            print(f"{time.monotonic() - began_s:6.0f} s  {line}", file=sys.stderr, flush=True)

    if arguments.aim:
        if arguments.aim not in (*SCENARIOS, "all"):
            print(f"There is no scenario {arguments.aim}: {', '.join(SCENARIOS)}", file=sys.stderr)
            return 2
        options = Options(arguments.seed, 0, 0, folder, plan_for(arguments.aim))
        report = asyncio.run(aimed(options, arguments.aim))
    else:
        only = tuple(arguments.only)
        options = Options(arguments.seed, arguments.jobs, arguments.faults, folder, only=only)
        try:
            report = asyncio.run(storm(options, tell))
        except UnknownKind as error:
            print(error, file=sys.stderr)
            return 2
    answer = report.to_json()
    where = json.dumps(answer | {"where": report.violations}, indent=1)
    (folder / "report.json").write_text(where, encoding="utf-8")
    if not arguments.json:
        print("\n".join(report.lines()))
    print(json.dumps(answer))
    return 0 if report.holds else 1


def main() -> int:
    """Run the suite."""
    arguments = _arguments()
    if arguments.without:
        return _without(arguments)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # broken connections are no news here
    try:
        enter([sys.executable, "-m", "tests.chaos", *sys.argv[1:]])
    except NoNamespace as error:
        print(f"The chaos suite needs disks of its own: {error}.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="mg-chaos-", ignore_cleanup_errors=True) as temporary:
        folder = (arguments.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return _run(arguments, folder)


if __name__ == "__main__":
    sys.exit(main())
