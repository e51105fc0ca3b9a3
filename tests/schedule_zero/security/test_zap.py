"""Who a CURVE socket lets in, as libzmq itself tells it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import zmq

from schedule_zero.errors import ConfigError
from schedule_zero.security.key_files import make_pair
from schedule_zero.security.zap import DOMAIN, Zap

pytestmark = [pytest.mark.integration, pytest.mark.zmq]

Listen = Callable[[Callable[[str], bool] | None], Any]


def test_a_known_key_is_let_in_and_an_unknown_one_is_not(listen: Listen) -> None:
    """The list decides, and both are counted."""
    known = make_pair()
    listener = listen(lambda key: key == known.public)

    assert listener.knock(known) == "in"
    assert listener.knock(make_pair()) == "refused"
    assert (listener.zap.accepted, listener.zap.refused) == (1, 1)


def test_the_peer_is_known_by_its_key(listen: Listen) -> None:
    """What a peer sends carries the key that it has shown, which it cannot choose."""
    known = make_pair()
    listener = listen(lambda _: True)
    client = listener.strangers.socket(zmq.DEALER)
    client.linger = 0
    for option, value in (
        (zmq.CURVE_PUBLICKEY, known.public),
        (zmq.CURVE_SECRETKEY, known.secret),
        (zmq.CURVE_SERVERKEY, listener.keys.public),
    ):
        client.setsockopt(option, value.encode())
    client.connect(f"tcp://127.0.0.1:{listener.port}")
    client.send(b"hello")
    assert listener.socket.poll(10_000)
    assert listener.socket.recv_multipart(copy=False)[-1].get("User-Id") == known.public
    client.close(linger=0)


def test_a_peer_without_keys_is_not_let_in(listen: Listen) -> None:
    """A NULL peer ends before its handshake does, whatever the list says."""
    assert listen(lambda _: True).knock(None) in ("not understood", "failed", "thrown out")


def test_a_server_with_another_key_is_not_trusted(listen: Listen) -> None:
    """A client that expects another server's key does not speak to this one."""
    listener = listen(lambda _: True)
    assert listener.knock(make_pair(), expects=make_pair().public) != "in"
    assert listener.zap.accepted == 0


def test_without_a_zap_handler_nobody_is_let_in(listen: Listen) -> None:
    """libzmq alone would let in any key; `ZAP_ENFORCE_DOMAIN` makes it refuse."""
    assert listen(None).knock(make_pair()) == "failed"


def test_libzmq_would_let_everybody_in_otherwise(listen: Listen) -> None:
    """The proof above is worth something: with that one option off, an unknown key is in."""
    listener = listen(None)
    listener.socket.unbind(f"tcp://127.0.0.1:{listener.port}")
    listener.socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 0)
    listener.port = listener.socket.bind_to_random_port("tcp://127.0.0.1")
    assert listener.knock(make_pair()) == "in"


def test_a_zap_handler_that_has_ended_lets_nobody_in(listen: Listen) -> None:
    """After its end the list's own friends stay outside too: refused, or kept waiting while it closes."""
    listener = listen(lambda _: True)
    assert listener.knock(make_pair()) == "in"
    assert listener.zap.stop()
    assert not listener.zap.is_alive
    assert listener.knock(make_pair(), timeout=2.0) in ("failed", "waits")


def test_a_list_that_fails_lets_nobody_in_and_is_asked_again(listen: Listen) -> None:
    """An error in the list refuses the peer that it was asked about; the next one is judged anew."""
    answers: list[bool | Exception] = [RuntimeError("the disk is gone"), True]

    def accepts(_: str) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    listener = listen(accepts)
    assert listener.knock(make_pair()) == "refused"
    assert listener.knock(make_pair()) == "in"


def test_a_list_that_hangs_lets_nobody_in(listen: Listen) -> None:
    """While the list does not answer, the handshake does not end."""
    go_on = threading.Event()
    listener = listen(lambda _: go_on.wait(30.0))
    assert listener.knock(make_pair(), timeout=0.3) == "waits"
    go_on.set()


def test_one_in_a_context() -> None:
    """A second ZAP handler in a context is refused with the cure, and stopping it is harmless."""
    with zmq.Context() as context:
        first, second = Zap(context, lambda _: True), Zap(context, lambda _: True)
        first.start()
        with pytest.raises(ConfigError, match="a context of its own"):
            second.start()
        assert second.stop()
        assert first.stop()
        assert first.stop()


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"1.0", b"id"],
        [b"1.0", b"id", DOMAIN, b"127.0.0.1", b"", b"NULL"],
        [b"1.0", b"id", DOMAIN, b"127.0.0.1", b"", b"CURVE", b"short"],
        [b"2.0", b"id", DOMAIN, b"127.0.0.1", b"", b"CURVE", b"k" * 32],
        [b"1.0", b"id", b"elsewhere", b"127.0.0.1", b"", b"CURVE", b"k" * 32],
    ],
)
def test_questions_that_are_none_are_answered_with_a_refusal(frames: list[bytes]) -> None:
    """Whatever else is asked at the ZAP endpoint, the answer is 400, in the form of RFC 27."""
    with zmq.Context() as context:
        zap = Zap(context, lambda _: True)
        zap.start()
        socket = context.socket(zmq.DEALER)
        socket.connect("inproc://zeromq.zap.01")
        socket.send_multipart([b"", *(frames or [b""])])
        assert socket.poll(10_000)
        reply = socket.recv_multipart()[1:]
        assert (reply[0], reply[2], len(reply)) == (b"1.0", b"400", 6)
        socket.close(linger=0)
        assert zap.stop()
