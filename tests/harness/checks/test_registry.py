"""Checks by name, their arguments, and those of other packages."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any

import pytest

from harness.checks import registry
from harness.checks.base import ENTRY_POINTS, Args, Case, Check, Section, registered, spelled
from harness.checks.evidence import Finding
from harness.checks.verdict import Outcome
from harness.errors import UsageError


def anything(case: Case, args: Any) -> Finding:
    """A check of another package that always passes."""
    return Finding(Outcome.PASS, 1, "fine")


FOREIGN = Check(name="foreign", about="a check of another package", judge=anything)
TAKEN = Check(name="no-lost-job", about="the name of one of ours", judge=anything)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Pretend that another package registers an object under ``harness.checks``."""

    def pretend(target: Any) -> None:
        entry = metadata.EntryPoint("x", "elsewhere:CHECK", ENTRY_POINTS)
        monkeypatch.setattr(metadata.EntryPoint, "load", lambda self: target)
        monkeypatch.setattr(registry, "entry_points", lambda group: [entry])

    return pretend


def test_every_check_says_what_it_is_about_in_one_line() -> None:
    """Names are as in scenario files; the help is one line that is no sentence of code."""
    assert sorted(registered()) == [
        "bounded",
        "brought-back",
        "faults-injected",
        "fires-as-modelled",
        "fires-on-schedule",
        "growth",
        "history-explainable",
        "load-answered",
        "load-sent",
        "no-leaked-socket",
        "no-left-over-file",
        "no-lost-job",
        "no-orphan-process",
        "no-reply-crosses-requests",
        "no-stale-pidfile",
        "ports-free",
        "registered-handlers",
        "runs",
        "runs-per-job",
        "same-interpreter",
        "scheduler",
        "steps-done",
        "stopped-cleanly",
        "store-readable",
    ]
    for name, check in registered().items():
        assert check.name == name
        assert check.about
        assert "\n" not in check.about
        assert check.sections <= frozenset(Section)


def test_another_package_adds_a_check(install: Callable[[Any], None]) -> None:
    """By an entry point that names a `Check`."""
    install(FOREIGN)

    assert registered()["foreign"] is FOREIGN


@pytest.mark.parametrize(
    ("target", "message"), [(TAKEN, "two checks are called 'no-lost-job'"), (anything, "is no Check")]
)
def test_a_wrong_registration_is_a_usage_error(
    install: Callable[[Any], None], target: Any, message: str
) -> None:
    """A taken name and an object that is no check name the entry point."""
    install(target)

    with pytest.raises(UsageError, match=f"{message}.*") as caught:
        registered()
    assert "elsewhere:CHECK" in str(caught.value)


class _Args(Args):
    first: int
    second: str = "x"


def test_arguments_are_parsed_and_mistakes_name_the_check_and_the_key() -> None:
    """A mapping, a scalar for the first field, or nothing; everything else is a usage error."""
    check = Check(name="demo", about="", judge=anything, args=_Args)

    assert check.parse({"first": 1, "second": "y"}) == _Args(first=1, second="y")
    assert check.parse(3) == _Args(first=3)
    with pytest.raises(UsageError, match="the check demo: third: Extra inputs"):
        check.parse({"first": 1, "third": 2})
    with pytest.raises(UsageError, match="the check demo: first: Field required"):
        check.parse(None)
    with pytest.raises(UsageError, match="the check foreign takes no arguments, found 5"):
        FOREIGN.parse(5)
    assert FOREIGN.parse(None) is None


def test_one_entry_names_one_check() -> None:
    """Two checks in one mapping are a mistake, not the first of them."""
    assert spelled({"a": {"b": 1}}) == ("a", {"b": 1})
    with pytest.raises(UsageError, match="expected one check"):
        spelled({"a": 1, "b": 2})
