"""The table of what is simulated, fenced or passed is complete, free of contradictions, and readable by machines."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from harness.sim.boundary import registry
from harness.sim.boundary.registry import Boundary, How, Registry

NAMES = {
    "time.sleep": How.SIMULATED,
    "datetime.datetime.now": How.SIMULATED,
    "threading.Thread": How.SIMULATED,
    "queue.Queue": How.SIMULATED,
    "os.urandom": How.SIMULATED,
    "uuid.uuid4": How.SIMULATED,
    "asyncio.new_event_loop": How.SIMULATED,
    "anyio.to_thread": How.SIMULATED,
    "os.fork": How.FENCED,
    "os.execv": How.FENCED,
    "ctypes.CDLL": How.FENCED,
    "open": How.PASSED,
    "id": How.PASSED,
}


def test_the_table_knows_the_names_that_matter() -> None:
    """What the issue names is in the table, each as what it is."""
    table = {entry.name: entry.how for entry in registry.all()}

    assert {name: table.get(name) for name in NAMES} == NAMES


def test_every_entry_says_why() -> None:
    """No entry is without its reason, none appears twice, and they are sorted."""
    entries = registry.all()

    assert [entry.name for entry in entries if not entry.why.strip()] == []
    names = [entry.name for entry in entries]
    assert names == sorted(set(names))


def test_it_is_printed_as_json() -> None:
    """``python -m harness.sim.boundary`` prints exactly the table."""
    printed = subprocess.run(
        [sys.executable, "-m", "harness.sim.boundary"], capture_output=True, check=True, timeout=60
    )

    assert json.loads(printed.stdout) == [entry.as_json() for entry in registry.all()]


def test_a_fence_gives_way() -> None:
    """Who simulates a name takes it over from the fence, whichever comes first."""
    fenced, simulated = Boundary("x.y", How.FENCED, "no part"), Boundary("x.y", How.SIMULATED, "a part does it")

    assert Registry((fenced, simulated)).how("x.y") is How.SIMULATED
    assert Registry((simulated, fenced)).how("x.y") is How.SIMULATED


def test_two_claims_are_a_mistake() -> None:
    """Two parts that both say something about one name are told so, with both reasons."""
    with pytest.raises(ValueError, match=r"x\.y is claimed twice: simulated \(one\), passed \(other\)"):
        Registry((Boundary("x.y", How.SIMULATED, "one"), Boundary("x.y", How.PASSED, "other")))


def test_unknown_names_are_unknown() -> None:
    """A name that nobody claims has no answer; a module that is not installed claims nothing."""
    assert Registry().how("no.such") is None
    assert registry.of("harness.sim.no_such_room.part") == ()
