"""Places for HTTP connections: who gets one, who gives way, what is told."""

from __future__ import annotations

import logging
import time

import pytest

from harness.sim.world import World
from schedule_zero.http_crowd import Crowd

pytestmark = pytest.mark.unit


class Line:
    """A connection; `unread` while its peer does not take what was sent."""

    def __init__(self) -> None:
        self.closed = False
        self.unread = False

    def close(self) -> None:
        """Remember it."""
        self.closed = True

    def writing(self) -> bool:
        """As tornado's."""
        return self.unread


def entered(crowd: Crowd, count: int, address: str, *, asking: bool = False) -> list[Line]:
    """Connections from an address, all of which find a place; `asking` ones wait for an answer."""
    lines = [Line() for _ in range(count)]
    for line in lines:
        assert crowd.enter(line, address)
        if asking:
            crowd.served(line)
    return lines


def closed(lines: list[Line]) -> list[int]:
    """Which of them were closed."""
    return [number for number, line in enumerate(lines) if line.closed]


def test_one_address_has_half_of_all_places_at_most() -> None:
    """Eleven connections of one address with work under way: ten have a place, and ten are left for others."""
    crowd = Crowd(20)
    entered(crowd, 10, "192.0.2.7", asking=True)
    refused = Line()
    assert not crowd.enter(refused, "192.0.2.7")
    assert refused.closed
    others = entered(crowd, 10, "192.0.2.8", asking=True)
    assert not crowd.enter(Line(), "192.0.2.9")
    assert (crowd.open, crowd.refused, crowd.displaced, closed(others)) == (20, 2, 0, [])


def test_an_address_with_its_share_gives_way_to_itself() -> None:
    """One that opens connections for ever never takes a place of another address, however silent that one is."""
    crowd = Crowd(20)
    others = entered(crowd, 3, "192.0.2.8")
    mine = entered(crowd, 25, "192.0.2.7")
    assert closed(others) == []
    assert closed(mine) == list(range(15))
    assert (crowd.open, crowd.refused, crowd.displaced) == (13, 0, 15)


def test_this_machine_has_three_quarters() -> None:
    """A proxy on it stands for many: 15 of 20 places, by IPv4 and by IPv6."""
    for address in ("127.0.0.1", "::1"):
        crowd = Crowd(20)
        entered(crowd, 15, address, asking=True)
        assert not crowd.enter(Line(), address)


def test_two_thousand_callers_of_this_machine_find_places() -> None:
    """That many requests are under way at once in a burst of load, where descriptors allow it."""
    assert Crowd(3000).share_of("127.0.0.1") >= 2000


def test_a_network_of_64_bits_is_one_address() -> None:
    """Each IPv6 host has 2**64 addresses to itself: they share one share."""
    crowd = Crowd(4)
    entered(crowd, 1, "2001:db8::1", asking=True)
    entered(crowd, 1, "2001:db8::2", asking=True)
    assert not crowd.enter(Line(), "2001:db8::3")
    assert crowd.enter(Line(), "2001:db8:0:1::3")


def test_the_silent_for_the_longest_time_gives_way_first() -> None:
    """A sign of life puts a connection behind the others; one whose request is worked at is never closed."""
    crowd = Crowd(4)
    first, second = entered(crowd, 2, "192.0.2.7")
    third, fourth = entered(crowd, 2, "192.0.2.8")
    crowd.silent(first)
    crowd.served(second)
    entered(crowd, 1, "192.0.2.9")
    assert closed([first, second, third, fourth]) == [2]
    entered(crowd, 1, "192.0.2.9")
    assert closed([first, second, third, fourth]) == [2, 3]


def test_who_does_not_read_the_answer_gives_way() -> None:
    """What was sent and is not taken keeps no place."""
    crowd = Crowd(4)
    reading, unread = entered(crowd, 2, "192.0.2.7", asking=True)
    unread.unread = True
    entered(crowd, 1, "192.0.2.7")
    assert (reading.closed, unread.closed) == (False, True)


def test_places_come_free_once() -> None:
    """A connection that has left may be told of again, and takes no other's place along."""
    crowd = Crowd(4)
    one, other = entered(crowd, 2, "192.0.2.7", asking=True)
    crowd.left(one)
    crowd.left(one)
    crowd.silent(one)
    assert crowd.open == 1
    entered(crowd, 1, "192.0.2.7", asking=True)
    assert not crowd.enter(Line(), "192.0.2.7")
    assert not other.closed


def test_a_flood_is_told_of_twice_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """The first refusal at once; the next word after 30 s says how many there were since."""
    caplog.set_level(logging.WARNING)
    with World(seed=1):
        crowd = Crowd(4)
        entered(crowd, 2, "192.0.2.7", asking=True)
        for _ in range(5):
            crowd.enter(Line(), "192.0.2.7")
        time.sleep(31.0)
        crowd.enter(Line(), "192.0.2.7")
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "too many HTTP connections: 2 open of 4, 2 of them from 192.0.2.7 which may have 2; since this was last told"
        " 1 were refused and 0 silent ones closed to make room",
        "too many HTTP connections: 2 open of 4, 2 of them from 192.0.2.7 which may have 2; since this was last told"
        " 5 were refused and 0 silent ones closed to make room",
    ]
