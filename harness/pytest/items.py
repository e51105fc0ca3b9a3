"""Scenario files as pytest items: one for each scenario, seed and world."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError
from harness.pytest.telling import describe
from harness.scenario.loader import MAX_BYTES
from harness.scenario.model import World

if TYPE_CHECKING:
    from harness.scenario.model import Scenario
    from harness.session import Finished, PlannedRun

_VERSION = re.compile(rb"""^(?:\xef\xbb\xbf)?(?:\{[ \t]*)?["']?scenario["']?[ \t]*:[ \t]*["']?[0-9]""", re.MULTILINE)
"""The key ``scenario`` at the begin of a line, with a number: that of the whole document, wherever in it."""
_NOT_ALONG = ("long", "golden")
"""Folders whose files are taken only when they, or something in them, are named themselves."""
_GRACE = 60.0
"""Seconds beyond its limits that a run may take: healing, and writing the reports."""


def is_scenario(path: Path) -> bool:
    """Whether a key ``scenario`` with a number stands at the begin of a line: other YAML files of a project are none of
    ours. In what order the keys of a scenario stand is its author's business.
    """
    try:
        with path.open("rb") as file:
            return bool(_VERSION.search(file.read(MAX_BYTES)))
    except OSError:
        return False


def is_asked_for(path: Path, arguments: list[Path]) -> bool:
    """Whether `path` belongs to what pytest was called with: long variants run only when they are named.

    >>> is_asked_for(Path("/p/scenarios/long/day.yaml"), [Path("/p/scenarios")])
    False
    >>> is_asked_for(Path("/p/scenarios/long/day.yaml"), [Path("/p/scenarios/long")])
    True
    """
    for argument in arguments:
        if argument == path:
            return True
        if path.is_relative_to(argument) and not set(path.relative_to(argument).parts[:-1]) & set(_NOT_ALONG):
            return True
    return not set(path.parts[:-1]) & set(_NOT_ALONG)


def has_own_timeout(config: pytest.Config) -> bool:
    """Whether whoever runs pytest says after how many seconds a test must be over: 0, never, counts too."""
    set_ = config.getoption("timeout"), os.environ.get("PYTEST_TIMEOUT"), config.getini("timeout")
    return any(value not in (None, "") for value in set_)


def longest(scenario: Scenario, world: World = World.REAL) -> float:
    """Seconds after which a run of this scenario must be over, all its limits used up and its target hard to
    stop.

    Teardown has four steps with one limit each: collect, stop, collect files, audit.
    """
    if world is World.SIM:
        return _GRACE * 10  # its limits are of virtual time: a day of it may take seconds, and a hang takes for ever
    limits = scenario.limits
    steady = sum(expect.within for expect in scenario.steady)
    return limits.setup * 2 + steady + limits.run + limits.settle + 4 * limits.teardown + _GRACE


class ScenarioFailed(Exception):
    """A scenario did not pass; carries the finished run."""

    def __init__(self, finished: Finished) -> None:
        super().__init__(finished.verdict.reason)
        self.finished = finished


class ScenarioFile(pytest.File):
    """One YAML file with one or more scenarios."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each scenario, seed and world; a file with mistakes is a collection error that names
        each.
        """
        try:
            runs = list(self._runs())
        except HarnessError as error:
            raise self.CollectError(str(error)) from error
        for planned in runs:
            name = f"{planned.loaded.scenario.name}[{planned.world.value}-{planned.seed}]"
            yield ScenarioItem.from_parent(self, name=name, planned=planned)

    def _runs(self) -> Iterator[PlannedRun]:
        from harness import session
        from harness.targets.registry import drivers

        option = self.config.getoption
        seed = option("--harness-seed")
        planned = session.plan(
            [self.path],
            seeds=None if seed is None else [seed],
            overrides=option("--harness-set"),
            mutant=option("--harness-mutant"),
        )
        for run in planned:
            scenario = run.loaded.scenario
            known = drivers()[scenario.target.driver].worlds
            for world in scenario.worlds:
                if world.value == option("--harness-world") or (
                    not option("--harness-world") and world in known
                ):
                    yield dataclasses.replace(run, world=world)


class ScenarioItem(pytest.Item):
    """One run. Its markers are the scenario's kind, its world and ``integration``.

    Where nobody sets a time-out, it has one made of its limits.
    """

    def __init__(self, *, planned: PlannedRun, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned
        scenario = planned.loaded.scenario
        for marker in dict.fromkeys((scenario.kind.value, planned.world.value, "integration")):
            self.add_marker(marker)
        if self.config.pluginmanager.hasplugin("timeout"):
            # By signal: it ends the run, which heals and tears down. By thread it would end the process at once.
            seconds = () if has_own_timeout(self.config) else (longest(scenario, planned.world),)
            self.add_marker(pytest.mark.timeout(*seconds, method="signal"))
        self.user_properties += [("seed", planned.seed), ("world", planned.world.value)]

    def runtest(self) -> None:
        """Play it; raises `ScenarioFailed` unless the verdict is pass."""
        from harness import session
        from harness.checks.verdict import Outcome
        from harness.pytest.alarm import play

        reports = self.config.getoption("--harness-report") or self.config.rootpath / "reports"
        finished = play(
            session.Session(Path(reports)),
            self.planned,
            lambda title, text: self.add_report_section("call", title, text),
        )
        self.user_properties += [
            ("verdict", finished.verdict.outcome.value),
            ("report", str(finished.folder.path)),
        ]
        if finished.verdict.outcome is Outcome.INTERRUPTED:
            raise KeyboardInterrupt
        if finished.verdict.outcome is not Outcome.PASS:
            raise ScenarioFailed(finished)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Verdict, evidence, the lines of the file, the command that runs it again; no traceback of ours."""
        if isinstance(excinfo.value, ScenarioFailed):
            return "\n".join(describe(excinfo.value.finished))
        if isinstance(excinfo.value, HarnessError):
            return f"{excinfo.value}\n\n  again:  {self.planned.again}"
        return super().repr_failure(excinfo, style=style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands."""
        return self.path, max(self.planned.loaded.line_of("scenario") - 1, 0), self.name
