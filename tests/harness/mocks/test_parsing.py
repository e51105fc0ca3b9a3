"""Plain data names every behaviour, and a slip in it is answered helpfully."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import UsageError
from harness.mocks import behaviours as b
from harness.mocks.mock_handler import MockHandler

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("echo", b.Echo()),
        ("silent", b.Silent()),
        ({"silent": True}, b.Silent()),
        ({"silent": {"ping": False}}, b.Silent(ping=False)),
        ({"reply": {"ok": 1}}, b.Reply({"ok": 1})),
        ({"replies": [1, {"do": "silent"}, 3]}, b.Replies((1, b.Silent(), 3))),
        ({"replies": {"items": [1], "at_end": "cycle"}}, b.Replies((1,), b.AtEnd.CYCLE)),
        ({"error": "no"}, b.Error("no")),
        ({"error": {"message": "no", "code": "busy"}}, b.Error("no", "busy")),
        ({"slow": "250ms"}, b.Slow(b.Constant(0.25))),
        ({"slow": 1.5}, b.Slow(b.Constant(1.5))),
        ({"slow": {"p50": "20ms", "p99": "200ms"}}, b.Slow(b.LogNormal(0.02, 0.2))),
        ({"slow": {"p50": "1s", "then": "silent"}}, b.Slow(b.Constant(1.0), b.Silent())),
        ({"flaky": "5%"}, b.Flaky(0.05)),
        ({"flaky": {"odds": 0.5, "failure": "silent"}}, b.Flaky(0.5, failure=b.Silent())),
        ("not-json", b.Malformed(b.Garbage.NOT_JSON)),
        ({"malformed": "no-delimiter"}, b.Malformed(b.Garbage.NO_DELIMITER)),
        ({"wrong-schema": "array"}, b.WrongSchema(b.Schema.ARRAY)),
        ({"oversize": 1000}, b.Oversize(1000)),
        ("oversize", b.Oversize(16 * 1024 * 1024)),
        ({"duplicate-reply": {"times": 3, "gap": "10ms"}}, b.DuplicateReply(times=3, gap=0.01)),
        ({"late": "12s"}, b.Late(12.0)),
        ({"late": "next-call"}, b.Late()),
        ({"die": "before"}, b.Die(b.Moment.BEFORE)),
        (
            [{"calls": "1..3", "do": "silent"}, {"method": "tick", "odds": "10%", "do": "die"}],
            b.Script((b.When(b.Silent(), last=3), b.When(b.Die(), method="tick", odds=0.1))),
        ),
        ([{"calls": 2, "do": "silent"}], b.Script((b.When(b.Silent(), first=2, last=2),))),
    ],
)
def test_data_becomes_a_behaviour(data: Any, expected: b.Behaviour) -> None:
    """Each notation gives exactly this value."""
    assert b.parse(data) == expected


def test_every_word_can_be_read_with_its_least_arguments() -> None:
    """`words` lists what `parse` knows, and nothing it does not."""
    least: dict[str, Any] = {"slow": "1s", "flaky": "1%", "replies": [1]}

    made = [b.parse({word: least.get(word)}) for word in b.words()]

    assert len(made) == len(set(b.words())) == 15


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("slient", "there is no behaviour 'slient'; did you mean 'silent'? known are: die, duplicate-reply, echo"),
        ("zzz", "known are: die, duplicate-reply"),
        ({"slow": "fast"}, "expected a duration such as 250ms, found 'fast'"),
        ({"slow": {}}, "how slow?"),
        ({"slow": {"p50": 1, "p98": 2}}, "slow takes p50, p99, then; found 'p98'"),
        ({"flaky": "often"}, "expected odds such as 5%, found 'often'"),
        ({"flaky": "500%"}, "odds lie between 0 and 1, found 5.0"),
        ({"die": "later"}, "expected one of before, during, after; found 'later'"),
        ({"oversize": "1MB"}, "bytes is a whole number, found '1MB'"),
        ({"echo": {"loud": True}}, "echo takes no arguments"),
        ({"silent": "very"}, "ping is true or false, found 'very'"),
        ({"replies": 7}, "replies takes a list, found 7"),
        ({"error": "a", "reply": 1}, "expected a behaviour such as echo"),
        (7, "expected a behaviour such as echo"),
        ([{"calls": 1}], "line 1 of a script needs `do`"),
        ([{"do": "echo", "call": 1}], "line 1 of a script takes do, calls, method, odds; found 'call'"),
        ([{"do": "echo", "calls": "x"}], "expected a count such as 3 or 0..5, found 'x'"),
    ],
)
def test_a_slip_says_what_was_expected_and_found(data: Any, message: str) -> None:
    """One sentence, a typed error, no traceback of Python's."""
    with pytest.raises(UsageError) as error:
        b.parse(data)
    assert message in str(error.value)


def test_behave_takes_what_a_scenario_file_can_say() -> None:
    """A word, a mapping, a script, a value: all become behaviours, with `behave` and at the beginning."""
    handler = MockHandler(behaviour="silent")

    taken = [handler.behaviour]
    for said in ({"slow": "250ms"}, [{"calls": 2, "do": "silent"}], b.Echo()):
        handler.behave(said)
        taken.append(handler.behaviour)

    assert taken == [
        b.Silent(),
        b.Slow(b.Constant(0.25)),
        b.Script((b.When(b.Silent(), first=2, last=2),)),
        b.Echo(),
    ]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ("slw", UsageError, r"there is no behaviour 'slw'; did you mean 'slow'\? known are: die, duplicate-reply"),
        (3, TypeError, r"expected a behaviour such as Echo\(\), 'silent' or {'slow': '250ms'}, found 3"),
        (None, TypeError, "found None"),
        (b"slow", TypeError, "found b'slow'"),
        (b.Echo, TypeError, "found Echo"),
    ],
)
def test_what_is_no_behaviour_is_refused_at_once(wrong: Any, error: type[Exception], message: str) -> None:
    """Not at the first call, in another thread: where it was said, and the old behaviour stays."""
    handler = MockHandler()

    with pytest.raises(error, match=message):
        handler.behave(wrong)
    assert handler.behaviour == b.Echo()
    if wrong is not None:
        with pytest.raises(error, match=message):
            MockHandler(behaviour=wrong)
