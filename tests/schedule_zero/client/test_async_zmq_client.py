"""The asyncio client, each body once over libzmq and once in the simulated world."""

from __future__ import annotations

import asyncio
import errno
import random
import time
from collections.abc import Coroutine
from typing import Any

import pytest
import zmq
import zmq.asyncio

from harness.sim.world import World
from schedule_zero.async_zmq_client import AsyncZMQClient
from schedule_zero.dealer_lane import DealerLane
from schedule_zero.errors import (
    CallTimeout,
    ConfigError,
    Disconnected,
    HandlerUnavailable,
    ProtocolError,
    RemoteError,
)
from schedule_zero.manners import Manner

pytestmark = [pytest.mark.integration, pytest.mark.zmq, pytest.mark.client, pytest.mark.sim]
NOBODY = "tcp://127.0.0.1:1"


def run(body: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a new loop, with a limit; nothing of it may be left but the coroutine itself."""

    async def limited() -> Any:
        result = await asyncio.wait_for(body, 30.0)
        await asyncio.sleep(0)
        timers: list[asyncio.TimerHandle] = getattr(asyncio.get_running_loop(), "_scheduled", [])
        assert [timer for timer in timers if not timer.cancelled()] == []
        assert [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        return result

    return asyncio.run(limited(), debug=False)


async def kinds(*calls: Any) -> list[Any]:
    """What became of each call: its result, or the name of its error."""
    ended = await asyncio.gather(*calls, return_exceptions=True)
    return [type(end).__name__ if isinstance(end, BaseException) else end for end in ended]


# -- many in flight ---------------------------------------------------------------------------------------------------


def test_three_hundred_answers_in_reverse(arm: Any) -> None:
    """Each of 300 calls in flight at once gets its own answer, whatever the order of the answers."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address) as client:
            assert await client.call("echo", {"n": -1}) == {"n": -1}
            peer.respond = arm.keep
            calls = [asyncio.create_task(client.call("echo", {"n": n})) for n in range(300)]
            await peer.has(301)
            assert client.in_flight == 300
            for route, request in reversed(peer.kept):
                await peer.answer(route, request)

            assert await asyncio.gather(*calls) == [{"n": n} for n in range(300)]
            assert (client.in_flight, client.stats.calls, client.stats.recreated) == (0, 301, 0)

    run(body())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_call_ends_in_its_own_answer_or_a_typed_error(arm: Any, seed: int) -> None:
    """Answers that are late, doubled, lost, garbled, or another's harm no call but their own."""

    patience = arm.patience

    async def misbehave(peer: Any, route: list[bytes], request: dict[str, Any]) -> None:
        what, n = request["method"], request["params"]["n"]
        if what == "twice":
            await peer.answer(route, request)
        if what in ("twice", "once"):
            await peer.answer(route, request)
        elif what == "stranger":
            await peer.answer(route, request, request_id="nobody's", result="wrong")
        elif what == "garbled":
            await peer.send(route, b'{"request_id": "%s", "success": 5}' % request["request_id"].encode())
        elif what == "late":
            asyncio.get_running_loop().call_later(1.2 * patience, peer.answer_soon, route, request)
        elif what == "frames":
            await peer.send(route, b"", b"x", b"\xff" * (n + 1))

    async def body() -> None:
        chance = random.Random(seed)
        expected = {
            "once": None, "twice": None, "stranger": "CallTimeout", "garbled": "ProtocolError",
            "late": "CallTimeout", "silent": "CallTimeout", "frames": "CallTimeout",
        }  # fmt: skip
        wanted = [chance.choice([*expected]) for _ in range(200)]
        async with arm.peer() as peer, AsyncZMQClient(peer.address, max_in_flight=150) as client:
            await client.call("echo", {"n": -1})
            peer.respond = misbehave
            calls = [client.call(what, {"n": n}, timeout=int(patience * 1000)) for n, what in enumerate(wanted)]
            ends = await kinds(*calls)
            assert ends == [expected[what] or {"n": n} for n, what in enumerate(wanted)]
            count = {what: wanted.count(what) for what in expected}
            assert client.stats.timeouts == sum(count[w] for w, end in expected.items() if end == "CallTimeout")
            assert client.stats.protocol_errors == count["garbled"] + count["frames"]
            strays = sum(count[w] for w in ("twice", "stranger", "late", "frames"))
            async with asyncio.timeout(20.0):
                while client.stats.stray_replies < strays:
                    await asyncio.sleep(0.01)
            assert client.stats.stray_replies == strays
            assert client.in_flight == 0

    run(body())


def test_no_more_than_the_limit_are_in_flight(arm: Any) -> None:
    """The rest wait their turn, and their waiting counts against their own time-out."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address, max_in_flight=4) as client:
            await client.call("echo")
            peer.respond = arm.keep
            first = [asyncio.create_task(client.call("echo", {"n": n})) for n in range(4)]
            await peer.has(5)
            with pytest.raises(CallTimeout, match=r"other calls held the client for all of 0\.050 s"):
                await client.call("echo", timeout=50)
            waiting = asyncio.create_task(client.call("echo", {"n": 4}))
            await asyncio.sleep(0.02)
            assert (client.in_flight, len(peer.requests)) == (4, 5)
            await peer.answer(*peer.kept[0])
            await peer.has(6)
            for kept in peer.kept[1:]:
                await peer.answer(*kept)
            assert await asyncio.gather(*first, waiting) == [{"n": n} for n in range(5)]

    run(body())


def test_one_request_id_is_one_request(arm: Any) -> None:
    """Two calls under one id share a request and its answer; the id of another request is refused."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo")
            peer.respond = arm.keep
            two = [asyncio.create_task(client.call("echo", {"n": 1}, request_id="r")) for _ in range(2)]
            await peer.has(2)
            with pytest.raises(ProtocolError, match="'r' is in flight for another request"):
                await client.call("echo", {"n": 2}, request_id="r")
            await peer.answer(*peer.kept[0])
            assert await asyncio.gather(*two) == [{"n": 1}, {"n": 1}]
            assert len(peer.requests) == 2

    run(body())


