"""A REQ socket gets into its bad states by the genuine roads, and the client gets it out of them."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
import zmq

from schedule_zero import barriers
from schedule_zero.errors import CallTimeout, Disconnected, ProtocolError, RemoteError
from schedule_zero.zmq_client import ZMQClient

pytestmark = pytest.mark.zmq

Respond = Callable[["Peer", list[bytes], dict[str, Any]], None]


class Peer:
    """A ROUTER in a thread, which hands each request to `respond`; the other end of the wire, with no code of
    ours.
    """

    def __init__(self, respond: Respond, port: int = 0) -> None:
        self.requests: list[dict[str, Any]] = []
        self.respond = respond
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(f"tcp://127.0.0.1:{port or '*'}")
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.port = int(self.address.rsplit(":", 1)[1])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def send(self, route: list[bytes], *payload: bytes) -> None:
        """Send frames as they are."""
        self.socket.send_multipart([*route, *payload])

    def answer(self, route: list[bytes], request: dict[str, Any], **changes: Any) -> None:
        """Send the reply that echoes the parameters, with changes."""
        reply = {"success": True, "result": request["params"], "request_id": request["request_id"], **changes}
        self.send(route, json.dumps(reply).encode())

    def ids(self) -> list[str]:
        """The request ids in the order of their arrival."""
        return [request["request_id"] for request in self.requests]

    def stop(self) -> None:
        """Close, as a process that ends does."""
        self._ended.set()
        self._thread.join(5.0)
        self.socket.close(linger=0)
        self.context.term()

    def _serve(self) -> None:
        while not self._ended.is_set():
            if self.socket.poll(10):
                *route, payload = self.socket.recv_multipart()
                try:
                    request = json.loads(payload)
                except ValueError:
                    continue  # what a test sent raw, to bring a socket into a wrong state
                self.requests.append(request)
                self.respond(self, route, request)


def echo(peer: Peer, route: list[bytes], request: dict[str, Any]) -> None:
    """The well-behaved answer."""
    peer.answer(route, request)


def first_then_echo(first: Respond) -> Respond:
    """`first` for the first request, the well-behaved answer from then on."""

    def respond(peer: Peer, route: list[bytes], request: dict[str, Any]) -> None:
        (first if len(peer.requests) == 1 else echo)(peer, route, request)

    return respond


def silent(peer: Peer, route: list[bytes], request: dict[str, Any]) -> None:
    """No answer at all."""


@pytest.fixture
def start_peer() -> Iterator[Callable[..., Peer]]:
    """Start peers, and stop what a test left running."""
    peers: list[Peer] = []

    def start(respond: Respond = echo, port: int = 0) -> Peer:
        peer = Peer(respond, port)
        peers.append(peer)
        return peer

    yield start
    for peer in peers:
        if not peer.socket.closed:
            peer.stop()


@pytest.fixture
def listen() -> Iterator[Callable[[str, Callable[..., None]], Callable[[], None]]]:
    """Listen at barriers for the length of one test."""
    ends: list[Callable[[], None]] = []

    def start(name: str, listener: Callable[..., None]) -> Callable[[], None]:
        ends.append(barriers.listen(name, listener))
        return ends[-1]

    yield start
    for end in ends:
        end()


def send_twice(times: int) -> Callable[..., None]:
    """A listener that leaves a request unanswered on the REQ socket, so that the client's own send is the
    second.
    """
    left = [times]

    def listener(socket: zmq.Socket[bytes], **_: Any) -> None:
        if left[0] > 0:
            left[0] -= 1
            socket.send(b"not json: the peer will not answer")

    return listener


# --- the three regressions of the user's table
# --------------------------------------------------------------------


@pytest.mark.regression
def test_socket_state_machine_error(start_peer: Any, listen: Any) -> None:
    """A second send on the same REQ is refused by libzmq with EFSM, and the call succeeds on a new socket."""
    peer = start_peer()
    refusals: list[str] = []
    listen("client.before_send", send_twice(1))
    listen("client.recovered", lambda reason, **_: refusals.append(reason))

    with ZMQClient(peer.address, timeout=5000) as client:
        result = client.call("echo", {"n": 1}, request_id="r-1")

        assert result == {"n": 1}
        assert client.stats.efsm_recoveries == 1
        assert client.stats.recreated == 1
    assert refusals == ["the socket refused: Operation cannot be accomplished in current state"]
    assert peer.ids() == ["r-1"]


@pytest.mark.regression
def test_context_leak_prevention(start_peer: Any, listen: Any) -> None:
    """Clients that come, fall into EFSM, recover and go leave no descriptor and no I/O thread behind."""
    peer = start_peer()
    process = psutil.Process()
    contexts: list[zmq.Context[Any]] = []
    sockets: list[zmq.Socket[bytes]] = []

    def remember(socket: zmq.Socket[bytes], **_: Any) -> None:
        contexts.append(socket.context)
        sockets.append(socket)

    listen("client.before_send", remember)

    def one_client() -> None:
        end = listen("client.before_send", send_twice(1))
        with ZMQClient(peer.address, timeout=5000) as client:
            client.call("echo", {"n": 1})
            assert client.stats.recreated == 1
        end()

    one_client()  # what is made once for a whole process is made now
    descriptors, threads = steady_use(process)
    for _ in range(25):
        one_client()
    descriptors_after, threads_after = steady_use(process)

    # The references held here keep the garbage collector from ending what the client forgot.
    assert len(sockets) == 52
    assert [context for context in contexts if not context.closed] == []
    assert [socket for socket in sockets if not socket.closed] == []
    assert descriptors_after <= descriptors
    assert threads_after <= threads


@pytest.mark.regression
def test_hanging_after_timeout(start_peer: Any) -> None:
    """After calls that nobody answered, the very next one to the same peer is answered, and none hangs."""
    peer = start_peer(silent)
    with ZMQClient(peer.address, timeout=100) as client:
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(CallTimeout):
                client.call("echo")
        lost = time.monotonic() - began

        peer.respond = echo
        result = client.call("echo", {"n": 2}, timeout=5000)

    assert result == {"n": 2}
    assert 0.3 <= lost < 2.0
    assert client.stats.timeouts == 3
    assert client.stats.recreated == 3
    assert client.stats.efsm_recoveries == 0


def steady_use(process: psutil.Process) -> tuple[int, int]:
    """Descriptors and threads, once two looks in a row agree: the peer's side closes a moment later."""
    deadline = time.monotonic() + 5.0
    before, now = (-1, -1), (process.num_fds(), process.num_threads())
    while before != now and time.monotonic() < deadline:
        time.sleep(0.1)
        before, now = now, (process.num_fds(), process.num_threads())
    return now


