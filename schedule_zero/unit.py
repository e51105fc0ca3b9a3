"""What a governor needs of one service, be it a process or a thread."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from schedule_zero.stop_report import Forced

__all__ = ["Launch", "Unit"]


class Launch(Protocol):
    """How a service is started, and where it will listen."""

    @property
    def address(self) -> str:
        """Where it is asked whether it is well."""


L = TypeVar("L", contravariant=True)


class Unit(Protocol[L]):
    """Starts and ends one service, one life after the other; all methods may be called from any thread.

    None of them waits, but for `wait`. A life lasts from `begin` until `poll` has told its end.
    """

    started_at: float
    """When the present or last life began, in monotonic seconds."""

    @property
    def incarnation(self) -> int | None:
        """What tells this life from every other one; None when there is none."""

    @property
    def pid(self) -> int | None:
        """The process id where the service is a process of its own."""

    @property
    def label(self) -> str:
        """The present or last life for a log line: ``process 4711``, ``thread 2``."""

    @property
    def force(self) -> str:
        """What `kill` does to it, as the end of a sentence."""

    @property
    def forced(self) -> Forced:
        """The same for a report."""

    def begin(self, launch: L) -> int:
        """Start; answers the incarnation. Raises OSError when it cannot be started."""

    def poll(self) -> int | None:
        """The exit code, told once, when the life has ended (negative: the signal that ended it); else None."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """Be rid of it; `poll` tells the end then, soon."""

    def wait(self, timeout: float) -> int | None:
        """As `poll`, after waiting up to `timeout` seconds."""

    def uptime(self) -> float:
        """Seconds since the present life began; 0 without one."""

    def last_lines(self) -> str:
        """What the last life said at its end."""

    def usage(self) -> dict[str, Any]:
        """What it costs: numbers by name."""

    def tidy(self) -> None:
        """Housekeeping, every few seconds."""
