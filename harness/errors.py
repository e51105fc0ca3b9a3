"""Every error a user of the harness can cause, with the exit code each one ends a command with."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ends. This is the one table; the documentation is generated from it."""

    PASS = 0
    """Everything that had to hold held."""
    FAIL = 1
    """A check or a threshold was broken."""
    USAGE = 2
    """The command line or a scenario file is wrong; nothing was run."""
    UNKNOWN = 3
    """A check saw no samples or the load generator fell behind: nothing was proven."""
    UNSTEADY = 4
    """The target never became steady, so no fault was injected and nothing was judged."""
    ERROR = 5
    """The harness itself failed."""
    ABORTED = 6
    """An abort rule stopped the run."""
    NONDETERMINISTIC = 7
    """Two runs of one seed differed."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or SIGTERM: healed and torn down, or before anything began."""


class HarnessError(Exception):
    """Base of every error the harness raises on purpose.

    A face (command line, pytest plugin) prints ``str(error)`` without a traceback and ends with `exit_code`.
    """

    exit_code: ExitCode = ExitCode.ERROR


class UsageError(HarnessError):
    """The caller asked for something that does not exist or does not fit together."""

    exit_code = ExitCode.USAGE


class ScenarioError(UsageError):
    """A scenario file is wrong; the message holds one block of file:line:column, caret, expected, found a problem."""


class TargetError(HarnessError):
    """The system under test could not be started, reached or stopped."""

    exit_code = ExitCode.UNSTEADY


class NeverReady(TargetError):
    """The target did not become ready or steady within its limit; says what was waited for and what was seen."""


class FaultError(HarnessError):
    """A fault could not be injected or healed; says which, where and what stood in the way."""


class LeakError(HarnessError):
    """Something survived that had to be gone: a process, thread, socket, port, descriptor or file."""

    exit_code = ExitCode.FAIL


class Interrupted(HarnessError):
    """The run was stopped by a signal."""

    exit_code = ExitCode.INTERRUPTED
