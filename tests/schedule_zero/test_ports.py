"""A reserved port stays free for its owner."""

from __future__ import annotations

import socket

import pytest
import zmq

from schedule_zero.ports import reachable, reserve_port

pytestmark = [pytest.mark.unit, pytest.mark.zmq]


def test_zeromq_can_listen_on_a_reserved_port_again_and_again() -> None:
    """libzmq binds a reserved port by number, also after a listener there has gone."""
    with reserve_port() as reservation:
        for _ in range(3):
            # A context of its own each time: only its end waits until libzmq has closed the listener.
            with (
                zmq.Context() as context,
                context.socket(zmq.ROUTER) as router,
                context.socket(zmq.REQ) as asker,
            ):
                router.linger = asker.linger = 0
                router.bind(f"tcp://127.0.0.1:{reservation.port}")
                asker.connect(f"tcp://127.0.0.1:{reservation.port}")
                asker.send(b"hello")
                assert router.poll(5000) == zmq.POLLIN


def test_a_reserved_port_is_given_to_nobody_else() -> None:
    """While it is reserved, the system hands the port to none of many who ask for any port."""
    with reserve_port() as reservation:
        others = [reserve_port() for _ in range(200)]
        try:
            assert reservation.port not in {other.port for other in others}
            assert len({other.port for other in others}) == 200
        finally:
            for other in others:
                other.release()


def test_a_released_port_is_free() -> None:
    """After the release even a socket without SO_REUSEADDR gets the port."""
    reservation = reserve_port()
    reservation.release()
    reservation.release()

    with socket.socket() as plain:
        plain.bind(("127.0.0.1", reservation.port))
        assert plain.getsockname()[1] == reservation.port


def test_a_strange_host_is_refused() -> None:
    """An address of another machine cannot be reserved here (192.0.2.0/24 is for documentation, RFC 5737)."""
    with pytest.raises(OSError, match="assign"):
        reserve_port("192.0.2.1")


@pytest.mark.parametrize(
    ("host", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("*", "127.0.0.1"), ("::", "[::1]"), ("10.0.0.1", "10.0.0.1")],
)
def test_a_wildcard_is_reached_by_loopback(host: str, reached: str) -> None:
    """Nobody can connect to a wildcard address."""
    assert reachable(host) == reached
