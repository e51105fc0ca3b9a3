"""Keeps one handler registered, whatever becomes of the server."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import random
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import zmq

from schedule_zero.errors import ConfigError, Disconnected, HandlerUnavailable, RemoteError, TransportError
from schedule_zero.security.curve import Curve
from schedule_zero.wire import ErrorCode
from schedule_zero.zmq_client import ZMQClient

logger = logging.getLogger(__name__)

_FASTEST: Final = 0.02
_FAREWELL_MS: Final = 500
_SILENCE: Final = "; a server that does not know this handler's key says nothing: ask it with `schedule-zero keys list`"


@dataclasses.dataclass(frozen=True, slots=True)
class RegistrationTiming:
    """How often a handler speaks to the server; all but `attempts` and `jitter` are seconds.

    Each attempt waits up to `heartbeat` for its answer, and the next follows at once when none came: ZeroMQ
    connects in the background, so a server that comes back is found within one attempt. An attempt that was
    answered with a refusal is repeated after `retry_delay`, and after `attempts` of them every `slow_delay`.
    `jitter` spreads every wait by that fraction, so that many handlers do not return in step.

    Raises:
        ConfigError: a wait that is not positive, no attempt, or a jitter outside 0..1.

    Example:
        >>> RegistrationTiming.of({"retry_delay": 5}).retry_delay
        5.0
    """

    heartbeat: float = 2.0
    retry_delay: float = 15.0
    attempts: int = 5
    slow_delay: float = 60.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        for name in ("heartbeat", "retry_delay", "slow_delay"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"timing.{name} is more than 0 seconds, found {getattr(self, name)}")
        if self.attempts < 1:
            raise ConfigError(f"timing.attempts is at least 1, found {self.attempts}")
        if not 0 <= self.jitter <= 1:
            raise ConfigError(f"timing.jitter lies in 0..1, found {self.jitter}")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> RegistrationTiming:
        """The timing that a configuration describes; what it does not name is as usual.

        Raises:
            ConfigError: an unknown setting, one of a wrong type, or a value that cannot be used.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = [str(name) for name in settings if name not in known]
        if unknown:
            raise ConfigError(f"timing has no {', '.join(unknown)}; it has: {', '.join(known)}")
        try:
            return msgspec.convert(dict(settings), cls)
        except msgspec.ValidationError as error:
            raise ConfigError(f"timing: {error}") from error


class Registrar:
    """A thread that registers `record` at `server`, sends heartbeats, and registers again when it has to.

    It has to when the server says that it does not know the handler, or when the server is another incarnation.
    """

    def __init__(
        self,
        server: str,
        record: dict[str, Any],
        timing: RegistrationTiming,
        context: zmq.Context[zmq.Socket[bytes]],
        secure: Curve | None = None,
    ) -> None:
        self.registered = threading.Event()
        """Set while the server is known to know this handler."""
        self.registrations = 0
        self._record = record
        self._timing = timing
        self._interval = timing.heartbeat
        self._server_incarnation: str | None = None
        self._stopping = threading.Event()
        self._hint = "" if secure is None else _SILENCE
        self._client = ZMQClient(
            server, self._patience_ms(), context, name=f"registration server at {server}", secure=secure
        )
        self._thread = threading.Thread(target=self._run, name=f"{record['handler_id']}-registrar", daemon=True)

    def start(self) -> None:
        """Start the thread; it goes on until `stop`."""
        self._thread.start()

    def begin_stop(self) -> None:
        """Begin to say farewell, without waiting for it."""
        if not self._stopping.is_set():
            self._stopping.set()
            with contextlib.suppress(Disconnected):
                self._client.close()

    def stop(self, timeout: float) -> list[threading.Thread]:
        """Say `offline` to the server, close; returns the thread where that takes longer than `timeout`
        seconds.
        """
        self.begin_stop()
        self._thread.join(timeout)
        return [self._thread] if self._thread.is_alive() else []

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if self._register():
                    self._beat_while_known()
            self._say_farewell()
        except Exception:
            logger.exception("handler %s: registration ended", self._record["handler_id"])
        finally:
            self.registered.clear()
            self._client.terminate()

    def _register(self) -> bool:
        refusals = 0
        began = time.monotonic()
        while not self._stopping.is_set():
            try:
                answer = self._client.call("register", self._record)
            except TransportError as error:
                if time.monotonic() - began >= self._timing.retry_delay:
                    logger.warning("handler %s is not registered: %s%s", self._record["handler_id"], error, self._hint)
                    began = time.monotonic()
                self._stopping.wait(random.uniform(0, self._timing.jitter) * self._interval)
            except (RemoteError, HandlerUnavailable) as error:
                refusals += 1
                logger.warning("handler %s was not registered: %s", self._record["handler_id"], error)
                slow = refusals >= self._timing.attempts
                self._pause(self._timing.slow_delay if slow else self._timing.retry_delay)
            else:
                self._accept(answer)
                return True
        return False

    def _accept(self, answer: Any) -> None:
        details = answer if isinstance(answer, dict) else {}
        asked = details.get("heartbeat")
        if isinstance(asked, (int, float)) and not isinstance(asked, bool) and asked > 0:
            self._interval = max(_FASTEST, min(self._timing.heartbeat, float(asked)))
        self._server_incarnation = _incarnation(answer)
        self.registrations += 1
        self.registered.set()
        logger.info("handler %s is registered, at %s", self._record["handler_id"], self._record["address"])

    def _beat_while_known(self) -> None:
        refusal = ""
        while not self._pause(self._interval):
            try:
                answer = self._report("online", self._patience_ms())
            except TransportError as error:
                # The server may only be slow. One that was restarted says so at the next heartbeat.
                logger.debug("heartbeat lost: %s", error)
            except (RemoteError, HandlerUnavailable) as error:
                if isinstance(error, RemoteError) and error.code == ErrorCode.UNKNOWN_HANDLER:
                    self.registered.clear()
                    return
                if refusal != str(error):
                    refusal = str(error)
                    logger.warning("handler %s: heartbeat refused: %s", self._record["handler_id"], error)
            else:
                if _incarnation(answer) != self._server_incarnation:
                    self.registered.clear()
                    return

    def _say_farewell(self) -> None:
        if not self.registered.is_set():
            return
        try:
            self._report("offline", _FAREWELL_MS)
        except (TransportError, RemoteError, HandlerUnavailable) as error:
            logger.info("handler %s left without a farewell: %s", self._record["handler_id"], error)

    def _report(self, status: str, timeout: int) -> Any:
        params = {
            "handler_id": self._record["handler_id"],
            "status": status,
            "incarnation": self._record["incarnation"],
        }
        return self._client.call("report_status", params, timeout=timeout)

    def _pause(self, seconds: float) -> bool:
        """Wait, unless it is time to stop; returns whether it is."""
        jitter = self._timing.jitter
        return self._stopping.wait(seconds * random.uniform(1 - jitter, 1 + jitter))

    def _patience_ms(self) -> int:
        return max(100, int(self._interval * 1000))


def _incarnation(answer: Any) -> str | None:
    value = answer.get("server_incarnation") if isinstance(answer, dict) else None
    return value if isinstance(value, str) else None
