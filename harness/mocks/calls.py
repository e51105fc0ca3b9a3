"""What a mock has been asked: one record a call, and waiting for calls without luck."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from harness.errors import HarnessError


class RecordedCall(msgspec.Struct, gc=False):
    """One call that reached a mock; times are `time.monotonic`, in seconds.

    ``number`` counts from 1 over the mock's life or since `reset`. ``replied`` is when the first reply was
    handed to the socket, None while there is none; ``replies`` counts them. ``died`` is True when the mock
    died over it.
    """

    number: int
    request_id: str | None
    method: str
    params: Mapping[str, Any]
    received: float
    replied: float | None = None
    replies: int = 0
    died: bool = False


class WaitedInVain(HarnessError):
    """A wait for calls ended at its deadline; says what had been seen by then."""


class CallLog:
    """The calls of one mock, oldest first: written by the one thread that serves, read by any number of others.

    Writing takes no lock unless somebody waits, since every call passes here: appending is atomic, and a record
    is changed by its writer only. Whoever waits says so before it looks, so that nothing slips between.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[RecordedCall] = []
        self._waiters = 0
        self.pings = 0
        self.malformed = 0

    def add(
        self, request_id: str | None, method: str, params: Mapping[str, Any], received: float
    ) -> RecordedCall:
        """Note a call; the mock keeps the record and fills in what becomes of it."""
        calls = self._calls
        call = RecordedCall(len(calls) + 1, request_id, method, params, received)
        calls.append(call)
        if self._waiters:
            self.changed()
        return call

    def replied(self, call: RecordedCall, when: float) -> None:
        """Note that a reply to `call` was handed to the socket."""
        call.replies += 1
        if call.replied is None:
            call.replied = when
        if self._waiters:
            self.changed()

    def changed(self) -> None:
        """Wake whoever waits, because something else about the mock changed."""
        if self._waiters:
            with self._changed:
                self._changed.notify_all()

    def all(self) -> tuple[RecordedCall, ...]:
        """The calls so far."""
        return tuple(self._calls)

    def clear(self) -> None:
        """Forget everything."""
        self._calls = []
        self.pings = self.malformed = 0

    def wait(
        self, until: Callable[[list[RecordedCall]], bool], timeout: float, what: str
    ) -> tuple[RecordedCall, ...]:
        """Wait until `until` holds for the calls so far; raises `WaitedInVain` after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._waiters += 1
            try:
                while not until(self._calls):
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise WaitedInVain(f"waited {timeout:g} s for {what}; {self._seen()}")
                    self._changed.wait(left)
            finally:
                self._waiters -= 1
            return tuple(self._calls)

    def _seen(self) -> str:
        last = "; ".join(_brief(call) for call in self._calls[-5:])
        also = f"{self.pings} pings, {self.malformed} malformed requests"
        return f"seen: {len(self._calls)} calls{f', the last: {last}' if last else ''}; {also}"


def _brief(call: RecordedCall) -> str:
    return f"{call.method} {call.request_id or 'without id'}{'' if call.replied else ' (no reply)'}"