# --- wrong states
# -------------------------------------------------------------------------------------------------


def test_answer_taken_by_somebody_else(start_peer: Any, listen: Any) -> None:
    """A receive after the answer is gone is refused with EFSM, and the call is repeated under the same
    request id.
    """
    peer = start_peer()
    thefts: list[bytes] = []

    def steal(socket: zmq.Socket[bytes], **_: Any) -> None:
        if not thefts and socket.poll(5000):
            thefts.append(socket.recv())

    listen("client.after_send", steal)
    with ZMQClient(peer.address, timeout=5000) as client:
        assert client.call("echo", {"n": 1}, request_id="r-1") == {"n": 1}
        assert client.stats.efsm_recoveries == 1
    assert len(thefts) == 1
    assert peer.ids() == ["r-1", "r-1"]


def test_refused_again_and_again(start_peer: Any, listen: Any) -> None:
    """A socket that is refused twice in one call ends the call with an error, and the next call works."""
    peer = start_peer()
    end = listen("client.before_send", send_twice(2))
    with ZMQClient(peer.address, timeout=5000) as client:
        with pytest.raises(Disconnected, match="current state"):
            client.call("echo")
        end()

        assert client.call("echo", {"n": 1}) == {"n": 1}


def test_no_reconnect_unless_allowed(start_peer: Any, listen: Any) -> None:
    """With auto_reconnect off, a refused send is an error at once, and the socket stays closed until
    connect().
    """
    peer = start_peer()
    listen("client.before_send", send_twice(1))
    with ZMQClient(peer.address, timeout=5000) as client:
        with pytest.raises(Disconnected, match="current state"):
            client.call("echo", auto_reconnect=False)
        assert not client.connected
        with pytest.raises(Disconnected, match=r"connect\(\)"):
            client.call("echo", auto_reconnect=False)

        client.connect()

        assert client.call("echo", {"n": 1}, auto_reconnect=False) == {"n": 1}
        assert client.stats.recreated == 0