def test_the_one_who_gives_up_takes_nothing_from_the_other(arm: Any) -> None:
    """Of two calls under one id, one times out and the other is answered."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo")
            peer.respond = arm.keep
            patient = asyncio.create_task(client.call("echo", {"n": 1}, request_id="r"))
            hasty = asyncio.create_task(client.call("echo", {"n": 1}, request_id="r", timeout=50))
            assert await kinds(hasty) == ["CallTimeout"]
            await peer.answer(*peer.kept[0])
            assert await patient == {"n": 1}

    run(body())


# -- manners ----------------------------------------------------------------------------------------------------------


def test_a_second_call_does_not_wait_for_a_slow_first(arm: Any) -> None:
    """A peer that has shown nothing is asked its manner by a ping, so that its first, slow call holds up nobody."""

    async def body() -> None:
        async with arm.peer(arm.slow_but_pings) as peer, AsyncZMQClient(peer.address) as client:
            slow = asyncio.create_task(client.call("slow"))
            await peer.has(1)
            assert client.manner.value == "unknown"
            assert await client.call("echo", {"n": 1}, timeout=5000) == {"n": 1}
            assert client.manner.value == "echoes"
            assert not slow.done()
            await peer.answer(*peer.kept[0])
            assert await slow == {}
            assert [request["method"] for request in peer.requests] == ["slow", "ping", "echo"]

    run(body())


@pytest.mark.parametrize("manner_shown_by", ["call", "ping"])
def test_a_plain_rep_gets_one_call_at_a_time(arm: Any, manner_shown_by: str) -> None:
    """Twenty calls at once to a REP that knows no request ids: each gets its own answer."""

    async def body() -> None:
        async with arm.rep() as peer, AsyncZMQClient(peer.address) as client:
            if manner_shown_by == "call":
                await client.call("echo", {"n": -1})
            answers = await asyncio.gather(*(client.call("echo", {"n": n}) for n in range(20)))
            assert answers == [{"n": n} for n in range(20)]
            assert client.manner.value == "anonymous"
            assert client.stats.stray_replies == 0

    run(body())


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_a_late_answer_without_an_id_is_nobodys(arm: Any, how: str) -> None:
    """After a call to a plain REP is given up, its answer is not taken for that to the next call."""

    async def body() -> None:
        async with arm.rep() as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo", {"n": 0})
            peer.pause = 0.2
            call = asyncio.create_task(client.call("echo", {"n": 1}, timeout=100 if how == "timeout" else 5000))
            await asyncio.sleep(0.05)
            if how == "cancel":
                call.cancel()
            await asyncio.wait([call])
            assert await client.call("echo", {"n": 2}) == {"n": 2}
            assert client.stats.recreated == 1

    run(body())


def test_a_peer_that_begins_to_echo(arm: Any) -> None:
    """One answer without an id does not slow a peer down for ever: the next one that has an id is believed."""

    async def body() -> None:
        async with arm.peer(arm.without_id) as peer, AsyncZMQClient(peer.address) as client:
            assert await client.call("echo", {"n": 1}) == {"n": 1}
            assert client.manner.value == "anonymous"
            peer.respond = arm.echo
            assert await client.call("echo", {"n": 2}) == {"n": 2}
            assert client.manner.value == "echoes"

    run(body())


def test_a_peer_that_ceases_to_echo(arm: Any) -> None:
    """A plain REP in the place of a handler of ours costs one time-out; then its manner is learnt anew."""

    async def body() -> None:
        async with arm.peer() as peer:
            client = AsyncZMQClient(peer.address, timeout=5000)
            await client.call("echo")
        async with arm.rep(peer.address):
            assert await kinds(client.call("echo", {"n": 1}, timeout=1000)) == ["CallTimeout"]
            assert await asyncio.gather(*(client.call("echo", {"n": n}) for n in range(5))) == [
                {"n": n} for n in range(5)
            ]
            assert (client.manner, client.stats.timeouts) == (Manner.ANONYMOUS, 1)
            await client.terminate()

    run(body())


def test_the_question_for_the_manner_ends_with_the_first_answer(arm: Any) -> None:
    """A peer that knows no ping shows its manner by its answer to the first call; it is not asked any more."""

    async def no_ping(peer: Any, route: list[bytes], request: dict[str, Any]) -> None:
        if request["method"] == "slow":
            peer.kept.append((route, request))
        elif request["method"] != "ping":
            await peer.answer(route, request)

    async def body() -> None:
        async with arm.peer(no_ping) as peer, AsyncZMQClient(peer.address) as client:
            first = asyncio.create_task(client.call("slow"))
            second = asyncio.create_task(client.call("echo"))
            await peer.has(2)
            assert client._probe is not None
            await peer.answer(*peer.kept[0])
            assert await kinds(first, second) == [{}, {}]
            assert client._probe is None

    run(body())


def test_an_answer_that_comes_with_the_cancellation(arm: Any) -> None:
    """A call that is cancelled in the very moment in which its answer comes is cancelled, and harms nobody."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo")
            peer.respond = arm.keep
            call = asyncio.create_task(client.call("echo", request_id="r"))
            await peer.has(2)
            lane = client._lane
            assert lane is not None
            call.cancel()
            client._on_message(lane, b'{"success": true, "request_id": "r"}')
            assert await kinds(call) == ["CancelledError"]
            assert client.in_flight == 0

    run(body())


