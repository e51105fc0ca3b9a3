"""The face toward the terminal: parse, call, print."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import __version__
from harness.errors import ExitCode, HarnessError, UsageError
from harness.stopping import STOP_SIGNALS

if TYPE_CHECKING:
    from harness.report.manifest import Setting
    from harness.scenario.model import World
    from harness.scenario.vocabulary import Vocabulary

Function = Callable[..., Any]
MOST_SEEDS = 100_000
"""Runs of one scenario that one command plans: weeks of them, and still at once."""
DEBUG = "HARNESS_DEBUG"
"""Set in the environment, an error that nobody expected shows its traceback."""
EPILOG = "Exit codes: " + ", ".join(f"{code.value} {code.name.lower()}" for code in ExitCode)


def _errors_as_exit_codes(function: Function) -> Function:
    """No traceback for a user's mistake: the message goes to standard error and the code is the error's own."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except HarnessError as error:
            click.echo(f"harness: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            _be_deaf()
            click.echo("harness: interrupted", err=True)
            sys.exit(ExitCode.INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise  # click's own way of ending, which it prints itself
        except BrokenPipeError:
            # Whoever read our output has seen enough (`harness list | head`);
            # the interpreter must not try to flush it again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(ExitCode.PASS)
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            click.echo(f"harness: {type(error).__name__}: {error} (set {DEBUG}=1 to see where)", err=True)
            sys.exit(ExitCode.ERROR)

    return wrapped


def _be_deaf() -> None:
    """Everything is done and told: one Ctrl-C more must not turn the exit code into that of a killed process."""
    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _command(**options: Any) -> Callable[[Function], Any]:
    def decorate(function: Function) -> Any:
        return main.command(epilog=EPILOG, **options)(_errors_as_exit_codes(function))

    return decorate


class _Commands(click.Group):
    """A group that guesses which command was meant."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        import difflib

        if args and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{guess}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(__version__, prog_name="harness")
def main() -> None:
    """Prove that a scheduler keeps its promises under load, faults, restarts and time."""


paths_argument = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one value, e.g. cycles.count=200."
)
world_option = click.option(
    "--world",
    type=click.Choice(["real", "sim"]),
    envvar="HARNESS_WORLD",
    help="Where to run; default: the file's first.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), envvar="HARNESS_SEED", help="Run with this seed instead of the file's."
)


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
@click.option("-q", "--quiet", is_flag=True, help="Print verdicts only.")
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
    quiet: bool,
    as_json: bool,
) -> None:
    """Run scenario files or folders of them and judge what happened.

    Example: harness run scenarios/chaos --seeds 1..5 -n 2
    """
    from harness import session
    from harness.terminal import run_all

    planned = session.plan(
        paths, world=_world(world), seeds=_seeds(seed, seeds), overrides=overrides, mutant=mutant, only=only
    )
    if not planned:
        raise UsageError(f"--only: no scenario in these files is called {only!r}")
    settings = _settings(overrides)
    code = run_all(planned, reports, workers=workers, quiet=quiet, as_json=as_json, settings=settings)
    if code is ExitCode.INTERRUPTED:
        _be_deaf()
    sys.exit(code)


@_command()
@paths_argument
@set_option
@json_option
def validate(paths: tuple[Path, ...], overrides: tuple[str, ...], as_json: bool) -> None:
    """Check scenario files without running them; every problem with file, line and column.

    Example: harness validate scenarios
    """
    from harness import session

    loaded = session.load_all(session.find_files(paths), _words(), overrides)
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

    for loaded in session.load_all(session.find_files([path]), _words(), overrides):
        chosen = loaded.scenario.all_seeds()[0] if seed is None else seed
        explain_one(loaded, chosen, as_json=as_json)


@_command(name="list")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH...]")
@json_option
def list_(paths: tuple[Path, ...], as_json: bool) -> None:
    """List scenarios with what each is about (default: the folder scenarios).

    Example: harness list scenarios/load
    """
    from harness import session
    from harness.terminal import print_table

    loaded = session.load_all(session.find_files(paths or (Path("scenarios"),)), _words())
    rows = [
        {
            "name": one.scenario.name,
            "kind": one.scenario.kind.value,
            "worlds": ", ".join(world.value for world in one.scenario.worlds),
            "about": one.scenario.about,
            "file": str(one.source.path),
        }
        for one in loaded
    ]
    print_table(rows, as_json=as_json)


@_command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors.

    Example: harness schema > scenario.schema.json
    """
    from harness.scenario.schema import json_schema

    click.echo(json.dumps(json_schema(_words()), indent=2))


@_command()
@json_option
def faults(as_json: bool) -> None:
    """List the faults there are, with their arguments.

    Example: harness faults
    """
    from harness.terminal import arguments_of, print_table

    rows = [
        {
            "kind": name,
            "acts on": ", ".join(words.accepts),
            "worlds": ", ".join(world.value for world in words.worlds),
            "arguments": arguments_of(words.args),
            "about": words.about,
        }
        for name, words in sorted(_words().faults.items())
    ]
    print_table(rows, as_json=as_json)


@_command()
@json_option
def checks(as_json: bool) -> None:
    """List the checks there are, with their arguments, and what `sometimes` can name.

    Example: harness checks
    """
    from harness.terminal import arguments_of, print_table

    words = _words()
    rows = [
        {
            "check": name,
            "sections": ", ".join(sorted(check.sections)),
            "arguments": arguments_of(check.args),
            "about": check.about,
        }
        for name, check in sorted(words.checks.items())
    ]
    rows += [{"check": name, "sections": "sometimes", "arguments": "", "about": ""} for name in sorted(words.events)]
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
@click.argument("path", type=click.Path(path_type=Path), default=Path("scenarios/regression/catalog.yaml"))
@click.option("--prove", is_flag=True, help="Run every guard twice: clean it must pass, with its mutant it must fail.")
@click.option("--only", default="", help="Prove only the entries whose id contains this.")
@click.option("--report", "reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@json_option
def catalog(path: Path, prove: bool, only: str, reports: Path, as_json: bool) -> None:
    """List the regression catalogue, or prove that each entry catches its bug.

    Example: harness catalog --prove --only efsm
    """
    from harness import catalog as catalogue
    from harness.terminal import print_table

    entries = [entry for entry in catalogue.read(path) if only in entry.id]
    if not entries:
        raise UsageError(f"no entry of {path} has {only!r} in its id")
    if not prove:
        print_table([entry.row() for entry in entries], as_json=as_json)
        return
    proofs = [catalogue.prove(entry, reports, say=lambda text: click.echo(text, err=True)) for entry in entries]
    print_table([proof.row() for proof in proofs], as_json=as_json)
    sys.exit(ExitCode.PASS if all(proof.proven for proof in proofs) else ExitCode.FAIL)


def _words() -> Vocabulary:
    from harness import vocabulary

    return vocabulary.build()


def _world(name: str | None) -> World | None:
    from harness.scenario.model import World

    return None if name is None else World(name)


def _seeds(seed: int | None, seeds: str | None) -> list[int] | None:
    if seeds is None:
        return None if seed is None else [seed]
    low, dots, high = seeds.partition("..")
    if seed is not None:
        raise UsageError("--seed and --seeds exclude each other")
    if not (low.isdigit() and (high.isdigit() or not dots)):
        raise UsageError(f"--seeds: expected a range such as 1..20, found {seeds!r}")
    numbers = range(int(low), int(high or low) + 1)
    if not numbers:
        raise UsageError(f"--seeds: the range {seeds!r} ends before it begins")
    if len(numbers) > MOST_SEEDS:
        raise UsageError(f"--seeds: {len(numbers)} seeds are too many for one command; {MOST_SEEDS} at most")
    return list(numbers)


def _settings(overrides: tuple[str, ...]) -> dict[str, Setting]:
    """The settings in force that are not the file's own, with who set them; the command line has the last word."""
    from harness.report.manifest import Setting

    found = {}
    context = click.get_current_context()
    for name, value in context.params.items():
        source = context.get_parameter_source(name)
        if source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT") and name not in ("paths", "overrides"):
            shown = str(value) if isinstance(value, Path) else value
            found[name] = Setting(value=shown, source="command line" if source.name == "COMMANDLINE" else "environment")
    for override in overrides:
        key, _, value = override.partition("=")
        found[key] = Setting(value=value, source="command line")
    return found


if __name__ == "__main__":
    main()
