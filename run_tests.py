#!/usr/bin/env python3
"""Named suites of tests, for people and CI; thin over pytest.

python run_tests.py                      the quick suite
python run_tests.py all --coverage       every test, with coverage of every process
python run_tests.py chaos -n 1           tests and scenario files of one kind
python run_tests.py tests/test_x.py -k y -- --pdb
"""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parent
USAGE = 2
"""Exit code for a command line that cannot be run; all others are pytest's."""
MOST_WORKERS = 8
"""More workers than this wait for each other's processes."""
NEEDED = (3, 11)
"""The oldest Python that the packages run on. An older one can still read this file, and is told."""


@dataclass(frozen=True)
class Suite:
    """What a suite holds: tests in `paths` that have the marker `having` (if any) and none of `without`."""

    about: str
    having: str = ""
    without: tuple[str, ...] = ()
    paths: tuple[str, ...] = ("tests",)
    workers: int = MOST_WORKERS
    options: tuple[str, ...] = ()
    """More words for pytest."""

    @property
    def expression(self) -> str:
        """The same for ``pytest -m``."""
        parts = [self.having] if self.having else []
        return " and ".join([*parts, *(f"not {name}" for name in self.without)])

    def holds(self, path: Path, markers: frozenset[str]) -> bool:
        """Whether a test in the file `path` (relative to the root) with these markers belongs to it."""
        inside = any(path.is_relative_to(folder) for folder in self.paths)
        return inside and (not self.having or self.having in markers) and not markers & set(self.without)


def _with_scenarios(kind: str, about: str, *, workers: int = MOST_WORKERS) -> Suite:
    return Suite(about, having=kind, paths=("tests", f"scenarios/{kind}"), workers=workers)


SUITES = {
    "quick": Suite(
        "unit tests without those of the simulated world, within thirty seconds",
        having="unit",
        without=("slow", "sim"),
        options=("--hypothesis-profile=quick",),
    ),
    # What is thorough proves at length what another test proves in short; CI and `regression` have it.
    "all": Suite(
        "every test, slow ones too, but for those marked thorough; within five minutes", without=("thorough",)
    ),
    "unit": Suite("fast and isolated tests", having="unit"),
    "integration": Suite(
        "several components together, real processes or sockets", having="integration", without=("thorough",)
    ),
    "sim": Suite(
        "the simulated world: kernel, boundary, libzmq, machine, held against the real ones at length",
        having="sim",
        options=("--hypothesis-profile=long",),
    ),
    "zmq": Suite("everything about ZeroMQ", having="zmq"),
    "governor": Suite("everything about governors", having="governor"),
    "regression": _with_scenarios("regression", "guards of defects once met, tests and scenario files"),
    # One at a time: a load that shares its processors with another run measures the other run.
    "load": _with_scenarios("load", "load: tests and scenario files", workers=1),
    "cycles": _with_scenarios("cycles", "life cycles: tests and scenario files"),
    "chaos": _with_scenarios("chaos", "chaos: tests and scenario files"),
}


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; returns only for ``--list``, since pytest takes this process over."""
    if sys.version_info < NEEDED:
        _fail(f"Python {'.'.join(map(str, NEEDED))} or newer is needed, this is {sys.version.split()[0]}.")
    own, rest = _split(arguments)
    options = _parser().parse_args(own)
    _require_pytest()
    os.chdir(ROOT)
    if options.list:
        return _list()
    command = pytest_command(options, rest)
    if not options.quiet:
        print("$ python", *command[1:], flush=True)  # the line to copy for a run of one's own
    # Not a child: exit code and signals are pytest's own without a word.
    return os.execv(sys.executable, command)


def pytest_command(options: argparse.Namespace, rest: Sequence[str]) -> list[str]:
    """The command that these options mean."""
    suite = _suite(options.suite)
    command = [sys.executable, "-m", "pytest", *suite.paths]
    wanted = [f"({expression})" for expression in (suite.expression, options.m) if expression]
    if wanted:
        command += ["-m", " and ".join(wanted)]
    if options.k:
        command += ["-k", options.k]
    workers = _workers(options.n, suite)
    if workers > 1:
        command += ["-n", str(workers), "--dist", "worksteal"]
    if options.coverage:
        command += ["--cov", "--cov-report=term", "--cov-report=html"]
    if options.quiet:
        command.append("-q")
    return [*command, *suite.options, *rest]


def _suite(name: str) -> Suite:
    if name in SUITES:
        return SUITES[name]
    if not Path(name.split("::")[0]).exists():
        near = difflib.get_close_matches(name, SUITES, 1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        _fail(f"{name!r} is neither a suite nor a path.{guess} Suites: {', '.join(SUITES)}.")
    return Suite("a path", paths=(name,))


def _workers(asked: str, suite: Suite) -> int:
    if asked == "auto":
        # Two more than processors: half of the time a test of real processes waits for them.
        return min(len(os.sched_getaffinity(0)) + 2, suite.workers)
    if not asked.isdecimal():
        _fail(f"-n: expected a number of workers or auto, found {asked!r}.")
    return int(asked)


def _list() -> int:
    import pytest

    counter = _Counter()
    folders = sorted({path for suite in SUITES.values() for path in suite.paths if Path(path).exists()})
    code = pytest.main(["--collect-only", "-qq", "--disable-warnings", *folders], plugins=[counter])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):  # none is left by the counter
        return int(code)
    for name, suite in SUITES.items():
        count = sum(suite.holds(path, markers) for path, markers in counter.found)
        print(f"{name:<12} {count:>5} tests  {suite.about}")
    return 0


class _Counter:
    """A pytest plugin that notes each collected test instead of having it printed."""

    def __init__(self) -> None:
        self.found: list[tuple[Path, frozenset[str]]] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            markers = frozenset(mark.name for mark in item.iter_markers())
            self.found.append((item.path.relative_to(ROOT), markers))

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> None:
        items.clear()  # nothing is left to be printed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_tests.py",
        description="Run a named suite of tests.",
        epilog="What follows `--` goes to pytest.",
    )
    parser.add_argument("suite", nargs="?", default="quick", help=f"a path, or one of: {', '.join(SUITES)}")
    parser.add_argument("--coverage", action="store_true", help="measure coverage, children included (htmlcov/)")
    parser.add_argument("--list", action="store_true", help="list the suites and how many tests each holds")
    parser.add_argument("-m", metavar="EXPR", default="", help="only tests whose markers match")
    parser.add_argument("-k", metavar="EXPR", default="", help="only tests whose names match")
    parser.add_argument("-n", metavar="N", default="auto", help="workers (default: auto, two more than processors)")
    parser.add_argument("-q", dest="quiet", action="store_true", help="say less")
    return parser


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    words = list(arguments)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _require_pytest() -> None:
    for module in ("pytest", "xdist", "pytest_cov", "pytest_timeout"):
        if importlib.util.find_spec(module) is None:
            _fail(f"{module} is missing; install what tests need: pip install -e '.[dev]'")


def _fail(message: str) -> NoReturn:
    print(f"run_tests.py: {message}", file=sys.stderr)
    sys.exit(USAGE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
