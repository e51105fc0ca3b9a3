"""Ports: who has which, and what collides."""

from __future__ import annotations

import errno

import pytest

from harness.sim.ports import FIRST_EPHEMERAL, LAST_EPHEMERAL, PortTable

pytestmark = [pytest.mark.sim, pytest.mark.unit]


def table(start: int = 0) -> PortTable:
    """A table that looks for free ports from `start` of the range."""
    return PortTable(lambda n: start % n)


def test_free_ports() -> None:
    """Port 0 takes the first free port from the chosen start, round the end of the range."""
    ports = table(LAST_EPHEMERAL - FIRST_EPHEMERAL)
    assert ports.bind("127.0.0.1", 0, "a") == LAST_EPHEMERAL
    assert ports.bind("127.0.0.1", 0, "b") == FIRST_EPHEMERAL


@pytest.mark.parametrize(
    ("first", "second", "free"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.2", True),
        ("127.0.0.1", "0.0.0.0", False),
        ("0.0.0.0", "127.0.0.1", False),
        ("0.0.0.0", "0.0.0.0", False),
    ],
)
def test_collisions(first: str, second: str, free: bool) -> None:
    """The same address collides, and a wildcard with every address."""
    ports = table()
    ports.bind(first, 5555, "a")
    assert ports.is_free(second, 5555) is free
    if not free:
        with pytest.raises(OSError, match="Address already in use") as caught:
            ports.bind(second, 5555, "b")
        assert caught.value.errno == errno.EADDRINUSE


def test_finding() -> None:
    """A listener is found by its own address, or by any when it has the wildcard."""
    ports = table()
    ports.bind("127.0.0.1", 1, "one")
    ports.bind("0.0.0.0", 2, "any")
    assert ports.find("127.0.0.1", 1) == "one"
    assert ports.find("127.0.0.2", 1) is None
    assert ports.find("127.0.0.2", 2) == "any"
    assert ports.find("127.0.0.1", 3) is None


def test_release() -> None:
    """Only the owner gives a port back."""
    ports = table()
    ports.bind("127.0.0.1", 1, "one")
    ports.release("127.0.0.1", 1, "another")
    assert not ports.is_free("127.0.0.1", 1)
    ports.release("127.0.0.1", 1, "one")
    assert ports.is_free("127.0.0.1", 1)
