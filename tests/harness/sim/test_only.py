"""One world at a time in one interpreter."""

from __future__ import annotations

import sys
import threading

import pytest

from harness.sim import NestedWorld, World
from harness.sim.only import Only

ROUNDS = 12


def test_of_two_that_open_at_once_one_is_told() -> None:
    """Threads of the host that open worlds at the same moment: each has one, or is told that it cannot, in clear words.

    Whatever comes of it, the next world opens.
    """
    errors: list[BaseException] = []
    opened: list[int] = []
    start = threading.Barrier(2)

    def both(number: int) -> None:
        start.wait(10)
        try:
            with World(number, patience=0) as world:
                opened.append(world.seed)
        except BaseException as error:  # noqa: BLE001 - looked at below
            errors.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(ROUNDS):
            threads = [threading.Thread(target=both, args=(number,)) for number in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            with World(2):
                pass
    finally:
        sys.setswitchinterval(before)

    assert {type(error) for error in errors} == {NestedWorld}
    assert len(opened) + len(errors) == 2 * ROUNDS


def test_it_says_where_the_other_one_was_opened() -> None:
    """The error names the line that holds the open world."""
    line = sys._getframe().f_lineno + 1
    with World(1), pytest.raises(NestedWorld, match=rf"since .*test_only\.py:{line} in test_it_says"), World(2):
        pytest.fail("the inner world must not open")


def test_it_can_be_taken_again() -> None:
    """Given back, it is free."""
    only = Only()
    for _ in range(2):
        only.take()
        with pytest.raises(NestedWorld):
            only.take()
        only.give_back()
