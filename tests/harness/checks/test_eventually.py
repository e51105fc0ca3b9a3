"""What must come true after a heal."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.verdict import Outcome

FIVE = {"after": "cut.heal", "within": "20s", "expect": {"registered-handlers": 5}}


@pytest.fixture
def judged(result: Any, write: Any) -> Any:
    """Judge `FIVE` (or another) on numbers of handlers, with the fault ``cut`` from 5 s to 10 s."""

    def make(*samples: tuple[float, float], expect: Any = None, faults: Any = None, more: Any = ()) -> Any:
        records = [write.sample(at, "registered-handlers", value) for at, value in samples]
        given = write.fault("cut", 5.0, 10.0, kind="link.partition", place="h1") if faults is None else faults
        return result(expect or FIVE, given, *records, *more, section="eventually")

    return make


def test_one_good_sample_in_the_window_is_enough(judged: Any) -> None:
    """Measured from the heal: what was good before it does not count, what comes later is not needed."""
    found = judged((12.0, 3), (29.9, 5), (30.1, 2))

    assert (found.outcome, found.samples) == (Outcome.PASS, 1)
    assert found.name == "registered-handlers 5 after cut.heal"


def test_a_window_that_stays_bad_fails(judged: Any, write: Any) -> None:
    """Good samples before the heal and after the deadline do not help; the last bad one is told."""
    found = judged((9.0, 5), (12.0, 3), (29.0, 4), (30.1, 5), more=write.fault("crash", 15.0, 18.0))

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text == (
        "after cut.heal at h1 at 10.000 s, registered-handlers 5 did not hold by 30.000 s; "
        "last seen: registered-handlers 4 at 29.000 s; "
        "meanwhile: cut (link.partition at h1) from 5.000 s to 10.000 s, "
        "crash (process.kill at h2) from 15.000 s to 18.000 s"
    )


def test_every_heal_has_its_own_window(judged: Any, write: Any) -> None:
    """One of two heals that is not followed by recovery is enough to fail, and is the one that is shown."""
    twice = [*write.fault("cut", 5.0, 10.0), *write.fault("cut", 33.0, 35.0)]
    found = judged((12.0, 5), (40.0, 1), faults=twice)

    assert found.outcome is Outcome.FAIL
    assert (found.samples, [e.at for e in found.evidence]) == (2, [35.0])


def test_a_glob_names_every_fault(judged: Any, write: Any) -> None:
    """``*.heal`` follows all heals, a name only its own."""
    anything = {**FIVE, "after": "*.heal"}
    other = write.fault("crash", 40.0, 41.0)

    assert judged((12.0, 5), (45.0, 3), more=other).outcome is Outcome.PASS
    assert judged((12.0, 5), (45.0, 3), more=other, expect=anything).outcome is Outcome.FAIL


def test_without_samples_or_heals_nothing_is_known(judged: Any, write: Any) -> None:
    """No samples in the window, no such fault, and a fault that never healed are each unknown."""
    assert judged((31.0, 5)).outcome is Outcome.UNKNOWN
    assert judged((12.0, 5), faults=[]).outcome is Outcome.UNKNOWN
    unhealed = judged((12.0, 5), faults=write.fault("cut", 5.0))
    assert unhealed.outcome is Outcome.UNKNOWN
    assert unhealed.summary == (
        "cut (process.kill at h2) from 5.000 s and never healed, so what follows its heal was not seen"
    )


def test_a_window_cut_by_the_end_of_the_run_is_unknown(judged: Any, write: Any) -> None:
    """Unless it came true before: the harness stopped looking at 70 s, the window lasts until 80 s."""
    late = write.fault("cut", 55.0, 60.0)

    found = judged((65.0, 3), faults=late)
    assert found.outcome is Outcome.UNKNOWN
    assert (
        "had until 80.000 s, but the run ended at 70.000 s; last seen: registered-handlers 3" in found.summary
    )
    assert judged((65.0, 5), faults=late).outcome is Outcome.PASS


def test_several_expectations_must_hold_together(judged: Any, write: Any) -> None:
    """Each having been true at some time is not enough."""
    both = {"after": "cut.heal", "within": "20s", "expect": {"registered-handlers": 5, "backlog": 0}}
    apart = [write.sample(12.0, "backlog", 0), write.sample(13.0, "backlog", 7)]
    together = [*apart, write.sample(16.0, "backlog", 0)]

    assert judged((12.0, 3), (14.0, 5), expect=both, more=apart).outcome is Outcome.FAIL
    assert judged((12.0, 3), (14.0, 5), expect=both, more=together).outcome is Outcome.PASS
    assert judged((14.0, 5), expect=both).outcome is Outcome.FAIL


def test_every_place_of_a_number_must_hold(result: Any, write: Any) -> None:
    """A queue that is empty at one handler and full at another is not empty."""
    empty = {"after": "cut.heal", "within": "20s", "expect": {"queue": 0}}
    fault = write.fault("cut", 5.0, 10.0)
    first = [write.sample(12.0, "queue", 0, "h1"), write.sample(12.0, "queue", 4, "h2")]

    assert result(empty, fault, *first, section="eventually").outcome is Outcome.FAIL
    drained = write.sample(15.0, "queue", 0, "h2")
    assert result(empty, fault, *first, drained, section="eventually").outcome is Outcome.PASS


def test_without_after_the_window_begins_when_the_run_ends(judged: Any) -> None:
    """The run phase ends at 60 s."""
    settled = {"within": "5s", "expect": {"registered-handlers": 5}}

    assert judged((30.0, 5), (62.0, 5), expect=settled).outcome is Outcome.PASS
    assert judged((30.0, 5), (62.0, 4), expect=settled).outcome is Outcome.FAIL