# -- peers that are away ----------------------------------------------------------------------------------------------


def test_a_time_out_of_one_call_costs_the_others_nothing(arm: Any) -> None:
    """While the peer is heard from, a call that times out leaves the connection; its late answer is counted."""

    async def body() -> None:
        async with arm.peer(arm.slow_but_pings) as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo")
            slow = asyncio.create_task(client.call("slow", timeout=int(arm.patience * 1000)))
            patient = asyncio.create_task(client.call("slow", {"n": 1}))
            await peer.has(3)
            assert await client.call("echo", {"n": 2}) == {"n": 2}
            assert await kinds(slow) == ["CallTimeout"]
            for kept in peer.kept:
                await peer.answer(*kept)
            assert await patient == {"n": 1}
            assert (client.stats.timeouts, client.stats.stray_replies, client.stats.recreated) == (1, 1, 0)

    run(body())


def test_silence_costs_a_connection_but_no_call(arm: Any) -> None:
    """When a call times out in silence, new calls get a new connection, and the old one still brings answers."""

    async def body() -> None:
        async with arm.peer(arm.slow_but_pings) as peer, AsyncZMQClient(peer.address) as client:
            await client.call("echo")
            patient = asyncio.create_task(client.call("slow", {"n": 1}))
            assert await kinds(client.call("slow", timeout=50)) == ["CallTimeout"]
            assert await client.call("echo", {"n": 2}) == {"n": 2}
            assert client.stats.recreated == 1
            await peer.answer(*peer.kept[0])
            assert await patient == {"n": 1}
            assert client.in_flight == 0

    run(body())


def test_a_killed_peer_comes_back(arm: Any) -> None:
    """The call that the dead peer took times out; those that wait for their turn are answered by its successor."""

    async def body() -> None:
        async with arm.peer(arm.keep) as peer:
            client = AsyncZMQClient(peer.address, timeout=20_000)
            lost = asyncio.create_task(client.call("echo", timeout=300))
            await peer.has(1)
            waiting = [asyncio.create_task(client.call("echo", {"n": n})) for n in range(50)]
        async with arm.peer(address=peer.address):
            assert await kinds(lost) == ["CallTimeout"]
            assert await asyncio.gather(*waiting) == [{"n": n} for n in range(50)]
            await client.terminate()

    run(body())


