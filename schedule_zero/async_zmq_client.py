"""Calls to one handler from an event loop, many of them in flight at a time.

A DEALER socket has no state machine that could be stuck, and carries any number of requests; their request ids tell
the answers apart. A peer that repeats no request id in its answers (a plain REP, say) gets one call at a time, since
an answer without an id can only be told by its place: see `Manner`.

Example::

    async with AsyncZMQClient("tcp://127.0.0.1:5555", timeout=2000) as client:
        sums = await asyncio.gather(*(client.call("add", {"a": n, "b": 1}) for n in range(100)))
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import zmq
import zmq.asyncio

from schedule_zero import barriers, wire
from schedule_zero.client_answers import ClientStats, result_of
from schedule_zero.dealer_lane import DealerLane, OnFailure, OnMessage
from schedule_zero.errors import CallTimeout, ConfigError, Disconnected, ProtocolError
from schedule_zero.flights import Flight, Flights
from schedule_zero.manners import Manner, Probe
from schedule_zero.outgoing import Call, Calls
from schedule_zero.security.curve import Curve
from schedule_zero.wire import Reply

logger = logging.getLogger(__name__)


class AsyncZMQClient:
    """Calls methods of one handler (or of the registration server); the same interface as `ZMQClient`, awaited.

    For one event loop, and there for any number of tasks. `timeout` is in **milliseconds**. At most `max_in_flight`
    calls are under way; others wait, and their waiting counts against their own time-out. A `context` that is
    handed in stays the owner's; without one, the client makes its own and `terminate` ends it. `secure` is as for
    `ZMQClient`.

    A call ends in its answer or in a typed error, and whichever way it ends (cancelled, too) it leaves nothing
    behind: an answer that comes later is dropped and counted in `stats.stray_replies`. When a call times out and
    no answer to any call came since it was sent, the connection is taken for dead: new calls get a new one,
    and the old one is closed when the calls in flight on it have ended. No request is ever sent twice by itself.
    Two calls under one request id are one request, if they ask the same.

    Raises:
        ConfigError: `max_in_flight` is below 1.
    """

    def __init__(
        self,
        address: str,
        timeout: int = 30_000,
        context: zmq.asyncio.Context | None = None,
        *,
        name: str = "",
        max_in_flight: int = 512,
        secure: Curve | None = None,
    ) -> None:
        if max_in_flight < 1:
            raise ConfigError(f"a client needs room for at least 1 call in flight, found {max_in_flight}")
        self.address = address
        self.timeout = timeout
        self.name = name or address
        self.max_in_flight = max_in_flight
        self.manner = Manner.UNKNOWN
        self.stats = ClientStats()
        self._secure = secure
        self._owns_context = context is None
        self._context = context
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lane: DealerLane | None = None
        self._retired: list[DealerLane] = []
        self._retired_for = ""
        self._flights = Flights(self.name, self._on_empty)
        self._probe: Probe | None = None
        # Counted up by `close`, so that a call from before it is told apart from one after it.
        self._generation = 0
        self._terminated = False
        self._calls = Calls()

    @property
    def connected(self) -> bool:
        """Whether a socket is open. A ZeroMQ connection is made in the background, so the peer may be away."""
        return self._lane is not None

    @property
    def in_flight(self) -> int:
        """How many requests have been sent and neither answered nor given up."""
        return len(self._flights)

    async def connect(self) -> None:
        """Open the socket now instead of at the first call; opening it twice is harmless.

        Raises:
            Disconnected: the client was terminated or is used in another event loop, or ZeroMQ cannot use the
                address.
        """
        self._lane_or_open()

    async def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        auto_reconnect: bool = True,
        *,
        timeout: int | None = None,
        request_id: str | None = None,
    ) -> Any:
        """Call `method` and return its result.

        `timeout` (milliseconds) stands in for the client's own; `request_id` names the call, so that a repetition
        under the same id is answered by the handler without running again. Without `auto_reconnect` no socket is
        opened or replaced: after a failure the client stays unconnected until `connect`.

        Raises:
            CallTimeout: no answer in time; the call may or may not have run.
            Disconnected: closed, terminated or unreachable.
            ProtocolError: the answer makes no sense, the parameters are not JSON, or the request id is in flight
                for another request.
            HandlerUnavailable: the handler did not take the call; it did not run.
            RemoteError: the handler answered with an error.
        """
        reply = await self.call_raw(method, params, auto_reconnect, timeout=timeout, request_id=request_id)
        return result_of(method, reply)

    async def call_raw(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        auto_reconnect: bool = True,
        *,
        timeout: int | None = None,
        request_id: str | None = None,
    ) -> Reply:
        """Like `call`, and returns the whole reply, also one that says `success: false`."""
        given = self.timeout if timeout is None else timeout
        call = self._calls.make(method, params, given, request_id, auto_reconnect, self._generation)
        self.stats.calls += 1
        flight = self._flights.get(call.request_id) or await self._depart(call)
        if flight.data != call.data:
            raise ProtocolError(
                f"{method} to {self.name}: request id {call.request_id!r} is in flight for another request; "
                "an id names one call"
            )
        return await self._arrival(call, flight)

    async def ping(self, *, timeout: int | None = None) -> bool:
        """Whether the peer answers a ping within `timeout` milliseconds (the client's own time-out by default)."""
        try:
            reply = await self.call_raw("ping", timeout=timeout)
        except (CallTimeout, Disconnected, ProtocolError):
            return False
        return reply.success and "pong" in (reply.extra.get("message"), reply.result)

    async def close(self) -> None:
        """Close the sockets; calls under way end with `Disconnected`.

        A later call (or `connect`) opens a new socket. Closing twice is harmless.
        """
        self._generation += 1
        probe = self._probe
        self._end("the client was closed")
        if probe is not None:
            # Its socket is closed; but nothing of it is to outlive the client.
            await probe.wait()

    async def terminate(self) -> None:
        """Close for good, and end the context if this client made it. Calls raise `Disconnected` then on."""
        self._terminated = True
        await self.close()
        context = self._context if self._owns_context else None
        self._context = None
        if context is not None:
            # Does not block: all sockets of this context are closed, with nothing lingering.
            context.term()

    async def __aenter__(self) -> AsyncZMQClient:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.terminate()

    def __repr__(self) -> str:
        state = "terminated" if self._terminated else "connected" if self.connected else "closed"
        return f"<AsyncZMQClient {self.name} {state}, {len(self._flights)} in flight>"

    # -- a call, from its departure to its arrival -----------------------------------------------------------------

    async def _depart(self, call: Call) -> Flight:
        while True:
            lane = await self._turn(call)
            known = self._flights.get(call.request_id)
            if known is not None:  # sent while this one waited for its turn
                lane.turns.release()
                return known
            try:
                lane.send(call.message())
            except zmq.Again:
                # Full of what was given up while the peer was away: none of it needs to be sent any more.
                lane.turns.release()
                self._retire(lane, "full of requests that nobody took")
                continue
            except zmq.ZMQError as error:
                lane.turns.release()
                self._fail(lane, error)
                raise Disconnected(f"{call.method} to {self.name}: {error}") from error
            return self._flights.begin(call.request_id, call.data, lane)

    async def _turn(self, call: Call) -> DealerLane:
        while True:
            lane = self._lane_for(call)
            if lane.turns.locked():
                self._ask_manner()
                try:
                    async with asyncio.timeout(call.deadline - time.monotonic()):
                        await lane.turns.acquire()
                except TimeoutError:
                    raise CallTimeout(
                        f"{call.method} to {self.name}: other calls held the client for all of {call.limit:.3f} s"
                    ) from None
            else:
                await lane.turns.acquire()
            if lane is self._lane:
                return lane
            lane.turns.release()

    async def _arrival(self, call: Call, flight: Flight) -> Reply:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        flight.futures.append(future)
        timer = loop.call_later(call.deadline - time.monotonic(), self._expire, call, flight, future)
        try:
            return await future
        finally:
            timer.cancel()
            if future.done() and not future.cancelled():
                future.exception()  # looked at, also where a cancellation came between it and its waiter
            flight.futures.remove(future)
            if not flight.futures and self._flights.land(flight) and self.manner is not Manner.ECHOES:
                # Given up: an answer that comes all the same could not be told from the next one's.
                self._retire(flight.lane, "given up")

    def _expire(self, call: Call, flight: Flight, future: asyncio.Future[Reply]) -> None:
        if future.done():
            return
        self.stats.timeouts += 1
        future.set_exception(
            CallTimeout(f"{call.method} to {self.name}: no answer to {call.request_id} in {call.limit:.3f} s")
        )
        if flight.lane.heard <= flight.sent:
            # Slow, dead, or replaced by another peer, whose manner has to be learnt.
            self.manner = Manner.UNKNOWN
            self._retire(flight.lane, "time-out")

    # -- what comes back -------------------------------------------------------------------------------------------

    def _on_message(self, lane: DealerLane, payload: bytes) -> None:
        reply: Reply | ProtocolError
        try:
            reply = wire.decode_reply(payload)
        except ProtocolError as error:
            self.stats.protocol_errors += 1
            reply, request_id = error, wire.find_request_id(payload)
        else:
            request_id = reply.request_id
        if request_id is None:
            self._on_anonymous(lane, reply)
            return
        lane.heard = time.monotonic()
        self._learn(Manner.ECHOES)
        flight = self._flights.get(request_id)
        if flight is None:
            self.stats.stray_replies += 1
        else:
            self._flights.settle(flight, reply)

    def _on_anonymous(self, lane: DealerLane, reply: Reply | ProtocolError) -> None:
        if self.manner is Manner.ECHOES or not lane.ids:
            # Nobody can tell whose it is. Its call times out, which is the truth: no usable answer came.
            self.stats.stray_replies += 1
            logger.debug("%s sent an answer without a request id: dropped", self.name)
            return
        self._learn(Manner.ANONYMOUS)
        self._flights.settle(self._flights.along(lane)[0], reply)

    def _fail(self, lane: DealerLane, error: BaseException) -> None:
        """The lane's socket is of no use any more."""
        ended = isinstance(error, zmq.ContextTerminated)
        why = "the ZeroMQ context was ended" if ended else f"the socket failed: {error}"
        if lane is self._lane:
            self._lane = None
        self._flights.disappoint(self._flights.along(lane), why)
        lane.close()

    # -- lanes -----------------------------------------------------------------------------------------------------

    def _lane_for(self, call: Call) -> DealerLane:
        if call.generation != self._generation:
            raise Disconnected(f"{call.method} to {self.name}: the client was closed")
        if self._lane is None and not call.auto_reconnect:
            raise Disconnected(f"{call.method} to {self.name}: not connected; call connect() or allow auto_reconnect")
        return self._lane_or_open()

    def _lane_or_open(self) -> DealerLane:
        if self._terminated:
            raise Disconnected(f"{self.name}: the client was terminated; make a new one")
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and (self._lane is not None or self._retired):
                raise Disconnected(f"{self.name}: the client belongs to another event loop; close it there first")
            self._loop = loop
        if self._lane is None:
            self._lane = self._new_lane(self.max_in_flight, self._on_message, self._fail)
            if self.manner is Manner.ECHOES:
                self._lane.open_gate()
            if self._retired_for:
                self.stats.recreated += 1
                reason, self._retired_for = self._retired_for, ""
                barriers.reached("client.recovered", address=self.address, reason=reason)
        return self._lane

    def _new_lane(self, limit: int, on_message: OnMessage, on_failure: OnFailure) -> DealerLane:
        if self._context is None or (self._owns_context and self._context.closed):
            self._context = zmq.asyncio.Context()
        return DealerLane(self._context, self.address, limit, on_message, on_failure, self._secure)

    def _on_empty(self, lane: DealerLane) -> None:
        if lane is not self._lane:
            lane.close()
            self._retired = [other for other in self._retired if other is not lane]

    def _retire(self, lane: DealerLane, reason: str) -> None:
        """No more calls along this lane; it is closed when those in flight on it have ended."""
        if lane is not self._lane:
            return
        self._lane = None
        self._retired_for = reason
        lane.open_gate()  # who waits here for a turn looks for the next lane
        if lane.ids:
            self._retired.append(lane)
        else:
            lane.close()

    def _end(self, why: str) -> None:
        lanes = [*self._retired, *([self._lane] if self._lane is not None else [])]
        self._lane, self._retired, self._retired_for = None, [], ""
        self._flights.disappoint(self._flights.all(), why)
        for lane in lanes:
            lane.open_gate()
            lane.close()
        self._end_probe()

    # -- manners ---------------------------------------------------------------------------------------------------

    def _learn(self, manner: Manner) -> None:
        self._end_probe()
        self.manner = manner
        if manner is Manner.ECHOES and self._lane is not None:
            self._lane.open_gate()

    def _ask_manner(self) -> None:
        if self.manner is Manner.UNKNOWN and self._probe is None and self.max_in_flight > 1:
            self._probe = Probe(lambda take, fail: self._new_lane(1, take, fail), self._learn)

    def _end_probe(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None
