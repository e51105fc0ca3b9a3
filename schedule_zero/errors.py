"""The exceptions of schedule_zero: one family, each saying what was wrong, what was expected, what to do."""

from __future__ import annotations


class ScheduleZeroError(Exception):
    """The root of the family; catch it to catch everything that this package raises on purpose."""


class ConfigError(ScheduleZeroError, ValueError):
    """A setting that cannot be used.

    `file`, `line` and `column` (both counted from 1) say where it stands, when it stands in a file.

    Example:
        >>> str(ConfigError("port must be 0..65535, found 70000", file="a.yaml", line=3, column=7))
        'a.yaml:3:7: port must be 0..65535, found 70000'
    """

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        place = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{place}: {message}" if place else message)


class TransportError(ScheduleZeroError):
    """A call without a usable answer. Whether it was run is unknown: retry under the same request id."""


class CallTimeout(TransportError, TimeoutError):
    """No answer within the call's time-out."""


class Disconnected(TransportError, ConnectionError):
    """The client is closed or terminated, or the address cannot be reached at all."""


class ProtocolError(TransportError):
    """A message that cannot be understood: not JSON, not an object, wrong types, too large or too deep."""


class RemoteError(ScheduleZeroError):
    """The other side answered `success: false`. This is an answer, not a failure to get one.

    `code` is the machine-readable kind (see `wire.ErrorCode`), empty when the peer sent none.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class UnknownHandler(ScheduleZeroError, KeyError):
    """No handler is registered under this id."""

    def __str__(self) -> str:
        # KeyError prints the repr of its argument, which would put the sentence in quotes.
        return str(self.args[0]) if self.args else ""


class HandlerUnavailable(ScheduleZeroError):
    """The handler is known, and did not take the call: stopping, full, or all connections to it are in use.

    The call did **not** run, so it may be tried again.
    """


class PortTaken(ScheduleZeroError, OSError):
    """The address to listen on is in use."""


class StoreUnusable(ScheduleZeroError):
    """The job store or the execution log cannot be opened, read or written."""
