"""The ZAP handler: asked by libzmq about every connection to a CURVE socket, it answers by a list of keys.

A CURVE socket without a ZAP handler encrypts, and lets anybody in. ``curve.protect`` therefore sets ``ZAP_DOMAIN``
together with ``ZAP_ENFORCE_DOMAIN``: libzmq then refuses every connection while no handler answers
(curve_server.cpp, libzmq 4.3), so that a handler which is late, dead or broken lets nobody in.

pyzmq's own ``zmq.auth.thread.ThreadAuthenticator`` does the same work, and is not used for two reasons: its ``stop()``
waits for ever for a thread that has died of a callback's error, and it lets NULL peers in of its own accord.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import zmq
from zmq.utils import z85

from schedule_zero.errors import ConfigError

__all__ = ["DOMAIN", "Zap"]

DOMAIN = b"schedule_zero"
_ENDPOINT = "inproc://zeromq.zap.01"
_STOP = "inproc://schedule-zero-zap-stop"
_START_LIMIT = 10.0
_LOUD = 5
"""Refusals of each process that are logged as warnings; a peer that keeps trying must not fill the disk."""

_log = logging.getLogger(__name__)


class Zap:
    """A thread that answers ZAP requests in one context; ``accepts`` is asked in it for each public key (Z85).

    One at most in a context, and before its first CURVE socket is bound. An error in ``accepts`` refuses.
    ``on_refusal`` is called in the thread too, after each refusal.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        accepts: Callable[[str], bool],
        on_refusal: Callable[[], object] = lambda: None,
    ) -> None:
        self.accepted = 0
        self.refused = 0
        self._context = context
        self._accepts = accepts
        self._on_refusal = on_refusal
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="zap", daemon=True)

    def start(self) -> None:
        """Answer from here on. Raises ConfigError when the context has a ZAP handler already."""
        self._thread.start()
        if not self._ready.wait(_START_LIMIT):
            raise ConfigError(f"the ZAP handler did not start within {_START_LIMIT:g} s")
        if self._failure is not None:
            self._thread.join()
            raise ConfigError(
                f"this ZeroMQ context has a ZAP handler already ({self._failure}): give each secured handler a "
                "context of its own"
            )

    @property
    def is_alive(self) -> bool:
        """Whether questions are answered; while not, everybody is refused."""
        return self._thread.is_alive()

    def stop(self, timeout: float = 5.0) -> bool:
        """Answer no longer; returns whether the thread has ended within ``timeout`` seconds. May be repeated."""
        if self._thread.is_alive():
            wake = self._context.socket(zmq.PUSH, socket_class=zmq.Socket)
            try:
                wake.setsockopt(zmq.LINGER, 0)
                wake.connect(_STOP)
                # NOBLOCK: the thread may have ended by itself, and its end of the wire with it.
                wake.send(b"", zmq.NOBLOCK)
                self._thread.join(timeout)
            except zmq.ZMQError as error:
                _log.warning("the ZAP handler could not be told to stop: %s", error)
            finally:
                wake.close(linger=0)
        return not self._thread.is_alive()

    def _run(self) -> None:
        # Plain sockets, whatever kind of context it is: this thread has no event loop.
        socket = self._context.socket(zmq.REP, socket_class=zmq.Socket)
        stop = self._context.socket(zmq.PULL, socket_class=zmq.Socket)
        try:
            socket.setsockopt(zmq.LINGER, 0)
            socket.bind(_ENDPOINT)
            stop.bind(_STOP)
        except zmq.ZMQError as error:
            self._failure = error
        else:
            self._ready.set()
            self._serve(socket, stop)
        finally:
            stop.close(linger=0)
            socket.close(linger=0)
            self._ready.set()

    def _serve(self, socket: zmq.Socket[bytes], stop: zmq.Socket[bytes]) -> None:
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(stop, zmq.POLLIN)
        while True:
            try:
                ready = dict(poller.poll())
                if stop in ready:
                    return
                socket.send_multipart(self._answer(socket.recv_multipart(zmq.NOBLOCK)), zmq.NOBLOCK)
            except zmq.Again:
                continue
            except zmq.ZMQError as error:
                # The context is being ended. From here on libzmq itself refuses whoever comes.
                _log.info("the ZAP handler ends: %s", error)
                return

    def _answer(self, frames: list[bytes]) -> list[bytes]:
        """The reply to one request (rfc.zeromq.org/spec/27)."""
        request_id = frames[1] if len(frames) > 1 else b""
        user, reason = self._judge(frames)
        if reason:
            self.refused += 1
            self._on_refusal()
            level = logging.WARNING if self.refused <= _LOUD else logging.DEBUG
            _log.log(level, "a peer is refused: %s", reason)
            return [b"1.0", request_id, b"400", b"refused", b"", b""]
        self.accepted += 1
        return [b"1.0", request_id, b"200", b"OK", user, b""]

    def _judge(self, frames: list[bytes]) -> tuple[bytes, str]:
        """The user id of a peer that is let in, or why it is not."""
        if len(frames) != 7 or frames[0] != b"1.0" or frames[5] != b"CURVE" or len(frames[6]) != 32:
            return b"", "it did not show a CURVE key"
        address = frames[3].decode("ascii", "replace")
        if frames[2] != DOMAIN:
            return b"", f"{address} asked for another domain"
        key = z85.encode(frames[6]).decode("ascii")
        try:
            if self._accepts(key):
                return key.encode("ascii"), ""
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it lets nobody in
            return b"", f"the allowed keys cannot be read: {error}"
        return b"", f"{address} showed key {key}, which is not allowed"
