"""Things that must be seen at least once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.checks.base import sometimes_names
from harness.checks.verdict import Outcome


@pytest.mark.parametrize("name", sorted(sometimes_names()))
def test_an_event_of_that_name_was_seen(result: Any, write: Any, name: str) -> None:
    """Every known name is satisfied by its event, and the evidence says where and when it was first seen."""
    events = [write.event(9, name, "h1"), write.event(4, name, "h2")]
    found = result(name, *events, section="sometimes")

    assert (found.outcome, found.samples) == (Outcome.PASS, 2)
    assert [e.text for e in found.evidence] == [f"{name} at h2 at 4.000 s"]


@pytest.mark.parametrize("name", sorted(sometimes_names()))
def test_what_was_never_seen_is_unknown(result: Any, write: Any, name: str) -> None:
    """Nothing was broken, but the run proved little."""
    quiet = [write.op(1, "a"), write.job("a", attempts=1), write.run("a", 1, 2), write.run("b", 2, 3)]
    quiet += [write.sample(at, "registered-handlers", n) for at, n in ((1, 3), (2, 5), (3, 4))]
    found = result(name, *quiet, write.event(1, "other"), section="sometimes")

    assert found.outcome is Outcome.UNKNOWN
    assert found.summary.endswith("the run proved little")


def test_a_retried_job_shows_in_the_log(result: Any, write: Any) -> None:
    """More than one attempt is a retry, with or without an event."""
    found = result("job-retried", write.job("a", attempts=3, ended=7.0), section="sometimes")

    assert found.outcome is Outcome.PASS
    assert found.evidence[0].text == "job a needed 3 attempts until 7.000 s"


def test_a_busy_handler_shows_by_overlapping_runs(result: Any, write: Any) -> None:
    """On one handler; overlap on two handlers, or touching runs, or a run without an end, are not that."""
    overlapping = [write.run("a", 1, 3), write.run("b", 2, 4)]
    apart = [write.run("a", 1, 3), write.run("b", 3, 4), write.run("c", 1, 3, handler="h1"), write.run("d", 2)]

    found = result("handler-busy", *overlapping, section="sometimes")
    assert found.outcome is Outcome.PASS
    assert found.evidence[0].text == "h2 worked on two jobs at once at 2.000 s"
    assert result("handler-busy", *apart, section="sometimes").outcome is Outcome.UNKNOWN


def test_a_call_that_met_a_handlers_fault_shows_that_it_struck(result: Any, write: Any) -> None:
    """A call that began while it was on; a fault that nobody has to meet is no sighting of this."""
    injected, healed = write.fault("mute", 5.0, 9.0, kind="handler.silent")
    mute = [msgspec.structs.replace(injected, detail={"met_by": "calls"}), healed]

    found = result("fault-struck", mute, write.run("a", 6, 10), section="sometimes")
    assert (found.outcome, found.samples) == (Outcome.PASS, 1)
    assert found.evidence[0].text == "a call met mute (handler.silent at h2) at 6.000 s"
    assert result("fault-struck", mute, write.run("a", 4, 10), section="sometimes").outcome is Outcome.UNKNOWN
    crash = write.fault("crash", 5.0, 9.0)
    assert result("fault-struck", crash, write.run("a", 6, 10), section="sometimes").outcome is Outcome.UNKNOWN


def test_an_injected_fault_shows_by_its_record(result: Any, write: Any) -> None:
    """Armed or skipped faults do not count."""
    found = result("fault-injected", write.fault("crash", 5.0, 9.0), section="sometimes")

    assert found.outcome is Outcome.PASS
    assert found.evidence[0].text == "crash (process.kill at h2) was injected at 5.000 s"


def test_a_reregistration_shows_by_a_number_that_rises_again(result: Any, write: Any) -> None:
    """Rising at the start is registration, rising after a fall is registering again."""
    samples = [write.sample(at, "registered-handlers", n) for at, n in ((1, 3), (2, 5), (3, 4), (4, 5))]
    found = result("handler-reregistered", *samples, section="sometimes")

    assert found.outcome is Outcome.PASS
    assert found.evidence[0].text == "registered handlers rose again from 4 to 5 at 4.000 s"


def test_any_other_name_is_that_of_an_event(result: Any, write: Any) -> None:
    """A target may record events of its own."""
    assert result("my-own", write.event(1, "my-own"), section="sometimes").outcome is Outcome.PASS
