"""Kinds are found by name, built in or from other packages, and never silently replaced."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from harness.errors import UsageError
from harness.faults.process_kill import KillArgs, ProcessKill
from harness.faults.registry import BadArguments, BadFault, UnknownFault, kinds, lasting, make, of_kind
from harness.faults.zmq_state import ZmqState
from harness.scenario.model import FaultSpec, When
from harness.targets.base import Place, PlaceKind

HANDLER = Place(PlaceKind.HANDLER, "h1", pid=1234)


class DiskFull(ProcessKill):
    """A kind as another package would bring it."""

    kind = "disk.full"


class OtherKill(ProcessKill):
    """Claims a name that is taken."""


def point(name: Any, value: Any) -> Any:
    """An entry point into this module, which pytest imported under a name of its own."""
    return EntryPoint(name, value, "harness.faults")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Any:
    """This module under a name that entry points can load."""
    import sys

    monkeypatch.setitem(sys.modules, "some_package", sys.modules[__name__])
    return "some_package"


def test_the_built_in_kinds() -> None:
    """The six kinds of the first edition."""
    expected = [
        "handler.silent",
        "handler.slow",
        "process.kill",
        "process.pause",
        "process.terminate",
        "store.failing",
        "store.full",
        "store.locked",
        "zmq.state",
    ]
    assert sorted(kinds(lambda: ())) == expected


def test_every_kind_explains_itself() -> None:
    """Each has one line of help, accepts something, and documents every argument in its schema's shape."""
    for name, cls in kinds(lambda: ()).items():
        assert cls.kind == name
        assert 20 < len(cls.about) < 110
        assert cls.accepts
        assert cls.args_model.model_json_schema()["additionalProperties"] is False


def test_another_package_adds_a_kind(here: Any) -> None:
    """An entry point brings its class under the kind's name."""
    assert kinds(lambda: [point("disk.full", f"{here}:DiskFull")])["disk.full"] is DiskFull


@pytest.mark.parametrize(
    ("name", "attribute", "message"),
    [
        (
            "process.kill",
            "OtherKill",
            "'process.kill' is claimed twice: by harness.faults.process_kill.ProcessKill and by the entry point",
        ),
        ("disk.gone", "DiskFull", "registered as 'disk.gone' but its kind is 'disk.full'"),
        ("disk.full", "HANDLER", "expected a subclass of harness.faults.base.Fault"),
        ("disk.full", "Missing", "does not load: AttributeError"),
    ],
)
def test_a_bad_registration_is_refused(here: Any, name: Any, attribute: str, message: str) -> None:
    """Clashes and mistakes of other packages name the culprit instead of winning by luck."""
    with pytest.raises(BadFault) as bad:
        kinds(lambda: [point(name, f"{here}:{attribute}")])
    assert message in str(bad.value)


def test_an_unknown_kind_is_answered_with_a_guess_and_the_list() -> None:
    """A slip of the pen is recognised."""
    with pytest.raises(
        UnknownFault,
        match=r"no fault 'proces\.kill'; did you mean 'process\.kill'\? There are: handler\.silent, ",
    ):
        of_kind("proces.kill")


def test_make_builds_what_the_scenario_wrote() -> None:
    """Arguments arrive parsed, with the id and the place."""
    fault = make("process.kill", HANDLER, {"restart": "8s"}, fault_id="crash", seed=3)
    assert (fault.args, fault.fault_id, fault.place, fault.seed) == (KillArgs(restart=8.0), "crash", HANDLER, 3)


@pytest.mark.parametrize(
    ("kind", "args", "message"),
    [
        (
            "process.kill",
            {"restrat": "8s"},
            "process.kill: restrat is not an argument of it. Its arguments: restart",
        ),
        ("process.pause", {"x": 1}, "process.pause: x is not an argument of it. Its arguments: none"),
        (
            "process.kill",
            {"restart": "soon"},
            "expected a duration such as 250ms, 2s or 5min, found 'soon'. Its arguments: restart",
        ),
        ("handler.slow", {}, "p50 is missing"),
    ],
)
def test_wrong_arguments_say_what_was_expected(kind: str, args: Any, message: str) -> None:
    """Each problem is one phrase, and the arguments there are follow."""
    with pytest.raises(BadArguments) as bad:
        make(kind, HANDLER, args)
    assert message in str(bad.value)


def test_a_place_of_the_wrong_kind_is_refused() -> None:
    """A store cannot be killed."""
    with pytest.raises(UsageError, match=r"process\.kill acts on a process or handler; store is a store"):
        make("process.kill", Place(PlaceKind.STORE, "store"), {})


def test_only_kinds_that_count_by_themselves_take_a_trigger() -> None:
    """A trigger given to any other kind would be ignored, so it is refused."""
    when = When(event="job.sent", nth=3)
    with pytest.raises(UsageError, match="does not wait for `when` itself"):
        make("process.kill", HANDLER, {}, trigger=when)
    assert make("zmq.state", Place(PlaceKind.SOCKET, "s.req"), {"how": "recv-first"}, trigger=when).trigger == when
    assert ZmqState.takes_trigger


def test_how_long_a_fault_lasts_by_itself() -> None:
    """A kill is over when its process must run again; a pause lasts until it is healed."""
    kill = FaultSpec.model_validate({"id": "a", "kind": "process.kill", "at": 1.0, "restart": "8s"})
    assert (lasting(kill), lasting(FaultSpec(id="b", kind="process.pause", at=1.0))) == (8.0, None)
