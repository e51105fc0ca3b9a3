"""What polling costs in a world: nothing at first, then at most ten milliseconds a look; without end it is told."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable

import pytest

from harness.sim import Livelock, World


def _question(event: threading.Event) -> None:
    event.is_set()


def _a_turn(event: threading.Event) -> None:
    del event
    time.sleep(0)


def _a_wait_for_nothing(event: threading.Event) -> None:
    del event
    with contextlib.suppress(queue.Empty):
        queue.SimpleQueue[int]().get(timeout=0)


@pytest.mark.parametrize(
    ("look", "dearest"),
    [(_question, 0.001), (_a_turn, 0.01), (_a_wait_for_nothing, 0.01)],
    ids=["question", "turn", "time-out of 0"],
)
def test_who_polls_for_long_is_not_late(look: Callable[[threading.Event], None], dearest: float) -> None:
    """What is paid grows to 1 ms a question, to 10 ms for a hundred turns, and no further: nobody looks too late."""
    with World(seed=1) as world:
        event = threading.Event()
        threading.Timer(5, event.set).start()
        gaps = set()
        while not event._flag:  # type: ignore[attr-defined] # `is_set` would be a question of its own
            before = world.elapsed  # no clock, which would let time pass, too
            look(event)
            gaps.add(round(world.elapsed - before, 6))

    assert max(gaps) == dearest


def test_a_thousand_questions_are_free() -> None:
    """Who looks at each of its many queues once does not poll: no time passes."""
    with World() as world:
        threading.Thread(target=time.sleep, args=(1,)).start()
        for _ in range(1_000):
            with contextlib.suppress(queue.Empty):
                queue.SimpleQueue[int]().get_nowait()

        assert world.elapsed == 0


def test_notifying_a_condition_is_no_question() -> None:
    """A condition asks whether its lock is held by trying to acquire it, a queue at each put: that costs nothing."""
    with World() as world:
        threading.Thread(target=time.sleep, args=(1,)).start()
        items: queue.Queue[int] = queue.Queue()
        for number in range(5_000):
            items.put(number)

        assert world.elapsed == 0


@pytest.mark.parametrize(
    ("threads", "told"),
    [
        (1, "20000 questions of harness/MainThread were answered with 'not yet'"),
        (2, "20000 steps were made without time passing, by (harness/(MainThread|poll-1)(, )?){2}:"),
    ],
    ids=["alone", "two"],
)
def test_who_polls_for_what_nobody_can_bring_is_told(threads: int, told: str) -> None:
    """Nothing is due, nobody else can run but who polls as well: a livelock, as no time could ever change it."""
    with World(livelock=20_000) as world:
        lock = threading.Lock()
        lock.acquire()

        def poll() -> None:
            while not lock.acquire(blocking=False):
                pass

        for number in range(1, threads):
            threading.Thread(target=poll, name=f"poll-{number}").start()
        with pytest.raises(Livelock, match=told):
            poll()

        assert world.elapsed < 1


def test_where_every_step_costs_time_questions_in_vain_are_told_as_well() -> None:
    """With `step_cost` time passes while two ask in turn, and no number of steps is too many: their questions are."""
    with World(livelock=20_000, step_cost=1) as world:
        lock = threading.Lock()
        lock.acquire()

        def poll() -> None:
            while not lock.acquire(blocking=False):
                pass

        threading.Thread(target=poll).start()
        with pytest.raises(Livelock, match=r"20000 questions of harness/.* were answered with 'not yet'"):
            poll()

        assert world.elapsed < 1


@pytest.mark.parametrize("threads", [1, 2])
def test_waits_of_no_time_that_nothing_can_end_are_told(threads: int) -> None:
    """Others that wait with a time-out of 0 as well are no hope, although that time-out is due."""
    with World(livelock=50_000 * threads) as world:
        lock = threading.Lock()
        lock.acquire()

        def poll() -> None:
            while not lock.acquire(timeout=0):
                pass

        for _ in range(1, threads):
            threading.Thread(target=poll).start()
        with pytest.raises(Livelock, match="steps were made without time passing"):
            poll()

        assert world.elapsed < 1


def test_turns_that_nothing_can_end_are_told() -> None:
    """Two threads that give way to each other, and nothing is due: time does not pass for them without end."""
    with World(livelock=50_000) as world:

        def turn() -> None:
            while True:
                time.sleep(0)

        threading.Thread(target=turn).start()
        with pytest.raises(Livelock, match="50000 steps were made without time passing"):
            turn()

        assert world.elapsed < 0.001