def test_nobody_there(arm: Any) -> None:
    """Calls to a port where nobody listens end at their time-outs, those that waited for their turn too."""

    async def body() -> float:
        async with AsyncZMQClient(NOBODY, timeout=150) as client:
            begin = asyncio.get_running_loop().time()
            assert await kinds(*(client.call("echo") for _ in range(5))) == ["CallTimeout"] * 5
            assert not await client.ping(timeout=10)
            return asyncio.get_running_loop().time() - begin

    assert 0.15 <= run(body()) < 5.0


def test_what_was_given_up_is_not_sent_later(arm: Any) -> None:
    """A client full of requests that nobody took throws them away: the returning peer gets only the last."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address, max_in_flight=2) as client:
            await client.call("echo")
        async with AsyncZMQClient(peer.address, max_in_flight=2) as client:
            client.manner = Manner.ECHOES
            for n in range(1100):
                call = asyncio.create_task(client.call("echo", {"n": n}))
                await asyncio.sleep(0)
                call.cancel()
                assert await kinds(call) == ["CancelledError"]
            assert client.stats.recreated == 1
            async with arm.peer(address=peer.address) as again:
                assert await client.call("echo", {"n": -1}) == {"n": -1}
                assert len(again.requests) < 200

    run(body())


# -- ending -----------------------------------------------------------------------------------------------------------


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
            assert await kinds(*calls) == ["Disconnected"] * 30
            assert (client.connected, client.in_flight) == (False, 0)
            await client.terminate()

    run(body())


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

    run(body())


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
            assert await kinds(*calls) == ["CancelledError"] * 100
            assert client.in_flight == 0
            for kept in peer.kept:
                await peer.answer(*kept)
            peer.respond = arm.echo
            assert await client.call("echo", {"n": 1}) == {"n": 1}
            assert (client.stats.stray_replies, client.stats.recreated) == (100, 0)

    run(body())


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
            assert await kinds(call) == ["Disconnected"]
            with pytest.raises(Disconnected):
                await other.call("echo")
            await other.terminate()

    run(body())


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
            assert await kinds(*calls) == ["Disconnected"] * 3
            peer.respond = arm.echo
            assert await client.call("echo", {"n": 2}) == {"n": 2}

    def fail(*_: object) -> None:
        raise zmq.ZMQError(errno.EFAULT)

    run(body())


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
            assert await kinds(client.call("echo", None, False, timeout=50)) == ["CallTimeout"]
            assert not client.connected
            await client.terminate()

    run(body())


def test_another_loop_is_refused(arm: Any) -> None:
    """A client whose socket belongs to one event loop says so in another."""
    client = AsyncZMQClient(NOBODY)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(client.connect())
        with pytest.raises(Disconnected, match="belongs to another event loop"):
            run(client.connect())
        loop.run_until_complete(client.terminate())
    finally:
        loop.close()


# -- answers ----------------------------------------------------------------------------------------------------------


def test_answers_become_results_or_typed_errors(arm: Any) -> None:
    """As with the synchronous client: the handler's errors by their codes, and nothing that is no JSON is sent."""

    async def body() -> None:
        with arm.worker() as worker:
            async with AsyncZMQClient(worker.address) as client:
                assert await client.call("add", {"a": 1, "b": 2}) == 3
                with pytest.raises(RemoteError, match="ValueError: no such luck") as failed:
                    await client.call("fail")
                assert failed.value.code == "call_failed"
                with pytest.raises(ProtocolError, match="cannot be written as JSON"):
                    await client.call("add", {"a": object()})
                assert await client.ping()
                assert [await client.call("add", {"a": 1}, request_id="r") for _ in range(3)] == [1, 1, 1]
                assert worker.stats.replayed == 2

    run(body())


def test_a_handler_that_stops_in_the_middle(arm: Any) -> None:
    """Of 300 calls to a handler that stops, each is answered or refused; none is left hanging."""

    async def body() -> None:
        worker = arm.worker()
        worker.start()
        async with AsyncZMQClient(worker.address, timeout=2000) as client:
            calls = [asyncio.create_task(client.call("add", {"a": n})) for n in range(300)]
            await asyncio.sleep(0.02)
            await asyncio.to_thread(worker.stop)
            ends = await kinds(*calls)
            wrong = [(n, end) for n, end in enumerate(ends) if end not in (n, "HandlerUnavailable", "CallTimeout")]
            assert wrong == []

    run(body())


