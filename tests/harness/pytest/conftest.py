"""A project that knows nothing of this repository, with scenario files and tests of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Project = Callable[..., pytest.RunResult]

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
def project(pytester: pytest.Pytester) -> Project:
    """Runs pytest in a process of its own, in a folder with these files; everything must be over in 100
    seconds.
    """
    pytester.makeini("[pytest]\naddopts = --strict-markers --strict-config -p no:cacheprovider\n")

    def run(files: Mapping[str, str], *arguments: str) -> pytest.RunResult:
        for name, text in files.items():
            path = Path(pytester.path, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return pytester.runpytest_subprocess(*arguments, timeout=100.0)

    return run
