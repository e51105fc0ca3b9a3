"""The thread that owns a mock's socket: receives requests and carries out the plans made for them."""

from __future__ import annotations

import contextlib
import errno
import heapq
import itertools
import math
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import zmq

from harness.errors import HarnessError, UsageError
from harness.mocks.calls import RecordedCall
from harness.mocks.plan import Exit, Framing, Moment, Plan, Step, encode
from harness.mocks.wires import Envelope, Kind, Wire, bind

BIND_LIMIT: Final = 5.0
"""Seconds within which a port that a dead incarnation still holds must become free: libzmq closes in the
background.
"""

_IDLE_MS: Final = 1000
_FLUSH_MS: Final = 1000
"""How long a mock that dies after its reply waits for the reply to leave."""


class Answering(msgspec.Struct, gc=False):
    """What the mock decided about one request."""

    plan: Plan
    request_id: str | None = None
    call: RecordedCall | None = None
    """The record of the call; None for a ping or a malformed request."""


class Mind(Protocol):
    """Who decides. Called by the serving thread only."""

    def decide(self, body: bytes | None, received: float) -> Answering:
        """What to do about a request (None: its frames made no sense) that arrived at `received`, monotonic
        seconds.
        """

    def replied(self, answering: Answering, when: float) -> None:
        """A reply was handed to the socket."""

    def died(self, answering: Answering) -> None:
        """The mock dies over this request; the socket closes next."""

    def failed(self, error: BaseException) -> None:
        """The mock could not do what it was told; the error is for whoever runs the test."""


@dataclass(slots=True)
class _Due:
    envelope: Envelope
    answering: Answering
    step: Step


class Serving:
    """One life of a mock, from bind to close; `end` must be called once it has been started.

    The thread makes, uses and closes its own socket. A context that is handed in stays the owner's; without one
    a life has its own, and when `end` returns nothing is left of it: the port is free at once. One that is
    `reborn` waits a while for a port that the life before may still hold.
    """

    def __init__(
        self, mind: Mind, kind: Kind, host: str, port: int,
        context: zmq.Context[zmq.Socket[bytes]] | None, name: str, reborn: bool,
    ) -> None:
        self._mind = mind
        self._kind = kind
        self._host = host
        self.port = port
        self._reborn = reborn
        self._owns_context = context is None
        self._context = zmq.Context() if context is None else context
        self._door = f"inproc://mock-{uuid.uuid4().hex}"
        self._ending = threading.Event()
        self._bound = threading.Event()
        self._refused: Exception | None = None
        self._agenda: list[tuple[float, int, _Due]] = []
        self._turns = itertools.count()
        self._held: list[bytes] = []
        self._dead = False
        self._linger = 0
        self._thread = threading.Thread(target=self._live, name=f"mock {name}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread still serves."""
        return self._thread.is_alive() and not self._dead

    def start(self) -> None:
        """Bind and serve. Raises `HarnessError` when the port is taken, naming it."""
        self._thread.start()
        bound = self._bound.wait(BIND_LIMIT + 1.0)
        if bound and self._refused is None:
            return
        self.end()
        raise HarnessError(f"the mock cannot bind {self._host}:{self.port}: {self._refused or 'no answer'}")

    def end(self) -> None:
        """Close at once, and return when it is closed. Calling it twice is harmless."""
        if self._context.closed:
            return
        self._ending.set()
        knock = self._context.socket(zmq.REQ)
        try:
            knock.setsockopt(zmq.LINGER, 0)
            knock.connect(self._door)
            with contextlib.suppress(zmq.Again):  # the thread ended by itself, nobody is at home
                knock.send(b"", zmq.NOBLOCK)
            # Closed only after the thread has gone: a socket that is closed takes back what was not read.
            self._thread.join(BIND_LIMIT + _FLUSH_MS / 1000)
        finally:
            knock.close(linger=0)
        if self._thread.is_alive():
            raise HarnessError(f"the thread {self._thread.name!r} did not end within {BIND_LIMIT:g} s")
        if self._owns_context:
            self._context.term()

    # Everything below runs in the thread.

    def _live(self) -> None:
        try:
            wire = self._bind()
            while wire is not None:
                wire = self._bind() if self._serve(wire) else None
        except Exception as error:  # noqa: BLE001 - told to whoever starts this life
            self._refused = error
        finally:
            self._bound.set()

    def _bind(self) -> Wire | None:
        deadline = time.monotonic() + BIND_LIMIT
        while True:
            try:
                wire, self.port = bind(self._context, self._kind, self._host, self.port, self._door)
            except zmq.ZMQError as error:
                if error.errno != errno.EADDRINUSE or not self._reborn or time.monotonic() >= deadline:
                    self._refused = error
                    return None
                time.sleep(0.01)
            else:
                self._reborn = True
                self._bound.set()
                return wire

    def _serve(self, wire: Wire) -> bool:
        """Serve until told to end, or dead, or (then True) until the socket has to be replaced by another."""
        try:
            return self._rounds(wire)
        except BaseException as error:  # noqa: BLE001 - a mock that fails in its thread must fail its test
            self._mind.failed(error)
            return False
        finally:
            wire.socket.close(linger=self._linger)

    def _rounds(self, wire: Wire) -> bool:
        while True:
            if wire.listens:
                request = wire.receive(self._wait_ms() if self._agenda else _IDLE_MS)
                if self._ending.is_set():
                    return False
                if request is not None:
                    self._answer(wire, *request)
            elif not self._agenda:
                # A REP that leaves a request unanswered can never receive again: it is replaced.
                return True
            elif self._ending.wait(self._wait_ms() / 1000):
                return False
            if self._agenda:
                self._carry_out_due(wire)
            if self._dead:
                return False

    def _wait_ms(self) -> int:
        left = (self._agenda[0][0] - time.monotonic()) * 1000
        return min(max(math.ceil(left), 0), _IDLE_MS)

    def _answer(self, wire: Wire, envelope: Envelope, body: bytes | None) -> None:
        received = time.monotonic()
        answering = self._mind.decide(body, received)
        if answering.call is not None and self._held:
            held, self._held = self._held, []
            for late in held:
                wire.send(envelope, late, Framing.PROPER)
        for step in answering.plan.steps:
            if step.after <= 0:
                self._carry_out(wire, envelope, answering, step)
            else:
                due = _Due(envelope, answering, step)
                heapq.heappush(self._agenda, (received + step.after, next(self._turns), due))

    def _carry_out_due(self, wire: Wire) -> None:
        while self._agenda and not self._dead and self._agenda[0][0] <= time.monotonic():
            due = heapq.heappop(self._agenda)[2]
            self._carry_out(wire, due.envelope, due.answering, due.step)

    def _carry_out(self, wire: Wire, envelope: Envelope, answering: Answering, step: Step) -> None:
        if self._dead:
            return
        if isinstance(step, Exit):
            self._dead = True
            self._linger = _FLUSH_MS if step.moment is Moment.AFTER else 0
            self._mind.died(answering)
            return
        data = encode(step.body, answering.request_id)
        if step.held:
            self._held.append(data)
            return
        try:
            wire.send(envelope, data, step.framing)
        except (zmq.Again, UsageError) as error:
            # A full send queue drops the reply, as a ROUTER does by itself; what a REP cannot do is the
            # test's mistake.
            if isinstance(error, UsageError):
                self._mind.failed(error)
            return
        self._mind.replied(answering, time.monotonic())
