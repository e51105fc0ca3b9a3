"""One socket used by two threads at once is reported with both stacks, whatever the call."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import zmq

from harness.sim import World
from harness.sim.errors import Misuse, NotSimulated

pytestmark = [pytest.mark.zmq, pytest.mark.sim, pytest.mark.unit]

CALLS: dict[str, Callable[[Any], Any]] = {
    "recv": lambda socket: socket.recv(zmq.NOBLOCK),
    "send": lambda socket: socket.send(b"", zmq.NOBLOCK),
    "poll": lambda socket: socket.poll(0),
    "option": lambda socket: socket.getsockopt(zmq.RCVTIMEO),
    "close": lambda socket: socket.close(),
    "connect": lambda socket: socket.connect("tcp://127.0.0.1:9"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("wait", ["recv", "poll"])
def test_second_thread(sim: Any, wait: str, call: str) -> None:
    """While one thread waits inside of a call, any call of another is Misuse; both stacks are told."""
    socket, _ = sim.bound(zmq.PULL)
    socket.rcvtimeo = 500

    def waits_inside() -> None:
        sim.outcome(socket.recv if wait == "recv" else lambda: socket.poll(500))

    thread = sim.thread(waits_inside)
    time.sleep(0.1)
    with pytest.raises(Misuse) as caught:
        CALLS[call](socket)
    text = str(caught.value)
    assert re.search(r"Thread harness/Thread-\d+.* waits inside of a call:", text)
    assert "in waits_inside" in text
    assert "in test_second_thread" in text
    thread.join()
    socket.close()


def test_handing_over_is_no_misuse(sim: Any) -> None:
    """A socket that moves from thread to thread between calls is used properly."""
    pull, push = sim.pair(zmq.PULL, zmq.PUSH)
    lock = threading.Lock()

    def use(n: int) -> None:
        for _ in range(5):
            with lock:
                push.send(b"%d" % n)
            time.sleep(0.01)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([sim.receive(pull) for _ in range(15)]) == 15


def test_two_pollers_on_one_socket(sim: Any) -> None:
    """Two threads that poll the same socket at the same time are Misuse."""
    socket, _ = sim.bound(zmq.PULL)
    sim.thread(lambda: socket.poll(300))
    time.sleep(0.05)
    with pytest.raises(Misuse):
        socket.poll(300)


def test_outside_threads_are_refused(sim: Any) -> None:
    """A real thread cannot use a simulated socket; the error says what to do."""
    import _thread

    from harness.sim.zmq import misuse

    socket, _ = sim.bound(zmq.PULL)
    with pytest.raises(NotSimulated, match="use it in threads that were started inside"):
        misuse.outsider(socket._core, None)
    assert _thread.get_ident()


@pytest.mark.parametrize("call", ["socket", "send", "recv", "recv_into", "bind", "connect"])
def test_what_was_made_before_the_world_is_refused(call: str) -> None:
    """A real context makes no sockets inside, and a real socket waits for nothing: both are told at the line."""
    context = zmq.Context()
    socket = context.socket(zmq.PUSH if call == "send" else zmq.PULL)
    calls: dict[str, Callable[[], object]] = {
        "socket": lambda: context.socket(zmq.PULL),
        "send": lambda: socket.send(b"never", zmq.NOBLOCK),
        "recv": lambda: socket.recv(zmq.NOBLOCK),
        "recv_into": lambda: socket.recv_into(bytearray(1), flags=zmq.NOBLOCK),
        "bind": lambda: socket.bind("inproc://before"),
        "connect": lambda: socket.connect("inproc://before"),
    }
    try:
        with World(1), pytest.raises(NotSimulated, match=r"was made outside of this world.*test_misuse.py:\d+ in"):
            calls[call]()
        assert socket.bind("inproc://before") is not None  # outside it is what it was
    finally:
        socket.close(0)
        context.term()


UNHEARD = """
import signal, time, zmq
signal.setitimer(signal.ITIMER_REAL, 1)
with zmq.Context() as context, context.socket(zmq.REP) as rep:
    {prepare}
    {call}
    print("came back")
"""


STOPPED = r"disable_monitor\(\) .* tells MONITOR_STOPPED"


@pytest.mark.parametrize(
    ("prepare", "call", "told"),
    [
        ("rep.monitor('inproc://m')", "rep.bind('tcp://127.0.0.1:*')", r"bind\(\) .* tells LISTENING"),
        ("rep.monitor('inproc://m')", "rep.disable_monitor()", STOPPED),
        ("rep.get_monitor_socket().close(); time.sleep(0.1)", "rep.disable_monitor()", STOPPED),
    ],
    ids=["bind", "disabled", "listener closed"],
)
def test_an_event_that_nobody_hears(prepare: str, call: str, told: str) -> None:
    """The process stands still in reality, whatever other threads it has; in a world it is told why."""
    program = UNHEARD.format(prepare=prepare, call=call)
    real = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (real.returncode, real.stdout) == (-signal.SIGALRM, "")

    with World(), pytest.raises(Misuse, match=told):
        exec(program, {})


def test_a_monitor_with_a_listener_may_be_disabled() -> None:
    """With somebody who listens, or without that event, nothing is unheard."""
    program = UNHEARD.format(
        prepare="rep.get_monitor_socket()",
        call="rep.bind('tcp://127.0.0.1:*'); rep.disable_monitor(); rep.monitor('inproc://m', zmq.EVENT_CLOSED)",
    )
    real = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (real.returncode, real.stdout) == (0, "came back\n")

    with World():
        exec(program, {})
