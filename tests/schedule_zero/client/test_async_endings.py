"""How calls of the asyncio client end that have no answer: closed, cancelled, broken.

Each body runs once over libzmq and once in the simulated world.
"""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest
import zmq
import zmq.asyncio

from schedule_zero.async_zmq_client import AsyncZMQClient
from schedule_zero.dealer_lane import DealerLane
from schedule_zero.errors import (
    Disconnected,
)

pytestmark = [pytest.mark.integration, pytest.mark.zmq, pytest.mark.client, pytest.mark.sim]
NOBODY = "tcp://127.0.0.1:1"


@pytest.mark.parametrize("how", ["close", "terminate"])
def test_calls_in_flight_end_with_the_client(arm: Any, how: str) -> None:
    """Closing fails what is in flight or waits for its turn, at once and by name."""

    async def body() -> None:
        async with arm.peer(arm.keep) as peer:
            client = AsyncZMQClient(peer.address)
            calls = [asyncio.create_task(client.call("echo")) for _ in range(30)]
            await peer.has(1)
            await getattr(client, how)()
            await getattr(client, how)()
            assert await arm.kinds(*calls) == ["Disconnected"] * 30
            assert (client.connected, client.in_flight) == (False, 0)
            await client.terminate()

    arm.run(body())


def test_reuse_after_close_but_not_after_terminate(arm: Any) -> None:
    """A closed client opens a socket for the next call, a terminated one says what it is."""

    async def body() -> None:
        async with arm.peer() as peer:
            client = AsyncZMQClient(peer.address)
            await client.connect()
            await client.close()
            assert await client.call("echo", {"n": 1}) == {"n": 1}
            assert repr(client).endswith("connected, 0 in flight>")
            await client.terminate()
            with pytest.raises(Disconnected, match="was terminated; make a new one"):
                await client.call("echo")
            assert repr(client).endswith("terminated, 0 in flight>")

    arm.run(body())


def test_cancelled_calls_leave_nothing(arm: Any) -> None:
    """After 100 cancelled calls nothing is in flight, no task is left, and their late answers are only counted."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo")
            peer.respond = arm.keep
            calls = [asyncio.create_task(client.call("echo", {"n": n})) for n in range(100)]
            await peer.has(101)
            for call in calls:
                call.cancel()
            assert await arm.kinds(*calls) == ["CancelledError"] * 100
            assert client.in_flight == 0
            for kept in peer.kept:
                await peer.answer(*kept)
            peer.respond = arm.echo
            assert await client.call("echo", {"n": 1}) == {"n": 1}
            assert (client.stats.stray_replies, client.stats.recreated) == (100, 0)

    arm.run(body())


def test_a_context_that_was_handed_in(arm: Any) -> None:
    """It outlives the client; one that somebody else destroys under the calls fails them at once."""

    async def body() -> None:
        context = zmq.asyncio.Context()
        async with arm.peer() as peer:
            async with AsyncZMQClient(peer.address, context=context) as client:
                assert await client.call("echo", {"n": 1}) == {"n": 1}
            assert not context.closed
            other = AsyncZMQClient(peer.address, context=context)
            await other.call("echo")
            peer.respond = arm.keep
            call = asyncio.create_task(other.call("echo"))
            await peer.has(3)
            context.destroy(linger=0)
            assert await arm.kinds(call) == ["Disconnected"]
            with pytest.raises(Disconnected):
                await other.call("echo")
            await other.terminate()

    arm.run(body())


def test_a_socket_that_fails(arm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A send that the socket refuses fails its call, a receive that fails all in flight; the next call is served."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address) as client:
            with monkeypatch.context() as patch:
                patch.setattr(DealerLane, "send", fail)
                with pytest.raises(Disconnected, match="Bad address"):
                    await client.call("echo")
            assert await client.call("echo", {"n": 1}) == {"n": 1}
            peer.respond = arm.keep
            calls = [asyncio.create_task(client.call("echo")) for _ in range(3)]
            await peer.has(4)
            lane = client._lane
            assert lane is not None
            failed: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
            failed.set_exception(zmq.ZMQError(errno.EFAULT))
            lane._take(failed)
            assert await arm.kinds(*calls) == ["Disconnected"] * 3
            peer.respond = arm.echo
            assert await client.call("echo", {"n": 2}) == {"n": 2}

    def fail(*_: object) -> None:
        raise zmq.ZMQError(errno.EFAULT)

    arm.run(body())


def test_without_auto_reconnect(arm: Any) -> None:
    """No socket is opened or replaced unasked."""

    async def body() -> None:
        async with arm.peer() as peer:
            client = AsyncZMQClient(peer.address)
            with pytest.raises(Disconnected, match="not connected; call connect"):
                await client.call("echo", None, False)
            await client.connect()
            assert await client.call("echo", {"n": 1}, False) == {"n": 1}
            peer.respond = arm.keep
            assert await arm.kinds(client.call("echo", None, False, timeout=50)) == ["CallTimeout"]
            assert not client.connected
            await client.terminate()

    arm.run(body())


def test_another_loop_is_refused(arm: Any) -> None:
    """A client whose socket belongs to one event loop says so in another."""
    client = AsyncZMQClient(NOBODY)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(client.connect())
        with pytest.raises(Disconnected, match="belongs to another event loop"):
            arm.run(client.connect())
        loop.run_until_complete(client.terminate())
    finally:
        loop.close()
