"""The face toward the terminal: parse, call, print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness import __version__
from harness.cli_errors import Commands, Function, be_deaf, end, errors_as_exit_codes
from harness.cli_options import (
    BOTH,
    json_option,
    paths_argument,
    seed_option,
    seeds_of,
    set_option,
    settings_of,
    words,
    world_of,
    world_option,
)
from harness.errors import ExitCode, UsageError

EPILOG = "Exit codes: " + ", ".join(f"{code.value} {code.name.lower()}" for code in ExitCode)


def _command(**options: Any) -> Callable[[Function], Any]:
    def decorate(function: Function) -> Any:
        return main.command(epilog=EPILOG, **options)(errors_as_exit_codes(function))

    return decorate


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(__version__, prog_name="harness")
def main() -> None:
    """Prove that a scheduler keeps its promises under load, faults, restarts and time."""


@_command()
@paths_argument
@world_option
@seed_option
@click.option("--seeds", metavar="A..B", help="Run once for each of these seeds.")
@set_option
@click.option(
    "--report",
    "reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    envvar="HARNESS_REPORT",
    show_default=True,
    help="Folder for the runs' folders.",
)
@click.option(
    "-n",
    "workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Runs at once, each in a process of its own.",
)
@click.option(
    "--mutant",
    default="",
    help="Break the target on purpose, to see that the scenario can fail (see `harness catalog`).",
)
@click.option("--only", default="", metavar="NAME", help="Of files with several scenarios, run the one of this name.")
@click.option(
    "--check-determinism",
    "twice",
    is_flag=True,
    help="Play each simulated run twice; show the first difference with both stacks.",
)
@click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="Print one line a run; of one that did not pass also what failed, and how to run it again.",
)
@click.option("--lifeline-fd", "lifeline", type=int, hidden=True, help="End the run when this pipe ends (see -n).")
@json_option
def run(
    paths: tuple[Path, ...],
    world: str | None,
    seed: int | None,
    seeds: str | None,
    overrides: tuple[str, ...],
    reports: Path,
    workers: int,
    mutant: str,
    only: str,
    twice: bool,
    quiet: bool,
    lifeline: int | None,
    as_json: bool,
) -> None:
    """Run scenario files or folders of them and judge what happened.

    Example: harness run scenarios/chaos --seeds 1..5 -n 2
    """
    from harness import session
    from harness.lifeline import watch
    from harness.playing import How, run_all

    if lifeline is not None:
        watch(lifeline)
    both = world == BOTH
    left_out: list[str] = []
    planned = session.plan(
        paths,
        world=world_of(world),
        both=both,
        seeds=seeds_of(seed, seeds),
        overrides=overrides,
        mutant=mutant,
        only=only,
        on_left_out=lambda loaded: left_out.append(loaded.scenario.name),
    )
    if left_out:
        click.echo(f"left out, as they do not run in {world}: {', '.join(left_out)}", err=True)
    if not planned:
        raise UsageError(f"--only: no scenario in these files is called {only!r}")
    if twice and not any(run.world.value == "sim" for run in planned):
        raise UsageError("--check-determinism: none of these runs is simulated, and only those repeat; add --world sim")
    how = How(workers=workers, quiet=quiet, as_json=as_json, twice=twice, agreement=both)
    code = run_all(planned, reports, how, settings=settings_of(overrides))
    if code is ExitCode.INTERRUPTED:
        be_deaf()
    sys.exit(code)


@_command()
@paths_argument
@set_option
@json_option
def validate(paths: tuple[Path, ...], overrides: tuple[str, ...], as_json: bool) -> None:
    """Check scenario files without running them; every problem with file, line and column.

    Example: harness validate scenarios
    """
    from harness import foresight, session

    loaded = session.load_all(session.find_files(paths), words(), overrides)
    for warning in foresight.refuse_the_futile(loaded):
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        click.echo(json.dumps([{"file": str(one.source.path), "name": one.scenario.name} for one in loaded]))
        return
    for one in loaded:
        click.echo(f"{one.source.path}: {one.scenario.name} is a valid scenario")


@_command()
@click.argument("path", type=click.Path(path_type=Path))
@seed_option
@set_option
@json_option
def explain(path: Path, seed: int | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print the timeline that would be played, without playing it.

    Example: harness explain scenarios/chaos/handlers_under_fire.yaml --seed 7
    """
    from harness import session
    from harness.terminal import explain_one

    for loaded in session.load_all(session.find_files([path]), words(), overrides):
        chosen = loaded.scenario.all_seeds()[0] if seed is None else seed
        explain_one(loaded, chosen, as_json=as_json)


