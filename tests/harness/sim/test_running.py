"""A function is run in a world of its own; run twice, its histories are compared."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime

import pytest

from harness.errors import ExitCode
from harness.sim import Nondeterministic, ReplayDiverged, check_determinism, current_thread, run


def race(names: list[str]) -> list[str]:
    """Threads that all want the first place."""
    order: list[str] = []

    def run_for_it() -> None:
        time.sleep(1)
        order.append(threading.current_thread().name)

    threads = [threading.Thread(target=run_for_it, name=name) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return order


def test_a_function_s_value_comes_with_its_history() -> None:
    """`run` gives what the function returned, virtual seconds, a digest, the choices."""
    result = run(race, ["a", "b", "c"], seed=3)

    assert sorted(result.value) == ["a", "b", "c"]
    assert result.elapsed == 1
    assert result.events > 0
    assert len(result.digest) == 32
    assert result.tape.choices


def test_a_coroutine_function_is_run_by_asyncio() -> None:
    """A coroutine function gets a loop of its own."""

    async def later(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return asyncio.get_running_loop().time()

    result = run(later, 60.0)

    assert result.value == 1060.0
    assert result.elapsed == 60


def test_a_tape_gives_the_run_again() -> None:
    """Replaying the choices of one seed gives its digest and value, under whatever seed."""
    first = run(race, ["a", "b", "c", "d"], seed=3)
    others = [run(race, ["a", "b", "c", "d"], seed=seed).value for seed in range(10)]
    again = run(race, ["a", "b", "c", "d"], seed=99, tape=first.tape.rewound())

    assert (again.value, again.digest) == (first.value, first.digest)
    assert any(other != first.value for other in others)


def test_a_tape_of_another_program_is_refused() -> None:
    """A run that asks for other choices than the tape holds says at which position."""
    tape = run(race, ["a", "b", "c", "d"], seed=3).tape.rewound()

    with pytest.raises(ReplayDiverged, match="choice"):
        run(race, ["x", "y", "z", "u", "v"], seed=3, tape=tape)


def test_errors_of_the_function_are_raised() -> None:
    """What the function raises leaves `run`; the world is closed."""

    def broken() -> None:
        time.sleep(1)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(broken)
    assert current_thread() is None


def test_a_deterministic_function_passes_the_check() -> None:
    """Two equal histories: the result of the second is given, with its events."""
    result = check_determinism(race, ["a", "b", "c"], seed=5)

    assert sorted(result.value) == ["a", "b", "c"]
    assert len(result.trace.events) == result.events


def test_the_first_difference_is_shown_with_both_stacks() -> None:
    """A function that does something else the second time is refused: the event of each run, and the line of each."""
    calls: list[int] = []

    def fickle() -> None:
        calls.append(1)
        time.sleep(1)
        if len(calls) == 2:
            time.sleep(2)
        else:
            time.sleep(3)

    with pytest.raises(Nondeterministic) as caught:
        check_determinism(fickle, seed=5)

    text = str(caught.value)
    assert "seed 5 does not give one history: the runs differ first at event 2:" in text
    lines = [line.rpartition(" in ")[0].rpartition(":")[2] for line in text.splitlines() if line.endswith("in fickle")]
    start = fickle.__code__.co_firstlineno
    assert lines == [str(start + 6), str(start + 4)]
    assert "then one run: 4.000000 harness/MainThread slept" in text
    assert "then the other: 3.000000 harness/MainThread slept" in text
    assert caught.value.exit_code is ExitCode.NONDETERMINISTIC


def test_a_result_that_differs_is_a_difference() -> None:
    """Chance from below the simulation leaves no event, and is noticed by what the runs returned."""
    calls: list[int] = []

    def fickle() -> dict[str, list[int]]:
        calls.append(1)
        time.sleep(1)
        return {"rows": [7, len(calls)]}

    with pytest.raises(Nondeterministic) as caught:
        check_determinism(fickle, seed=5)

    text = str(caught.value)
    assert "seed 5 gives one history, but two results: the result['rows'][1] is 1 in one run, 2 in the other" in text
    assert caught.value.difference.at == 3
    assert caught.value.exit_code is ExitCode.NONDETERMINISTIC


def test_an_error_that_comes_only_once_is_a_difference() -> None:
    """How a run ends is part of its history."""
    calls: list[int] = []

    def once() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyError("only the second time")

    with pytest.raises(Nondeterministic, match="outcome KeyError"):
        check_determinism(once)


def test_an_error_that_comes_both_times_is_raised() -> None:
    """A function that fails deterministically passes the check, and its error is seen."""

    def broken() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        check_determinism(broken)


def test_options_reach_the_world() -> None:
    """Options of `World` are options of `run`."""
    assert run(time.time, epoch=datetime(2000, 1, 1, tzinfo=UTC)).value == 946_684_800.0
    assert len(run(race, ["a", "b"], trace=True).trace.events) > 0
