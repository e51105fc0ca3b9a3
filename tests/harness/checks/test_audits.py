"""What a stop must not leave behind."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.verdict import Outcome

PAIRS = [
    ("no-orphan-process", "processes"),
    ("no-stale-pidfile", "pidfiles"),
    ("ports-free", "ports"),
    ("no-leaked-socket", "sockets"),
    ("store-readable", "store"),
    ("no-left-over-file", "files"),
]


@pytest.mark.parametrize(("check", "audit"), PAIRS)
def test_a_search_that_found_nothing_passes(result: Any, write: Any, check: str, audit: str) -> None:
    """Each check reads the search of its own name."""
    found = result(check, write.audit(audit), section="finally")

    assert (found.outcome, found.samples) == (Outcome.PASS, 1)


@pytest.mark.parametrize(("check", "audit"), PAIRS)
def test_what_a_search_found_fails(result: Any, write: Any, check: str, audit: str) -> None:
    """Everything found is shown, its details in order."""
    found = result(check, write.audit(audit, {"pid": 7, "name": "h1"}, {"pid": 9}), section="finally")

    assert found.outcome is Outcome.FAIL
    assert found.evidence[0].text.endswith("at 74.000 s: name h1, pid 7")
    assert found.evidence[1].text.endswith("at 74.000 s: pid 9")


@pytest.mark.parametrize(("check", "audit"), PAIRS)
def test_no_search_is_unknown(result: Any, write: Any, check: str, audit: str) -> None:
    """Neither another search, nor one of a cycle, nor one that examined nothing will do."""
    others = [write.audit(other) for _, other in PAIRS if other != audit]
    cycle = write.audit(audit, scope="cycle 1")
    empty = write.audit(audit, looked_at=0)

    assert result(check, *others, cycle, empty, section="finally").outcome is Outcome.UNKNOWN


def test_under_each_every_cycle_must_have_been_searched(result: Any, write: Any) -> None:
    """One cycle without a search leaves the check unknown and is named."""
    steps = [write.step(cycle, "stop") for cycle in (1, 2, 3)]
    audits = [write.audit("ports", scope=f"cycle {cycle}") for cycle in (1, 2, 3)]

    assert result("ports-free", *steps, *audits, section="each").outcome is Outcome.PASS
    found = result("ports-free", *steps, audits[0], audits[2], write.audit("ports"), section="each")
    assert found.outcome is Outcome.UNKNOWN
    assert [e.text for e in found.evidence] == ["nobody looked at ports after cycle 2"]
    empty = write.audit("ports", scope="cycle 2", looked_at=0)
    found = result("ports-free", *steps, audits[0], audits[2], empty, section="each")
    assert [e.text for e in found.evidence] == ["there were no ports to look for after cycle 2"]


def test_under_each_a_left_over_names_its_cycle(result: Any, write: Any) -> None:
    """The final search does not count there."""
    found = result(
        "ports-free",
        write.audit("ports", {"port": 8888}, scope="cycle 2"),
        write.audit("ports", {"port": 1}),
        section="each",
    )

    assert found.outcome is Outcome.FAIL
    assert [e.text for e in found.evidence] == ["port still taken at 74.000 s (cycle 2): port 8888"]


def test_what_could_not_be_examined_is_told_with_the_reason(result: Any, write: Any) -> None:
    """Whether something else was looked at, or nothing at all, which proves nothing."""
    blind = write.audit("sockets", looked_at=0, unseen=("scheduler: no agent answers",))
    partly = write.audit("sockets", looked_at=2, unseen=("h3: no agent answers",))

    nothing, some = (result("no-leaked-socket", audit, section="finally") for audit in (blind, partly))

    assert nothing.outcome is Outcome.UNKNOWN
    assert nothing.summary == (
        "nobody looked for any leaked socket (scheduler: no agent answers), so nothing was proven"
    )
    assert some.outcome is Outcome.PASS
    assert some.summary == "no leaked socket found in 1 search; not seen: h3: no agent answers"