@_command(name="list")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH...]")
@json_option
def list_(paths: tuple[Path, ...], as_json: bool) -> None:
    """List scenarios with what each is about (default: the folder scenarios); wrong files are told as well.

    Example: harness list scenarios/load
    """
    from harness import session
    from harness.cli_tables import print_table

    files = session.find_files(paths or (Path("scenarios"),))
    loaded, errors = session.load_each(files, words())
    rows = [
        {
            "name": one.scenario.name,
            "kind": one.scenario.kind.value,
            "worlds": [world.value for world in one.scenario.worlds],
            "about": one.scenario.about,
            "file": str(one.source.path),
        }
        for one in loaded
    ]
    if not errors:
        print_table(rows, as_json=as_json)
        return
    if not as_json:
        print_table(rows, as_json=False)
    wrong = session.WrongFiles(errors)
    end(wrong, wrong.exit_code, scenarios=rows)


@_command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors.

    Example: harness schema > scenario.schema.json
    """
    from harness.scenario.schema import json_schema

    click.echo(json.dumps(json_schema(words()), indent=2))


@_command()
@json_option
def faults(as_json: bool) -> None:
    """List the faults there are, with their arguments.

    Example: harness faults
    """
    from harness.cli_tables import arguments_of, print_table

    rows = [
        {
            "kind": name,
            "acts_on": list(kind.accepts),
            "worlds": [world.value for world in kind.worlds],
            "arguments": arguments_of(kind.args),
            "about": kind.about,
        }
        for name, kind in sorted(words().faults.items())
    ]
    print_table(rows, as_json=as_json)


@_command()
@json_option
def checks(as_json: bool) -> None:
    """List the checks there are, with their arguments, and what `sometimes` can name.

    Example: harness checks
    """
    from harness.cli_tables import arguments_of, print_table

    known = words()
    rows = [
        {
            "check": name,
            "sections": sorted(check.sections),
            "arguments": arguments_of(check.args),
            "about": check.about,
        }
        for name, check in sorted(known.checks.items())
    ]
    rows += [{"check": name, "sections": ["sometimes"], "arguments": [], "about": ""} for name in sorted(known.events)]
    print_table(rows, as_json=as_json)


@_command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN-DIR")
@json_option
def report(folder: Path, as_json: bool) -> None:
    """Judge a stored run again, write its reports anew, and print the verdict.

    Example: harness report reports/20260101-120000-load.steady-real-4711
    """
    from harness.terminal import report_again

    sys.exit(report_again(folder, as_json=as_json))


@_command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN-DIR")
@json_option
def replay(folder: Path, as_json: bool) -> None:
    """Play a stored simulated run again from its seed and its choices; it must come out the same, byte for byte.

    Example: harness replay reports/20260101-120000-load.steady-sim-4711
    """
    from harness.replay import replay_and_tell

    sys.exit(replay_and_tell(folder, as_json=as_json))


@_command()
@json_option
def boundary(as_json: bool) -> None:
    """List what a simulated world simulates, fences (refuses, with the place of the call) and passes through.

    Example: harness boundary --json
    """
    from harness.cli_tables import print_table
    from harness.sim.boundary import registry

    print_table([entry.as_json() for entry in registry.all()], as_json=as_json)


@_command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("scenarios/regression/catalog.yaml"))
@click.option("--prove", is_flag=True, help="Run every guard twice: clean it must pass, with its mutant it must fail.")
@world_option
@click.option("--only", default="", help="Prove only the entries whose id contains this.")
@click.option("--report", "reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@json_option
def catalog(path: Path, prove: bool, world: str | None, only: str, reports: Path, as_json: bool) -> None:
    """List the regression catalogue, or prove that each entry catches its bug.

    Example: harness catalog --prove --only efsm --world both
    """
    from harness import catalog as catalogue
    from harness.cli_tables import print_table

    entries = [entry for entry in catalogue.read(path) if only in entry.id]
    if not entries:
        raise UsageError(f"no entry of {path} has {only!r} in its id")
    if not prove:
        print_table([entry.row() for entry in entries], as_json=as_json)
        return
    proofs = []
    for entry in entries:
        proofs += catalogue.prove(
            entry, reports, world=world_of(world), both=world == BOTH, say=lambda text: click.echo(text, err=True)
        )
    print_table([proof.row() for proof in proofs], as_json=as_json)
    sys.exit(ExitCode.PASS if all(proof.proven for proof in proofs) else ExitCode.FAIL)


if __name__ == "__main__":
    main()