def test_a_refusal_is_told_from_a_failure(arm: Any) -> None:
    """`unavailable` is an error of its own: that call did not run."""

    async def refuse(peer: Any, route: list[bytes], request: dict[str, Any]) -> None:
        await peer.answer(route, request, success=False, error="is stopping", code="unavailable")

    async def body() -> None:
        async with arm.peer(refuse) as peer, AsyncZMQClient(peer.address) as client:
            with pytest.raises(HandlerUnavailable, match="is stopping"):
                await client.call("echo")

    run(body())


def test_a_flood_of_answers_leaves_the_loop_to_others(arm: Any) -> None:
    """While a thousand answers are taken in, other tasks of the loop run."""

    async def body() -> None:
        async with arm.peer(arm.keep) as peer, AsyncZMQClient(peer.address) as client:
            call = asyncio.create_task(client.call("echo"))
            await peer.has(1)
            for _ in range(1000):
                await peer.answer(*peer.kept[0], request_id="nobody's")
            time.sleep(0.1)  # noqa: ASYNC251 - the loop stands still, so that they pile up
            rounds = 0
            while client.stats.stray_replies < 1000:
                await asyncio.sleep(0)
                rounds += 1
            await peer.answer(*peer.kept[0])
            await call
            assert rounds >= 1000 / 64

    run(body())


def test_two_under_one_id_that_wait_for_their_turns(arm: Any) -> None:
    """Who finds, when its turn comes, that its request is under way already does not send it again."""

    async def body() -> None:
        async with arm.peer() as peer, AsyncZMQClient(peer.address, max_in_flight=2) as client:
            await client.call("echo")
            peer.respond = arm.slow_but_pings
            first = [asyncio.create_task(client.call("slow", {"n": n})) for n in range(2)]
            await peer.has(3)
            two = [asyncio.create_task(client.call("slow", {"n": 2}, request_id="r")) for _ in range(2)]
            await asyncio.sleep(0.01)
            await asyncio.gather(*(peer.answer(*kept) for kept in peer.kept))
            await peer.has(4)
            await peer.answer(*peer.kept[2])
            assert await asyncio.gather(*first, *two) == [{"n": 0}, {"n": 1}, {"n": 2}, {"n": 2}]
            assert len(peer.requests) == 4

    run(body())


@pytest.mark.parametrize("wrong", ["nowhere", "tcp://127.0.0.1", "bogus://127.0.0.1:5555"])
def test_address_that_makes_no_sense(arm: Any, wrong: str) -> None:
    """An address that ZeroMQ cannot use is an error at connect, which names it."""

    async def body() -> None:
        client = AsyncZMQClient(wrong)
        with pytest.raises(Disconnected, match="cannot connect to"):
            await client.connect()
        await client.terminate()

    run(body())


def test_room_for_no_call() -> None:
    """A client that could never call is refused when it is made."""
    with pytest.raises(ConfigError, match="at least 1 call in flight, found 0"):
        AsyncZMQClient(NOBODY, max_in_flight=0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_restarts_and_cancellations_leave_nothing(worker_class: Any, seed: int) -> None:
    """A handler restarted twice under calls of every patience, some of them cancelled: no answer goes astray, and in
    the end nothing is in flight, no connection is left over, and all is served.
    """
    chance = random.Random(seed)

    async def body() -> None:
        workers = [worker_class("w")]
        workers[0].start()
        client = AsyncZMQClient(workers[0].address, max_in_flight=chance.choice([1, 5, 64]))

        async def call(n: int) -> None:
            await asyncio.sleep(chance.random() * 1.5)
            method = chance.choice(["add", "add_later"])
            assert await client.call(method, {"a": n, "b": 0}, timeout=chance.choice([20, 200, 1000])) == n

        async def restart() -> None:
            for _ in range(2):
                await asyncio.sleep(0.4)
                await asyncio.to_thread(workers[-1].stop, chance.choice([0.0, 0.5]))
                await asyncio.sleep(chance.random() * 0.2)
                workers.append(worker_class("w", workers[0].port))
                workers[-1].start()

        calls = [asyncio.create_task(call(n)) for n in range(120)]
        for task in chance.sample(calls, 10):
            asyncio.get_running_loop().call_later(chance.random(), task.cancel)
        ends = await kinds(*calls, restart())
        assert set(ends) <= {None, "CallTimeout", "HandlerUnavailable", "CancelledError"}
        assert ends[-1] is None
        later = [client.call("add", {"a": n}, timeout=20_000) for n in range(20)]
        assert await asyncio.gather(*later) == list(range(20))
        assert (client.in_flight, client._retired) == (0, [])
        await client.terminate()
        await asyncio.to_thread(workers[-1].stop)

    with World(seed=seed):
        run(body())
