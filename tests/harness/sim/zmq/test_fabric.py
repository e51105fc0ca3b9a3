"""The fabric under ZeroMQ: rules, held messages, latency."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import zmq

from harness.sim.errors import BadFault
from harness.sim.rules import Deliver, Drop, Duplicate, Hold, Message
from harness.sim.world import World

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.unit]


def numbers(sim: Any, pull: Any, within: int = 2_000) -> list[int]:
    """All that comes, as numbers."""
    got = []
    while pull.poll(within):
        got.append(int(pull.recv()))
    return got


def only(nth: int, verdict: Any) -> Any:
    """A rule for the nth message of a PUSH."""
    return lambda message: verdict if message.pattern == "PUSH" and message.nth == nth else None


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Drop(), [1, 3]),
        (Duplicate(), [1, 2, 2, 3]),
        (Duplicate(3), [1, 2, 2, 2, 3]),
        (Deliver(0.5), [1, 2, 3]),
        (Deliver(0.5, in_order=False), [1, 3, 2]),
        (Hold(), [1, 3]),
    ],
)
def test_verdicts(sim: Any, verdict: Any, expected: list[int]) -> None:
    """Each verdict does what it says to the second of three messages."""
    pull, push = sim.pair(zmq.PULL, zmq.PUSH)
    with sim.sim.fabric.rule(only(2, verdict)):
        for n in (1, 2, 3):
            push.send(b"%d" % n)
        assert numbers(sim, pull) == expected


def test_held_messages_come_when_released(sim: Any) -> None:
    """What is held arrives at its release, in the order in which it was sent, at most as many as asked for."""
    pull, push = sim.pair(zmq.PULL, zmq.PUSH)
    fabric = sim.sim.fabric
    with fabric.rule(lambda message: Hold()):
        for n in range(3):
            push.send(b"%d" % n)
        assert numbers(sim, pull) == []
    assert fabric.held == 3
    assert fabric.release(2) == 2
    assert numbers(sim, pull) == [0, 1]
    assert fabric.release() == 1
    assert numbers(sim, pull) == [2]


def test_rules_see_the_message(sim: Any) -> None:
    """A rule is told both processes, the address, the type, all frames and the number on this connection."""
    rep, req = sim.pair(zmq.REP, zmq.REQ)
    address = rep.last_endpoint.decode()
    seen: list[Message] = []

    def look(message: Message) -> None:
        seen.append(message)

    with sim.sim.fabric.rule(look):
        for text in (b"one", b"two"):
            req.send(text)
            rep.send(rep.recv())
            req.recv()
    assert seen == [
        Message("harness", "harness", address, "REQ", (b"", b"one"), 1),
        Message("harness", "harness", address, "REP", (b"", b"one"), 1),
        Message("harness", "harness", address, "REQ", (b"", b"two"), 2),
        Message("harness", "harness", address, "REP", (b"", b"two"), 2),
    ]


def test_rule_ends_with_its_block(sim: Any) -> None:
    """After the block the rule is gone."""
    pull, push = sim.pair(zmq.PULL, zmq.PUSH)
    with sim.sim.fabric.rule(lambda message: Drop()):
        push.send(b"1")
    push.send(b"2")
    assert numbers(sim, pull) == [2]


def test_a_mistaken_rule_ends_the_world_whoever_catches_errors() -> None:
    """The program that sends may catch every error: the world's main thread is told which rule returned what."""
    caught: list[str] = []

    def careless(push: Any) -> None:
        try:
            push.send(b"1")
        except Exception as error:  # noqa: BLE001 - what a careless program does
            caught.append(type(error).__name__)

    def play() -> None:
        with World(seed=1) as world, zmq.Context() as context:
            pull, push = context.socket(zmq.PULL), context.socket(zmq.PUSH)
            pull.linger = push.linger = 0
            push.connect(f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}")
            time.sleep(1)
            mistaken: Any = lambda message: Drop  # noqa: E731
            with world.fabric.rule(mistaken):
                thread = threading.Thread(target=careless, args=(push,))
                thread.start()
                thread.join()
            time.sleep(1)

    with pytest.raises(BadFault, match=r"returned the class Drop: .*did you mean Drop\(\)\?"):
        play()
    assert caught == ["BadFault"]


def test_the_latest_rule_decides_before_all_others(sim: Any) -> None:
    """A rule of an inner block is asked first: its verdict counts, and where it has none, that of the outer block."""
    pull, push = sim.pair(zmq.PULL, zmq.PUSH)
    with sim.sim.fabric.rule(lambda message: Drop()):
        with sim.sim.fabric.rule(only(2, Duplicate())):
            for n in (1, 2, 3):
                push.send(b"%d" % n)
            assert numbers(sim, pull) == [2, 2]
        push.send(b"4")
        assert numbers(sim, pull) == []


def test_latency_is_drawn_between_low_and_high(sim: Any) -> None:
    """With two numbers each message takes a time of its own between them; with one it is always that."""
    pull, push = sim.pair(zmq.PULL, zmq.PUSH)
    taken: dict[tuple[float, ...], list[float]] = {}
    for seconds in ((0.1,), (0.1, 0.3)):
        sim.sim.fabric.set_latency("*", "*", *seconds)
        for _ in range(20):
            begin = time.monotonic()
            push.send(b"1")
            pull.recv()
            taken.setdefault(seconds, []).append(time.monotonic() - begin)
    assert {round(time_, 6) for time_ in taken[0.1,]} == {0.1}
    drawn = taken[0.1, 0.3]
    assert len(set(drawn)) > 10
    assert min(drawn) >= 0.1
    assert 0.2 < max(drawn) <= 0.3 + 1e-6


def test_latency() -> None:
    """A message takes as long as the link says; both ways of a question add up."""
    with World(seed=1, latency=(5_000, 5_000)), zmq.Context() as context:
        rep, req = context.socket(zmq.REP), context.socket(zmq.REQ)
        port = rep.bind_to_random_port("tcp://127.0.0.1")
        req.connect(f"tcp://127.0.0.1:{port}")
        time.sleep(1)
        begin = time.monotonic()
        req.send(b"")
        rep.recv()
        rep.send(b"")
        req.recv()
        assert time.monotonic() - begin == pytest.approx(0.010, abs=1e-6)
