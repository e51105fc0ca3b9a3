"""Errors of the simulated world."""

from __future__ import annotations

import sys

from harness.errors import ExitCode, HarnessError


class SimError(HarnessError):
    """Base of what a simulated world raises on purpose."""


class Deadlock(SimError):
    """Nobody can run, nothing is due: names every thread, its process, what it waits for, since when and where."""

    exit_code = ExitCode.FAIL


class Livelock(SimError):
    """Threads kept handing over to each other without time passing; names who was running at the end."""

    exit_code = ExitCode.FAIL


class ReplayDiverged(SimError):
    """A replay met another choice than its tape holds: names the position, what was recorded, what was asked for."""

    exit_code = ExitCode.NONDETERMINISTIC


class NotSimulated(SimError):
    """Something reached a part of the operating system or of a library that is not simulated; names the call, and the
    line of the program where it was made.
    """

    def __init__(self, message: str) -> None:
        from harness.sim.boundary.callsite import program_site  # that package needs these errors

        site = program_site(sys._getframe(1))
        super().__init__(message if " at /" in message or site in message else f"{message} (at {site})")


class Misuse(SimError):
    """The program uses a library in a way that is undefined in reality; holds the stacks of all who took part."""

    exit_code = ExitCode.FAIL


class BadFault(SimError, ValueError):
    """A fault that a test asks for would do nothing, or cannot be: a rule that returned something else than a verdict,
    a negative delay, a process nobody has started. Names what was given, and what was expected.
    """

    exit_code = ExitCode.USAGE


class ThreadFailed(SimError):
    """A simulated thread or a timer's callback ended with an error nobody caught; that error is the ``__cause__``."""


class Killed(BaseException):
    """Unwinds a thread of the simulated world at its end.

    No `Exception`, so that ``except Exception`` does not take it for one of its own. Whoever swallows it
    meets it again at the next simulated call.
    """