def test_socket_closed_under_a_call(start_peer: Any, listen: Any) -> None:
    """A socket that is closed between two steps of a call (ENOTSOCK) is replaced, and the call succeeds."""
    peer = start_peer()
    closed: list[bool] = []

    def close_once(socket: zmq.Socket[bytes], **_: Any) -> None:
        if not closed:
            socket.close(linger=0)
            closed.append(True)

    listen("client.before_send", close_once)
    with ZMQClient(peer.address, timeout=5000) as client:
        assert client.call("echo", {"n": 1}) == {"n": 1}
        assert client.stats.recreated == 1


def test_context_ended_under_a_call(start_peer: Any) -> None:
    """When the owner of a shared context ends it, the call under way ends too, and so does the owner's
    term().
    """
    peer = start_peer(silent)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    client = ZMQClient(peer.address, timeout=30_000, context=context)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.call, "echo")
        wait_for_requests(peer, 1)
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


# --- time-outs and late answers
# -----------------------------------------------------------------------------------


def test_nobody_there() -> None:
    """A call to a port where nobody listens ends at its time-out, not later."""
    with ZMQClient("tcp://127.0.0.1:1", timeout=150) as client:
        began = time.monotonic()
        with pytest.raises(CallTimeout, match=r"0\.150 s"):
            client.call("echo")
        assert 0.15 <= time.monotonic() - began < 2.0


def test_late_answer_is_not_taken_for_anothers(start_peer: Any) -> None:
    """An answer that arrives after its call has timed out is never the answer to the next call."""
    late: list[tuple[list[bytes], dict[str, Any]]] = []

    def respond(peer: Peer, route: list[bytes], request: dict[str, Any]) -> None:
        if not late:
            late.append((route, request))
            return
        peer.answer(*late[0])
        peer.answer(route, request)

    peer = start_peer(respond)
    with ZMQClient(peer.address, timeout=5000) as client:
        with pytest.raises(CallTimeout):
            client.call("echo", {"n": "first"}, timeout=100)

        assert client.call("echo", {"n": "second"}) == {"n": "second"}


def test_duplicate_answer_is_not_taken_for_anothers(start_peer: Any) -> None:
    """A second copy of an answer, sent on the same connection, does not become the answer to the next call."""

    def twice(peer: Peer, route: list[bytes], request: dict[str, Any]) -> None:
        peer.answer(route, request)
        peer.answer(route, request)

    peer = start_peer(twice)
    with ZMQClient(peer.address, timeout=5000) as client:
        assert [client.call("echo", {"n": n})["n"] for n in range(20)] == list(range(20))


def test_answer_to_another_request_is_dropped(start_peer: Any) -> None:
    """An answer that names another request is dropped, and the question asked again under the same id."""
    peer = start_peer(
        first_then_echo(lambda peer, route, request: peer.answer(route, request, request_id="other"))
    )
    with ZMQClient(peer.address, timeout=5000) as client:
        assert client.call("echo", {"n": 1}, request_id="r-1") == {"n": 1}
        assert client.stats.stray_replies == 1
    assert peer.ids() == ["r-1", "r-1"]


def test_only_answers_to_other_requests(start_peer: Any) -> None:
    """A peer that never names the right request is given up as confused, long before the time-out."""
    peer = start_peer(lambda peer, route, request: peer.answer(route, request, request_id="other"))
    with (
        ZMQClient(peer.address, timeout=30_000) as client,
        pytest.raises(ProtocolError, match="8 answers, all to other requests"),
    ):
        client.call("echo")


def test_peer_that_knows_no_request_ids(start_peer: Any) -> None:
    """A reply without a request id is accepted: older peers send none."""
    peer = start_peer(lambda peer, route, request: peer.send(route, b'{"success": true, "result": 5}'))
    with ZMQClient(peer.address, timeout=5000) as client:
        assert client.call("echo") == 5


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


def test_recovery_is_quick(start_peer: Any, listen: Any) -> None:
    """From EFSM to the next good answer takes less than the 100 ms of the user's documents (median of 20)."""
    peer = start_peer()
    listen(
        "client.before_send",
        lambda socket, request_id, **_: socket.send(b"-") if request_id == "hurt" else None,
    )
    costs = []
    with ZMQClient(peer.address, timeout=5000) as client:
        for _ in range(20):
            with pytest.raises(Disconnected):
                client.call("echo", request_id="hurt")
            began = time.perf_counter()
            client.call("echo")
            costs.append(time.perf_counter() - began)

    assert statistics.median(costs) < 0.1


