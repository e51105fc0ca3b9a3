"""Chance comes from the seed: equal for equal seeds, independent between processes, real outside."""

from __future__ import annotations

import os
import random
import secrets
import uuid
from os import urandom
from random import uniform

import pytest

from harness.sim import World
from harness.sim.boundary.entropy import NODE


def draw() -> list[object]:
    """Something from every source."""
    return [
        os.urandom(4),
        urandom(4),
        os.getrandom(4),
        random.random(),
        uniform(0, 1),
        random.Random().random(),
        random.SystemRandom().random(),
        random.sample(range(100), 3),
        secrets.token_hex(4),
        str(uuid.uuid4()),
        str(uuid.uuid1()),
    ]


def drawn(seed: int) -> list[object]:
    """What a world of this seed gives."""
    with World(seed):
        return draw()


def test_one_seed_gives_the_same_chances() -> None:
    """Every source repeats itself for a seed; another seed gives others."""
    assert drawn(3) == drawn(3)
    assert all(one != other for one, other in zip(drawn(3), drawn(4), strict=True))


def test_chance_is_the_same_on_every_python() -> None:
    """Literal values: the streams depend on nothing but the seed."""
    with World(1):
        assert os.urandom(4).hex() == "03584459"
        assert random.randrange(10**6) == 341_951
        assert str(uuid.uuid4()) == "dcbc8e6f-6fdf-488d-9927-7e9cbba4a41f"


def test_the_host_s_generator_is_left_alone() -> None:
    """`random` outside goes on where it was, whatever was drawn or seeded inside."""
    random.seed(5)
    expected = [random.random() for _ in range(2)]
    random.seed(5)
    first = random.random()
    with World(1):
        random.random()
        random.seed(99)

    assert [first, random.random()] == expected


def test_a_seed_of_the_program_s_own_is_honoured() -> None:
    """``random.seed(5)`` inside gives the numbers it gives everywhere."""
    expected = random.Random(5).random()
    with World(1):
        random.seed(5)
        assert random.random() == random.Random(5).random() == expected


def test_processes_have_streams_of_their_own() -> None:
    """A second process of a name has other chances than the first; how much one draws changes nothing for others."""

    def chances(greed: int) -> list[list[float]]:
        found: list[list[float]] = []
        with World(1) as world:
            kernel = world.kernel
            for name in ("server", "server", "other"):
                process = kernel.new_process(name)
                kernel.spawn(process, "MainThread", lambda: found.append([random.random() for _ in range(greed)][:1]))
                process.exited.wait()
        return found

    modest, greedy = chances(1), chances(50)
    assert modest == greedy
    assert len({value for values in modest for value in values}) == 3


def test_addresses_of_hardware_are_nobody_s() -> None:
    """uuid1 holds the simulated machine's address, not the real one's."""
    with World(1):
        assert uuid.uuid1().node == uuid.getnode() == NODE
    assert uuid.getnode() != NODE


@pytest.mark.parametrize("name", ["urandom", "getrandom"])
def test_chance_outside_is_real(name: str) -> None:
    """After a world two draws differ from what the seed would give."""
    with World(1):
        inside = getattr(os, name)(16)

    assert getattr(os, name)(16) != inside
