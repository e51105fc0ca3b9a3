"""Scenario files as pytest items: one a seed and world, with a failure that tells what broke and how to run it again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from harness.session import Finished, PlannedRun

_FIRST_KEY = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:\s*(?:#[^\n]*)?\n)*(?:---[^\n]*\n(?:\s*(?:#[^\n]*)?\n)*)?scenario\s*:")
_EVIDENCE = 5
"""Pieces of evidence shown for each failed check."""


def is_scenario(path: Path) -> bool:
    """Whether the file's first key is ``scenario``: other YAML files of a project are none of ours."""
    try:
        with path.open("rb") as file:
            return bool(_FIRST_KEY.match(file.read(4096)))
    except OSError:
        return False


class ScenarioFailed(Exception):
    """A scenario did not pass; carries the finished run."""

    def __init__(self, finished: Finished) -> None:
        super().__init__(finished.verdict.reason)
        self.finished = finished


class ScenarioFile(pytest.File):
    """One YAML file with one or more scenarios."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each scenario, seed and world."""
        from harness import session
        from harness.scenario.model import World

        config = self.config
        world = config.getoption("--harness-world")
        seed = config.getoption("--harness-seed")
        try:
            runs = session.plan(
                [self.path], world=World(world) if world else None, seeds=None if seed is None else [seed],
                overrides=config.getoption("--harness-set"), mutant=config.getoption("--harness-mutant"),
            )
        except HarnessError as error:
            raise self.CollectError(str(error)) from error
        for planned in runs:
            if planned.world in planned.loaded.scenario.worlds:
                yield ScenarioItem.from_parent(
                    self, name=f"{planned.loaded.scenario.name}[{planned.world.value}-{planned.seed}]", planned=planned
                )


class ScenarioItem(pytest.Item):
    """One run."""

    def __init__(self, *, planned: PlannedRun, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned
        scenario = planned.loaded.scenario
        for marker in dict.fromkeys((scenario.kind.value, planned.world.value, "integration")):
            self.add_marker(marker)
        self.user_properties += [("seed", planned.seed), ("world", planned.world.value)]

    def runtest(self) -> None:
        """Play it; raises `ScenarioFailed` unless the verdict is pass."""
        from harness import session
        from harness.checks.verdict import Outcome

        reports = self.config.getoption("--harness-report") or self.config.rootpath / "reports"
        finished = session.Session(Path(reports)).play(self.planned)
        self.user_properties.append(("report", str(finished.folder.path)))
        if finished.verdict.outcome is Outcome.INTERRUPTED:
            raise KeyboardInterrupt
        if finished.verdict.outcome is not Outcome.PASS:
            raise ScenarioFailed(finished)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Verdict, evidence, the lines of the file, the command that runs it again; no traceback of ours."""
        if isinstance(excinfo.value, ScenarioFailed):
            return "\n".join(describe(excinfo.value.finished))
        if isinstance(excinfo.value, UsageError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style=style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands."""
        return self.path, max(self.planned.loaded.line_of("scenario") - 1, 0), self.name


def describe(finished: Finished) -> Iterator[str]:
    """The lines that tell a failed run."""
    verdict, source = finished.verdict, finished.planned.loaded.source
    yield f"{verdict.scenario}: {verdict.outcome.value.upper()} - {verdict.reason}"
    lines = source.text.splitlines()
    for result in verdict.failures:
        yield ""
        yield f"  {result.outcome.value}: {result.name} ({result.when}): {result.summary}"
        if 0 < result.line <= len(lines):
            yield f"    {source.path}:{result.line}: {lines[result.line - 1].strip()}"
        for evidence in result.evidence[:_EVIDENCE]:
            yield f"    - {evidence.text}"
        if len(result.evidence) > _EVIDENCE:
            yield f"    - and {len(result.evidence) - _EVIDENCE} more"
    yield ""
    yield f"  report: {finished.folder.html}"
    yield f"  again:  {finished.planned.again}"
