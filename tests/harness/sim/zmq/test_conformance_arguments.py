"""Arguments that the compiled layer of pyzmq makes a C int of: taken and refused alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import zmq

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.unit]


class Number:
    """Has ``__int__``, which it takes. (What has ``__index__`` alone is taken by some builds of pyzmq only.)"""

    def __int__(self) -> int:
        return 0


CALLS: dict[str, Callable[[Any, Any], object]] = {
    "send": lambda push, value: push.send(b"", value),
    "poll": lambda push, value: zmq.zmq_poll([(push, value)], 0),
    "timeout": lambda push, value: zmq.zmq_poll([(push, zmq.POLLOUT)], value),
    "get": lambda push, value: push.context.get(value),
    "monitor": lambda push, value: push.monitor(f"inproc://{id(value)}", value),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("0", "TypeError('an integer is required')"),
        (b"0", "TypeError('an integer is required')"),
        (None, "TypeError("),
        (2**40, "OverflowError('value too large to convert to int')"),
        (Number(), ""),
        (0.9, ""),
        (False, ""),
    ],
    ids=["text", "bytes", "None", "large", "int", "float", "bool"],
)
def test_numbers(world: Any, call: str, value: Any, error: str) -> None:
    """The same values are numbers, and the others are refused in the same words (None in those of pyzmq's build)."""
    _, push = world.pair(zmq.PULL, zmq.PUSH)
    told = ""
    try:
        CALLS[call](push, value)
    except (TypeError, OverflowError) as refusal:
        told = repr(refusal)
    except zmq.ZMQError:
        pass  # a number, if one that means nothing here

    assert told[: len(error)] == error
    assert bool(told) == bool(error)


@pytest.mark.parametrize(("kind", "error"), [("1", TypeError), (None, TypeError), (2**40, OverflowError)])
def test_kinds_of_sockets(world: Any, kind: Any, error: type[Exception]) -> None:
    """What is no number is no kind of socket either."""
    with pytest.raises(error):
        world.context.socket(kind)
