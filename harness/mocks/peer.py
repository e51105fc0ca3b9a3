"""A real ZeroMQ peer that does to each request what its behaviour says, and remembers every call."""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import zmq

from harness.errors import HarnessError
from harness.mocks.answers import Behaviour, Echo, Error
from harness.mocks.calls import CallLog, RecordedCall
from harness.mocks.parsing import parse
from harness.mocks.plan import SILENCE, Call, Plan, Send
from harness.mocks.serving import Answering, Serving
from harness.mocks.wires import Kind


class _Request(msgspec.Struct):
    method: str
    params: dict[str, Any] | None = None
    request_id: str | None = None


_decode: Final = msgspec.json.Decoder(_Request).decode


def _understood(behaviour: object) -> Behaviour:
    if isinstance(behaviour, Behaviour):
        return behaviour
    if isinstance(behaviour, str | Mapping | list | tuple):
        return parse(behaviour)
    shown = behaviour.__name__ if isinstance(behaviour, type) else repr(behaviour)
    raise TypeError(f"expected a behaviour such as Echo(), 'silent' or {{'slow': '250ms'}}, found {shown}")


class Peer:
    """One address that answers as scripted; used as a context manager. All methods may be called from any
    thread.

    `kind` ``router`` can break every rule of the protocol; ``rep`` is a genuine REP socket, one request at a
    time, which replaces itself when a request stays unanswered. `seed` decides every draw of the behaviours.
    A behaviour that raises answers with an error, and the exception comes out of `wait_for_calls`, of `stop`
    and of the end of the ``with``.

    Example:
        >>> with Peer("p") as peer:
        ...     peer.address.startswith("tcp://127.0.0.1:")
        True
    """

    def __init__(
        self, name: str, *, behaviour: Behaviour | str | Mapping[str, Any] | Sequence[Any] | None = None,
        methods: Sequence[str] | None = None,
        host: str = "127.0.0.1", port: int = 0, kind: Kind | str = Kind.ROUTER, seed: int = 0,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        self.name = name
        self.host = host
        self.kind = Kind(kind)
        self.methods = None if methods is None else tuple(methods)
        self.log = CallLog()
        self._first = _understood(behaviour) if behaviour is not None else Echo()
        self._unchanged = self._first
        self._changes: list[Callable[[Behaviour], Behaviour]] = []
        self._port = port
        self._context = context
        self._lock = threading.RLock()
        self._life: Serving | None = None
        self._lived_at = -1
        self._mind = _Scripted(self, seed)

    @property
    def port(self) -> int:
        """The port that is bound, or was bound last."""
        return self._port

    @property
    def address(self) -> str:
        """Where it answers, ``tcp://host:port``."""
        return f"tcp://{self.host}:{self._port}"

    @property
    def alive(self) -> bool:
        """Whether it is bound and answering."""
        life = self._life
        return life is not None and life.alive

    @property
    def calls(self) -> tuple[RecordedCall, ...]:
        """Every call so far, oldest first; pings are counted in `pings`."""
        return self.log.all()

    @property
    def pings(self) -> int:
        """How many pings arrived."""
        return self.log.pings

    @property
    def behaviour(self) -> Behaviour:
        """What it does about the next call."""
        return self._mind.behaviour

    def start(self) -> None:
        """Bind and answer. Starting what runs does nothing. Raises `HarnessError` when the port is taken."""
        with self._lock:
            if self.alive:
                return
            self._end_life()
            life = Serving(
                self._mind, self.kind, self.host, self._port, self._context, self.name,
                reborn=self._lived_at == self._port,
            )
            life.start()
            self._port = self._lived_at = life.port
            self._life = life

    def stop(self) -> None:
        """Close and leave nothing behind. Stopping twice is harmless. Raises what went wrong in the mock's
        thread.
        """
        with self._lock:
            self._end_life()
        self._mind.raise_failure()

    def die(self) -> None:
        """End as by a kill: the socket closes in mid-work, nobody is told. `revive` brings it back."""
        with self._lock:
            self._end_life()
        self.log.changed()

    def revive(self) -> None:
        """Bind the same port again after a death; what was under way then is forgotten."""
        self.start()

    def behave(self, behaviour: Behaviour | str | Mapping[str, Any] | Sequence[Any]) -> None:
        """Do this from the next call on; the behaviour's call numbers begin at 1 again.

        Also as a scenario file writes it: ``behave("silent")``, ``behave({"slow": "250ms"})``. Raises
        `UsageError` for a word that is none, naming those there are, and `TypeError` for what is no behaviour.
        """
        self._mind.take(_understood(behaviour))

    def change(self, how: Callable[[Behaviour], Behaviour]) -> Callable[[], None]:
        """Behave as `how` makes it of the present behaviour, until the function that this returns is called.

        Several changes may end in any order; those that are left are applied to what was there before the first.
        """
        if not self._changes:
            self._unchanged = self.behaviour
        self._changes.append(how)
        self._apply_changes()

        def end() -> None:
            if how in self._changes:
                self._changes.remove(how)
                self._apply_changes()

        return end

    def _apply_changes(self) -> None:
        self.behave(functools.reduce(lambda behaviour, how: how(behaviour), self._changes, self._unchanged))

    def reset(self) -> None:
        """Forget all calls and behave as at the beginning; a dead peer is revived."""
        self._changes.clear()
        self._mind.take(self._first)
        self._mind.failure = None
        self.log.clear()
        self.start()

    def wait_for_calls(self, count: int, timeout: float = 5.0) -> tuple[RecordedCall, ...]:
        """Wait until `count` calls have arrived and return all of them.

        Raises `harness.mocks.calls.WaitedInVain` after `timeout` seconds, with what was seen.
        """
        return self.wait_until(lambda calls: len(calls) >= count, timeout, f"{count} calls to {self.name}")

    def wait_for_replies(self, count: int, timeout: float = 5.0) -> tuple[RecordedCall, ...]:
        """Wait until `count` replies have been sent, duplicates included."""
        def enough(calls: list[RecordedCall]) -> bool:
            return sum(call.replies for call in calls) >= count

        return self.wait_until(enough, timeout, f"{count} replies of {self.name}")

    def wait_until(
        self, condition: Callable[[list[RecordedCall]], bool], timeout: float, what: str
    ) -> tuple[RecordedCall, ...]:
        """Wait until `condition` holds for the calls so far; it must be quick, and `what` names it in the
        error.
        """
        calls = self.log.wait(lambda seen: self._mind.failure is not None or condition(seen), timeout, what)
        self._mind.raise_failure()
        return calls

    def wait_for_death(self, timeout: float = 5.0) -> None:
        """Wait until a behaviour has made it die over a call."""
        self.wait_until(lambda calls: any(call.died for call in calls), timeout, f"the death of {self.name}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except Exception as own:
            if error is None:
                raise
            error.add_note(f"besides, the mock {self.name} failed: {own}")

    def _end_life(self) -> None:
        life, self._life = self._life, None
        if life is not None:
            life.end()

    def _ping(self) -> Plan:
        return Plan((Send(body={"success": True, "message": "pong", "handler_id": self.name}),))


class _Reign:
    """One behaviour and how many calls it has seen, counted by the serving thread only."""

    __slots__ = ("behaviour", "number", "of_method")

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.number = 0
        self.of_method: dict[str, int] = {}


class _Scripted:
    """Decides by the peer's behaviour, in the serving thread."""

    def __init__(self, peer: Peer, seed: int) -> None:
        self._peer = peer
        self._rng = random.Random(f"{seed}/{peer.name}")
        self._reign = _Reign(peer._first)
        self.failure: BaseException | None = None

    @property
    def behaviour(self) -> Behaviour:
        return self._reign.behaviour

    def take(self, behaviour: Behaviour) -> None:
        # One assignment: the serving thread sees the old behaviour with its counts, or the new one from 1.
        self._reign = _Reign(behaviour)

    def decide(self, body: bytes | None, received: float) -> Answering:
        log = self._peer.log
        try:
            if body is None:
                raise msgspec.DecodeError("the frames are no request")
            request = _decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            log.malformed += 1
            log.changed()
            refusal = {"success": False, "error": f"not a request: {error}", "code": "malformed"}
            return Answering(Plan((Send(body=refusal),)))
        if request.method == "ping":
            log.pings += 1
            log.changed()
            return Answering(self._peer._ping() if self.behaviour.answers_ping else SILENCE, request.request_id)
        return self._decide_call(request, received)

    def _decide_call(self, request: _Request, received: float) -> Answering:
        params = request.params or {}
        reign = self._reign
        behaviour = reign.behaviour
        reign.number += 1
        of_method = reign.of_method[request.method] = reign.of_method.get(request.method, 0) + 1
        call = Call(
            method=request.method, params=params, number=reign.number, of_method=of_method,
            request_id=request.request_id, rng=self._rng,
        )
        try:
            if self._peer.methods is not None and request.method not in self._peer.methods:
                behaviour = Error(f"no such method: {request.method}", "unknown_method")
            plan = behaviour.plan(call)
        except Exception as error:  # noqa: BLE001 - the user's code: its mistake is theirs to see
            self.failed(error)
            plan = Error(f"the behaviour raised {type(error).__name__}", "internal").plan(call)
        record = self._peer.log.add(request.request_id, request.method, params, received)
        return Answering(plan, request.request_id, record)

    def replied(self, answering: Answering, when: float) -> None:
        if answering.call is not None:
            self._peer.log.replied(answering.call, when)

    def died(self, answering: Answering) -> None:
        if answering.call is not None:
            answering.call.died = True
        self._peer.log.changed()

    def failed(self, error: BaseException) -> None:
        self.failure = self.failure or error
        self._peer.log.changed()

    def raise_failure(self) -> None:
        failure, self.failure = self.failure, None
        if failure is not None:
            raise HarnessError(f"the mock {self._peer.name} failed: {failure}") from failure