# --- answers that make no sense
# -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (b"\xff\xfe", "not a reply"),
        (b"[1, 2]", "Expected `object`"),
        (b'{"result": 1}', "`success` must be true or false, found None"),
        (b'{"success": "yes"}', "found 'yes'"),
        (b'{"success": false, "error": 5}', "`error` must be text"),
        (b'{"success": true, "result": ' + b"[" * 70 + b"]" * 70 + b"}", "nested deeper than 64"),
    ],
    ids=["not-json", "array", "no-success", "success-text", "error-number", "too-deep"],
)
def test_malformed_answer(start_peer: Any, payload: bytes, complaint: str) -> None:
    """A reply that makes no sense is a ProtocolError that says why, and the next call works on the same
    socket.
    """
    peer = start_peer(first_then_echo(lambda peer, route, request: peer.send(route, payload)))
    with ZMQClient(peer.address, timeout=5000) as client:
        with pytest.raises(ProtocolError, match=complaint):
            client.call("echo")

        assert client.call("echo", {"n": 1}) == {"n": 1}
        assert client.stats.recreated == 0
        assert client.stats.protocol_errors == 1


def test_answer_without_delimiter(start_peer: Any) -> None:
    """libzmq drops a reply without the empty frame, so the call times out; the next one is answered."""
    peer = start_peer(first_then_echo(lambda peer, route, request: peer.send(route[:1], b'{"success": true}')))
    with ZMQClient(peer.address, timeout=5000) as client:
        with pytest.raises(CallTimeout):
            client.call("echo", timeout=150)

        assert client.call("echo", {"n": 1}) == {"n": 1}


def test_answer_in_several_frames(start_peer: Any) -> None:
    """Frames behind the reply put the REQ into a wrong state, which the next call gets out of."""
    payload = b'{"success": true, "result": 1}'
    peer = start_peer(
        first_then_echo(lambda peer, route, request: peer.send(route, payload, b"more", b"and more"))
    )
    with ZMQClient(peer.address, timeout=5000) as client:
        assert client.call("echo") == 1

        assert client.call("echo", {"n": 2}) == {"n": 2}
        assert client.stats.efsm_recoveries == 1


def test_answer_that_is_too_large(start_peer: Any) -> None:
    """A reply above the limit is refused by libzmq, so the call times out; the next one is answered."""
    peer = start_peer(
        first_then_echo(lambda peer, route, request: peer.send(route, b" " * (8 * 1024 * 1024 + 1)))
    )
    with ZMQClient(peer.address, timeout=10_000) as client:
        with pytest.raises(CallTimeout):
            client.call("echo", timeout=500)

        assert client.call("echo", {"n": 1}) == {"n": 1}


def test_error_answer_is_no_failure_of_the_transport(start_peer: Any) -> None:
    """A handler's error reaches the caller with its code, and costs no socket."""
    answer = b'{"success": false, "error": "out of paper", "code": "paper"}'
    peer = start_peer(lambda peer, route, request: peer.send(route, answer))
    with ZMQClient(peer.address, timeout=5000) as client:
        with pytest.raises(RemoteError, match="out of paper") as caught:
            client.call("print")
        assert caught.value.code == "paper"
        assert client.stats.recreated == 0


# --- several threads
# ----------------------------------------------------------------------------------------------


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
        wait_for_requests(peer, 1)
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
        wait_for_requests(peer, 1)
        began = time.monotonic()
        client.terminate()
        assert time.monotonic() - began < 2.0

        with pytest.raises(Disconnected, match="closed"):
            call.result(5.0)


# --- life and death of a client
# -----------------------------------------------------------------------------------


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


def wait_for_requests(peer: Peer, count: int) -> None:
    """Wait until the peer has seen so many requests."""
    deadline = time.monotonic() + 5.0
    while len(peer.requests) < count:
        if time.monotonic() > deadline:
            pytest.fail(f"the peer saw {len(peer.requests)} of {count} requests in 5 s")
        time.sleep(0.005)
