"""The client's life: time-outs, several threads, peers and contexts that go."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import zmq

from schedule_zero import zmq_client
from schedule_zero.errors import CallTimeout, Disconnected
from schedule_zero.zmq_client import ZMQClient

pytestmark = [pytest.mark.integration, pytest.mark.zmq]


def silent(peer: Any, route: list[bytes], request: dict[str, Any]) -> None:
    """No answer at all."""


def test_context_ended_under_a_call(start_peer: Any) -> None:
    """When the owner of a shared context ends it, the call under way ends too, and so does the owner's
    term().
    """
    peer = start_peer(silent)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    client = ZMQClient(peer.address, timeout=30_000, context=context)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.call, "echo")
        peer.wait_for_requests(1)
        began = time.monotonic()
        context.term()

        with pytest.raises(Disconnected, match="context was ended"):
            call.result(5.0)
        assert time.monotonic() - began < 2.0


@pytest.mark.parametrize("wrong", ["nowhere", "tcp://127.0.0.1", "bogus://127.0.0.1:5555"])
def test_address_that_makes_no_sense(wrong: str) -> None:
    """An address that ZeroMQ cannot use is an error at connect, which names it."""
    client = ZMQClient(wrong)
    with pytest.raises(Disconnected, match="cannot connect to"):
        client.connect()
    client.terminate()


def test_nobody_there() -> None:
    """A call to a port where nobody listens ends at its time-out, not later."""
    with ZMQClient("tcp://127.0.0.1:1", timeout=150) as client:
        began = time.monotonic()
        with pytest.raises(CallTimeout, match=r"0\.150 s"):
            client.call("echo")
        assert 0.15 <= time.monotonic() - began < 2.0


def test_peer_restart(start_peer: Any) -> None:
    """A peer that ends and returns at the same port is found again by the same client."""
    peer = start_peer()
    with ZMQClient(peer.address, timeout=10_000) as client:
        assert client.call("echo", {"n": 1}) == {"n": 1}
        peer.stop()
        with pytest.raises(CallTimeout):
            client.call("echo", timeout=100)
        start_peer(port=peer.port)

        assert client.call("echo", {"n": 2}) == {"n": 2}


def test_call_made_while_the_peer_is_away(start_peer: Any) -> None:
    """A call that begins before the peer is back is answered by the one that returns."""
    peer = start_peer()
    peer.stop()
    with ZMQClient(peer.address, timeout=10_000) as client, ThreadPoolExecutor(1) as pool:
        client.connect()
        call = pool.submit(client.call, "echo", {"n": 1})
        start_peer(port=peer.port)

        assert call.result(10.0) == {"n": 1}


def test_concurrent_calls_get_their_own_answers(start_peer: Any) -> None:
    """Eight threads share one client, and each gets the answers to its own questions."""
    peer = start_peer()
    with ZMQClient(peer.address, timeout=30_000) as client, ThreadPoolExecutor(8) as pool:

        def ask(thread: int) -> list[Any]:
            return [client.call("echo", {"n": [thread, n]})["n"] for n in range(25)]

        answers = list(pool.map(ask, range(8)))

    assert answers == [[[thread, n] for n in range(25)] for thread in range(8)]
    assert client.stats.calls == 200
    assert client.stats.recreated == 0


def test_concurrent_calls_while_the_socket_is_being_hurt(start_peer: Any, listen: Any) -> None:
    """Recovery of one thread's call takes nothing away from the calls of the others."""
    peer = start_peer()
    left_to_hurt = [f"r-{n}" for n in range(0, 100, 5)]

    def hurt(socket: zmq.Socket[bytes], request_id: str, **_: Any) -> None:
        if request_id in left_to_hurt:
            left_to_hurt.remove(request_id)
            socket.send(b"not json")

    listen("client.before_send", hurt)
    with ZMQClient(peer.address, timeout=30_000) as client, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: client.call("echo", {"n": n}, request_id=f"r-{n}")["n"], range(100)))

    assert answers == list(range(100))
    assert client.stats.efsm_recoveries == 20


def test_waiting_for_the_socket_counts_against_the_time_out(start_peer: Any) -> None:
    """A call that waits for another thread's call gives up at its own time-out."""
    peer = start_peer(silent)
    with ZMQClient(peer.address, timeout=30_000) as client, ThreadPoolExecutor(1) as pool:
        other = pool.submit(client.call, "echo")
        peer.wait_for_requests(1)
        began = time.monotonic()
        with pytest.raises(CallTimeout, match="other calls held the client"):
            client.call("echo", timeout=100)
        assert time.monotonic() - began < 2.0

        client.close()
        with pytest.raises(Disconnected):
            other.result(5.0)


def test_close_interrupts_a_call(start_peer: Any) -> None:
    """close() from another thread ends a call that waits for an answer, at once and with a typed error."""
    peer = start_peer(silent)
    client = ZMQClient(peer.address, timeout=30_000)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.call, "echo")
        peer.wait_for_requests(1)
        began = time.monotonic()
        client.terminate()
        assert time.monotonic() - began < 2.0

        with pytest.raises(Disconnected, match="closed"):
            call.result(5.0)


