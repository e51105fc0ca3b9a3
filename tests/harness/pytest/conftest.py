"""A project that knows nothing of this repository, with scenario files and tests of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from harness.vocabulary import build

Project = Callable[..., pytest.RunResult]

NEEDED = {"harness", "timeout", "xdist"}
"""The plugins that these projects use."""

SHORT = """\
scenario: 1
name: {name}
kind: regression
worlds: [real]
seed: 5
limits: {{setup: 30s, run: 20s, settle: 10s, teardown: 10s}}
target: {{driver: schedule_zero}}
topology: {{scheduler: {{store: sqlite}}, handlers: {{name: h1, mock: worker}}}}
given:
  - {{op: job.submit, with: {{handler: h1, method: work}}, count: 12}}
checks:
  always: [no-lost-job]
  finally: [no-orphan-process]
"""


@pytest.fixture
def short_scenario() -> Callable[[str], str]:
    """The text of a scenario that takes few seconds and can fail."""
    return lambda name: SHORT.format(name=name)


@pytest.fixture
def files_of(pytester: pytest.Pytester) -> Callable[[Mapping[str, str]], None]:
    """Writes files into the folder of a project, whose settings are strict."""
    pytester.makeini("[pytest]\naddopts = --strict-markers --strict-config -p no:cacheprovider\n")

    def write(files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = Path(pytester.path, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    return write


@pytest.fixture
def project(pytester: pytest.Pytester, files_of: Callable[[Mapping[str, str]], None]) -> Project:
    """Runs pytest in a process of its own, in a folder with these files; everything must be over in 100
    seconds.
    """

    def run(files: Mapping[str, str], *arguments: str) -> pytest.RunResult:
        files_of(files)
        return pytester.runpytest_subprocess(*_alone(), *arguments, timeout=100.0)

    return run


@pytest.fixture
def here(pytester: pytest.Pytester, files_of: Callable[[Mapping[str, str]], None]) -> Project:
    """The same in this process, which takes a tenth of the time: for runs that play nothing."""
    # Each module that such a run imports is taken away at its end; what others hold already must stay the only one.
    build()

    def run(files: Mapping[str, str], *arguments: str) -> pytest.RunResult:
        files_of(files)
        return pytester.runpytest_inprocess(*_alone(), "-p", "no:faulthandler", *arguments)

    return run


def _alone() -> Iterator[str]:
    """Options without plugins of others that happen to be installed: to load them takes as long as to load pytest."""
    for name in sorted({found.name for found in entry_points(group="pytest11")} - NEEDED):
        yield from ("-p", f"no:{name}")
