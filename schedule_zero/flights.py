"""The calls of an asyncio client that are on their way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from schedule_zero.dealer_lane import DealerLane
from schedule_zero.errors import Disconnected, ProtocolError
from schedule_zero.wire import Reply


class Flight(msgspec.Struct, eq=False):
    """A request that was sent; `futures` are those who wait for its answer, `sent` is on the monotonic clock."""

    request_id: str
    data: bytes
    lane: DealerLane
    sent: float
    futures: list[asyncio.Future[Reply]]


class Flights:
    """Requests under way by their ids. `on_empty` is told each lane that carries none any more.

    `name` is the peer's, for messages.
    """

    def __init__(self, name: str, on_empty: Callable[[DealerLane], Any]) -> None:
        self._name = name
        self._on_empty = on_empty
        self._by_id: dict[str, Flight] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, request_id: str) -> Flight | None:
        """The flight under this id."""
        return self._by_id.get(request_id)

    def all(self) -> list[Flight]:
        """Every flight, the oldest first."""
        return list(self._by_id.values())

    def along(self, lane: DealerLane) -> list[Flight]:
        """Those along this lane, the oldest first."""
        return [self._by_id[request_id] for request_id in lane.ids]

    def begin(self, request_id: str, data: bytes, lane: DealerLane) -> Flight:
        """Note a request that has just been sent along `lane`, whose turn the caller holds until it lands."""
        flight = Flight(request_id, data, lane, time.monotonic(), [])
        self._by_id[request_id] = flight
        lane.ids[request_id] = None
        return flight

    def land(self, flight: Flight) -> bool:
        """Forget a flight; False when that has been done."""
        if self._by_id.get(flight.request_id) is not flight:
            return False
        del self._by_id[flight.request_id]
        lane = flight.lane
        del lane.ids[flight.request_id]
        lane.turns.release()
        if not lane.ids:
            self._on_empty(lane)
        return True

    def settle(self, flight: Flight, reply: Reply | ProtocolError) -> None:
        """Land a flight with what came for it."""
        self.land(flight)
        for future in flight.futures:
            if future.done():
                continue
            if isinstance(reply, ProtocolError):
                # Each waiter gets an error of its own: a traceback grows with every raise.
                future.set_exception(ProtocolError(f"{self._name}: {reply}"))
            else:
                future.set_result(reply)

    def disappoint(self, flights: list[Flight], why: str) -> None:
        """Land flights whose answers will not come."""
        for flight in flights:
            self.land(flight)
            for future in flight.futures:
                if not future.done():
                    future.set_exception(Disconnected(f"call {flight.request_id} to {self._name}: {why}"))