def test_terminate_ends_only_its_own_context(start_peer: Any) -> None:
    """A context that was handed in is still of use after terminate; one that the client made is ended."""
    peer = start_peer()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    shared = ZMQClient(peer.address, timeout=5000, context=context)
    shared.ping()
    shared.terminate()

    assert not context.closed
    with ZMQClient(peer.address, timeout=5000, context=context) as another:
        assert another.call("echo", {"n": 1}) == {"n": 1}
    context.term()


def test_reuse_after_close(start_peer: Any) -> None:
    """A closed client opens a new socket for the next call; closing twice is harmless."""
    peer = start_peer()
    with ZMQClient(peer.address, timeout=5000) as client:
        client.close()
        client.close()
        assert not client.connected

        assert client.call("echo", {"n": 1}) == {"n": 1}


def test_terminated_client_refuses(start_peer: Any) -> None:
    """A terminated client says so, and terminating twice is harmless."""
    client = ZMQClient(start_peer().address, timeout=5000)
    client.connect()
    client.terminate()
    client.terminate()

    with pytest.raises(Disconnected, match="terminated"):
        client.call("echo")
    with pytest.raises(Disconnected, match="terminated"):
        client.connect()


def test_context_manager_connects_then_cleans_up(start_peer: Any) -> None:
    """The with block begins connected and ends terminated, also when its body fails."""
    client = ZMQClient(start_peer().address, timeout=5000)
    was_connected = []

    def body() -> None:
        with client:
            was_connected.append(client.connected)
            raise RuntimeError("body")

    with pytest.raises(RuntimeError, match="body"):
        body()
    assert was_connected == [True]
    assert repr(client).endswith("terminated>")


def test_ping(start_peer: Any) -> None:
    """ping is True for a pong, and False for silence, nonsense and errors; it never raises."""
    answers = [
        b'{"success": true, "message": "pong", "handler_id": "h"}',
        b"nonsense",
        b'{"success": false, "error": "no"}',
    ]
    peer = start_peer(lambda peer, route, request: peer.send(route, answers[len(peer.requests) - 1]))
    with ZMQClient(peer.address, timeout=5000) as client:
        assert [client.ping() for _ in answers] == [True, False, False]
        peer.respond = silent
        assert client.ping(timeout=100) is False


def test_without_auto_reconnect_a_hurt_client_stays_unconnected(start_peer: Any, listen: Any) -> None:
    """A socket in the wrong state, or a time-out, costs the connection; calls say so until there is one again."""
    peer = start_peer()
    with ZMQClient(peer.address, timeout=10_000) as client:
        heal = listen("client.before_send", lambda socket, **_: socket.send(b"not json"))
        with pytest.raises(Disconnected, match=r"echo to .*: Operation cannot be accomplished in current state"):
            client.call("echo", auto_reconnect=False)
        heal()
        with pytest.raises(Disconnected, match=r"not connected; call connect\(\) or allow auto_reconnect"):
            client.call("echo", auto_reconnect=False)
        client.connect()
        assert client.call("echo", {"n": 1}, auto_reconnect=False) == {"n": 1}
        peer.respond = silent
        with pytest.raises(CallTimeout):
            client.call("echo", auto_reconnect=False, timeout=100)
        assert not client.connected
        assert (client.stats.efsm_recoveries, client.stats.recreated) == (0, 0)


def test_a_socket_that_is_refused_twice_is_given_up(start_peer: Any, listen: Any) -> None:
    """The state is mended once a call; what is hurt again at once is told instead of tried for ever."""
    with ZMQClient(start_peer().address, timeout=10_000) as client:
        heal = listen("client.before_send", lambda socket, **_: socket.send(b"not json"))
        with pytest.raises(Disconnected, match="cannot be accomplished in current state"):
            client.call("echo")
        assert client.stats.efsm_recoveries == 1
        heal()
        assert client.call("echo", {"n": 1}) == {"n": 1}


def test_an_answer_that_somebody_else_took_is_asked_for_again(start_peer: Any, listen: Any) -> None:
    """Between sending and receiving the socket was used: the call is made anew, under the same id."""
    peer = start_peer()
    taken: list[bytes] = []

    def steal(socket: zmq.Socket[bytes], **_: Any) -> None:
        if not taken:
            socket.setsockopt(zmq.RCVTIMEO, 10_000)
            taken.append(socket.recv())

    listen("client.after_send", steal)
    with ZMQClient(peer.address, timeout=10_000) as client:
        assert client.call("echo", {"n": 1}, request_id="r") == {"n": 1}
        assert client.stats.efsm_recoveries == 1
    assert peer.ids() == ["r", "r"]


def test_close_gives_up_on_a_call_that_is_stuck(
    start_peer: Any, listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is held where nothing can end it holds up close() for a time, and not for ever; then it goes on."""
    monkeypatch.setattr(zmq_client, "_CLOSE_LIMIT", 0.2)
    held, free = threading.Event(), threading.Event()

    def hold(**_: Any) -> None:
        held.set()
        free.wait(20.0)

    listen("client.before_send", hold)
    with ZMQClient(start_peer().address, timeout=10_000) as client, ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.call, "echo", {"n": 1})
        assert held.wait(10.0)
        with pytest.raises(Disconnected, match=r"a call in another thread held the socket for 0\.2 s"):
            client.close()
        free.set()
        assert call.result(10.0) == {"n": 1}
