"""The simulated layer has the names, parameters and defaults of the compiled one it stands in for."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import zmq
import zmq.asyncio
import zmq.backend
from zmq.backend import select
from zmq.backend.cython import _zmq as compiled

from harness.sim.boundary import registry
from harness.sim.zmq import part, polling
from harness.sim.zmq.backend import SimContext, SimSocket

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.unit]

PAIRS = [(compiled.Socket, SimSocket), (compiled.Context, SimContext)]
UNTOUCHED = {"context", "copy_threshold", "handle"}
"""Attributes of the compiled objects that stay in use as they are."""


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    """Name, kind and default of each parameter; annotations are left out."""
    found = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default if p.default is not p.empty else "required") for p in found]


@pytest.mark.parametrize(("real", "simulated"), PAIRS)
def test_nothing_is_missing(real: type, simulated: type) -> None:
    """Every public name of the compiled class is simulated: nothing falls through to the real libzmq."""
    names = {name for name in vars(real) if not name.startswith("_")} - UNTOUCHED
    assert names - set(vars(simulated)) == set()


@pytest.mark.parametrize(("real", "simulated"), PAIRS)
def test_signatures(real: type, simulated: type) -> None:
    """Methods have the same parameters, in the same order, of the same kind, with the same defaults."""
    for name, mine in vars(simulated).items():
        theirs = getattr(real, name, None)
        if name.startswith("_") or not inspect.isfunction(mine) or theirs is None:
            continue
        assert parameters(mine) == parameters(theirs), name


def test_functions() -> None:
    """So have the functions."""
    for mine, theirs in (
        (polling.poll, compiled.zmq_poll),
        (polling.proxy, compiled.proxy),
        (polling.proxy_steerable, compiled.proxy_steerable),
    ):
        assert parameters(mine) == parameters(theirs)


def test_backend_api_is_known() -> None:
    """pyzmq's list of what its compiled layer offers holds nothing that this simulation has not heard of."""
    known = {
        "Context", "Socket", "Frame", "Message", "proxy", "proxy_steerable", "zmq_poll", "strerror", "zmq_errno", "has",
        "curve_keypair", "curve_public", "zmq_version_info", "IPC_PATH_MAX_LEN", "PYZMQ_DRAFT_API",
    }  # fmt: skip
    assert set(select.public_api) == known


def test_everything_is_put_back(sim: Any) -> None:
    """Inside a world the classes are pyzmq's own with one base more."""
    assert [base.__name__ for base in zmq.Socket.__bases__[:2]] == ["SimSocket", "Socket"]
    assert isinstance(sim.context, zmq.Context)
    assert issubclass(zmq.asyncio.Socket, zmq.Socket)


def test_outside_nothing_is_left() -> None:
    """Outside, pyzmq is what it was."""
    from zmq.sugar import context, frame, poll, socket

    real: Any = compiled
    assert socket.Socket.__bases__[0] is compiled.Socket
    assert context.Context.__bases__[0] is compiled.Context
    assert socket.Socket.setsockopt is real.Socket.set
    assert socket.Socket.getsockopt is real.Socket.get
    assert vars(poll)["zmq_poll"] is zmq.backend.zmq_poll is zmq.zmq_poll is real.zmq_poll
    assert zmq.Frame is frame.Frame
    assert zmq.proxy is real.proxy


def test_boundary_is_declared() -> None:
    """The part's entries are in the registry of boundaries."""
    assert set(part.BOUNDARY) <= set(registry.all())


def test_subclasses_made_before_the_world(arms: Any) -> None:
    """A class that a user has derived from zmq.Context or zmq.Socket at import time is simulated as well."""

    class Mine(zmq.Socket[bytes]):
        def shout(self, text: str) -> None:
            self.send_string(text.upper())

    class Contexts(zmq.Context[Mine]):
        _socket_class = Mine

    with arms("sim") as sim, Contexts() as context:
        pull, address = sim.bound(zmq.PULL)
        push = context.socket(zmq.PUSH)
        push.connect(address)
        push.shout("hello")
        assert sim.receive(pull) == [b"HELLO"]
        assert sim.sim.elapsed < 1.0
