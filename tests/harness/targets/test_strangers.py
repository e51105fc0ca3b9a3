"""What another thread of this process starts while a target starts its own is none of the target's business."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.history.recorder import Recorder
from harness.history.records import AnyRecord, Audit
from harness.scenario.model import Scenario
from harness.targets.base import Target, TargetContext
from harness.targets.registry import drivers

pytestmark = [pytest.mark.integration, pytest.mark.real]

_Popen = subprocess.Popen


class Strangers:
    """Before and after each process that is started, a second thread starts one of its own."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []

    def __call__(self, *args: Any, **options: Any) -> subprocess.Popen[Any]:
        """Stands for `subprocess.Popen`."""
        self._start_another()
        child = _Popen(*args, **options)
        self._start_another()
        return child

    def _start_another(self) -> None:
        thread = threading.Thread(target=lambda: self.started.append(_Popen(["sleep", "60"])))
        thread.start()
        thread.join(10.0)


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Strangers]:
    """They come as soon as anything is started, and end with the test."""
    made = Strangers()
    monkeypatch.setattr(subprocess, "Popen", made)
    yield made
    for process in made.started:
        process.kill()
        process.wait(10.0)


def scenario(target: dict[str, Any]) -> Scenario:
    """A scenario for this target that does nothing of note."""
    given = {"name": "t", "kind": "regression", "when": [{"advance": "1s"}], "then": ["fires-as-modelled"]}
    return Scenario.model_validate({"scenario": 1, "target": target, "topology": {}, **given})


async def lived(make: Callable[[], Target]) -> Iterable[AnyRecord]:
    """Start it, stop it, look for what it left, close it."""
    target = make()
    try:
        await target.start()
        await target.stop()
        return await target.audit("final")
    finally:
        await target.close()


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is marked there")
@pytest.mark.parametrize("target", [{"driver": "schedule_zero"}, {"driver": "apscheduler", "host": "process"}])
def test_what_another_thread_starts_is_neither_blamed_nor_ended(
    strangers: Strangers, target: dict[str, Any], tmp_path: Path
) -> None:
    """Closing a target ends by force whatever carries its run's mark, which only its own processes may carry."""
    context = TargetContext(tmp_path, random.Random(5), Recorder(), "")
    driver = drivers()[target["driver"]]

    found = asyncio.run(lived(lambda: driver.create(scenario(target), context)))

    (audit,) = [record for record in found if isinstance(record, Audit) and record.name == "processes"]
    assert audit.found == ()
    assert audit.looked_at == {"schedule_zero": 2, "apscheduler": 1}[target["driver"]], "its own, not the machine's"
    assert [process.poll() for process in strangers.started] == [None, None]
