"""A REQ socket gets into its bad states by the genuine roads, and the client gets it out of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
import zmq

from harness.mocks.behaviours import Echo, Silent
from schedule_zero import barriers
from schedule_zero.errors import CallTimeout, Disconnected
from schedule_zero.zmq_client import ZMQClient

pytestmark = [pytest.mark.integration, pytest.mark.zmq]


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


@pytest.mark.efsm
@pytest.mark.regression
def test_socket_state_machine_error(mock_handler_factory: Any, listen: Any) -> None:
    """A second send on the same REQ is refused by libzmq with EFSM, and the call succeeds on a new socket."""
    peer = mock_handler_factory()
    refusals: list[str] = []
    listen("client.before_send", send_twice(1))
    listen("client.recovered", lambda reason, **_: refusals.append(reason))

    with ZMQClient(peer.address, timeout=5000) as client:
        result = client.call("echo", {"n": 1}, request_id="r-1")

        assert result == {"n": 1}
        assert client.stats.efsm_recoveries == 1
        assert client.stats.recreated == 1
    assert refusals == ["the socket refused: Operation cannot be accomplished in current state"]
    assert [call.request_id for call in peer.calls] == ["r-1"]


@pytest.mark.efsm
@pytest.mark.regression
def test_context_leak_prevention(mock_handler_factory: Any, listen: Any) -> None:
    """Clients that come, fall into EFSM, recover and go leave no descriptor and no I/O thread behind."""
    peer = mock_handler_factory()
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
def test_hanging_after_timeout(mock_handler_factory: Any) -> None:
    """After calls that nobody answered, the very next one to the same peer is answered, and none hangs."""
    peer = mock_handler_factory(behaviour=Silent())
    with ZMQClient(peer.address, timeout=100) as client:
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(CallTimeout):
                client.call("echo")
        lost = time.monotonic() - began

        peer.behave(Echo())
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


def test_answer_taken_by_somebody_else(mock_handler_factory: Any, listen: Any) -> None:
    """A receive after the answer is gone is refused with EFSM, and the call is repeated under the same
    request id.
    """
    peer = mock_handler_factory()
    thefts: list[bytes] = []

    def steal(socket: zmq.Socket[bytes], **_: Any) -> None:
        if not thefts and socket.poll(5000):
            thefts.append(socket.recv())

    listen("client.after_send", steal)
    with ZMQClient(peer.address, timeout=5000) as client:
        assert client.call("echo", {"n": 1}, request_id="r-1") == {"n": 1}
        assert client.stats.efsm_recoveries == 1
    assert len(thefts) == 1
    assert [call.request_id for call in peer.calls] == ["r-1", "r-1"]


@pytest.mark.efsm
def test_refused_again_and_again(mock_handler_factory: Any, listen: Any) -> None:
    """A socket that is refused twice in one call ends the call with an error, and the next call works."""
    peer = mock_handler_factory()
    end = listen("client.before_send", send_twice(2))
    with ZMQClient(peer.address, timeout=5000) as client:
        with pytest.raises(Disconnected, match="current state"):
            client.call("echo")
        end()

        assert client.call("echo", {"n": 1}) == {"n": 1}


@pytest.mark.efsm
def test_no_reconnect_unless_allowed(mock_handler_factory: Any, listen: Any) -> None:
    """With auto_reconnect off, a refused send is an error at once, and the socket stays closed until
    connect().
    """
    peer = mock_handler_factory()
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


def test_socket_closed_under_a_call(mock_handler_factory: Any, listen: Any) -> None:
    """A socket that is closed between two steps of a call (ENOTSOCK) is replaced, and the call succeeds."""
    peer = mock_handler_factory()
    closed: list[bool] = []

    def close_once(socket: zmq.Socket[bytes], **_: Any) -> None:
        if not closed:
            socket.close(linger=0)
            closed.append(True)

    listen("client.before_send", close_once)
    with ZMQClient(peer.address, timeout=5000) as client:
        assert client.call("echo", {"n": 1}) == {"n": 1}
        assert client.stats.recreated == 1


@pytest.mark.parametrize("timeout_ms", [0, 1, 7, 60])
def test_a_time_out_comes_at_its_deadline(mock_handler_factory: Any, timeout_ms: int) -> None:
    """Never early, and (best of 20, with the socket already replaced) not a millisecond late: it is rounded up
    neither to a whole one nor to a slice.
    """
    late_ms = []
    with ZMQClient(mock_handler_factory(behaviour=Silent()).address, timeout=5000) as client:
        for _ in range(20):
            began = time.monotonic()
            with pytest.raises(CallTimeout):
                client.call("echo", timeout=timeout_ms)
            late_ms.append((time.monotonic() - began) * 1000 - timeout_ms)

    assert 0 <= min(late_ms) < 1


def test_recovery_is_quick(mock_handler_factory: Any, listen: Any) -> None:
    """From EFSM to the next good answer takes less than the 100 ms of the user's documents (median of 20)."""
    peer = mock_handler_factory()
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
