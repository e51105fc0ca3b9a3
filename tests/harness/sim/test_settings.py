"""Arguments of a world that no world can have."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import Any

import pytest
import zmq

from harness.sim import World
from harness.sim.errors import NotSimulated

pytestmark = [pytest.mark.unit, pytest.mark.sim]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": "x"}, "seed='x'"),
        ({"seed": True}, "seed=True"),
        ({"step_cost": -1}, "step_cost=-1 of a simulated world: expected whole microseconds"),
        ({"step_cost": 0.5}, "step_cost=0.5"),
        ({"livelock": 0}, "livelock=0"),
        ({"deviate": 200}, "deviate=200 of a simulated world: expected a whole per cent"),
        ({"deviate": "a"}, "deviate='a'"),
        ({"patience": -1}, "patience=-1"),
        ({"epoch": "2026-01-01"}, "expected a datetime with a time zone"),
        ({"epoch": datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)}, "expected a datetime with a time zone"),
        ({"timezone": "Mars/X"}, "timezone='Mars/X'"),
        ({"timezone": "../etc"}, "timezone='../etc'"),
        ({"tape": "x.jsonl"}, r"expected a Tape, e\.g\. Tape\.load"),
        ({"latency": 5}, "two whole numbers of microseconds"),
        ({"latency": (10, 1)}, "two whole numbers of microseconds"),
        ({"latency": (-5, -1)}, "two whole numbers of microseconds"),
        ({"latency": "5ms"}, "two whole numbers of microseconds"),
        ({"start_up": (1,)}, "two numbers of seconds"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_before_anything_is_replaced(arguments: dict[str, Any], words: str) -> None:
    """ValueError names the argument, what was found, what was expected; it used to be a hang, or another error."""
    with pytest.raises(ValueError, match=words):
        World(**arguments)


def test_a_misspelt_option_is_told() -> None:
    """A word that nobody heeds is no option: it was accepted without a word."""
    with pytest.raises(TypeError, match=r"no option 'latncy'; did you mean 'latency'\?"):
        World(latncy=(1, 2))


def test_parts_of_others_have_options_of_their_own() -> None:
    """Whoever brings a part brings its words along."""

    seen: list[dict[str, Any]] = []

    class Part:
        def install(self, world: World) -> None:
            seen.append(world.options)

        def remove(self) -> None:
            pass

    with World(parts=(Part(),), colour="red"):
        assert seen == [{"colour": "red"}]


def test_what_is_right_opens() -> None:
    """The checks refuse nothing that works."""
    epoch = datetime(1999, 1, 1, tzinfo=UTC)
    with World(3, epoch=epoch, step_cost=5, deviate=100, latency=(0, 0), start_up=(0.1, 1)) as world:
        assert datetime.now(UTC).year == 1999
        assert world.kernel.step_cost == 5
        assert world.machine.start_up == (0.1, 1)
        assert world.fabric.links.latency("a", "b") == (0, 0)


def test_what_is_not_simulated_names_the_line_and_no_secret() -> None:
    """The error names the program's own line, also where it comes from deep inside; a key is nobody's business."""
    with World(), zmq.Context() as context, context.socket(zmq.REQ) as client:
        with pytest.raises(NotSimulated, match=r"CURVE_SECRETKEY.*test_settings\.py:\d+ in ") as caught:
            client.curve_secretkey = b"R-F0gM]Rkxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        assert "R-F0" not in str(caught.value)
        with pytest.raises(NotSimulated, match=r"test_settings\.py:\d+ in "):
            socket.socket(type=socket.SOCK_DGRAM)
        with pytest.raises(NotSimulated, match=r"'example\.com'.*test_settings\.py:\d+ in "):
            socket.getaddrinfo("example.com", 80)
