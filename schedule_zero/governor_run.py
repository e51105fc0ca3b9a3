"""A governor in the foreground: from the first signal handler to the exit code."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from schedule_zero.awaiting import StartFailed
from schedule_zero.deployment import Deployment
from schedule_zero.deployment_lock import GovernorAlreadyRunning
from schedule_zero.errors import ConfigError
from schedule_zero.exits import ExitCode
from schedule_zero.governor_base import GovernorKind, ProcessStatus
from schedule_zero.governor_control import ControlServer
from schedule_zero.governor_core import GovernorCore
from schedule_zero.lifeline import Lifeline
from schedule_zero.sd_notify import Notifier
from schedule_zero.watchdog import Watchdog

__all__ = ["ForegroundGovernor", "govern", "make_governor"]

_TICK = 0.05  # seconds between two looks whether to stop
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

_log = logging.getLogger(__name__)


class ForegroundGovernor:
    """A governor with its signals: the first of them stops all, the second uses force. Orders, and the lifeline's end,
    stop all as well, and never hurry, however many they are. It tells systemd how it is.

    :meth:`install_signal_handlers` has to be called in the main thread, and undoes itself.
    """

    def __init__(self, governor: GovernorCore[Any], notifier: Notifier | None = None) -> None:
        self.governor = governor
        self._notifier = notifier or Notifier(None)
        self.stopping = False
        self._signalled = False

    def request_stop(self) -> None:
        """Stop in good order; again changes nothing. May be called by any thread and by signal handlers."""
        self.stopping = True
        self.governor.interrupt()

    def request_stop_by_signal(self) -> None:
        """The same; the second time services get no more time to end. May be called by signal handlers."""
        # Two who run `governor stop` at once do not know of each other; who sends a second signal is impatient.
        if self._signalled:
            self.governor.hurry()
        self._signalled = True
        self.request_stop()

    @contextmanager
    def install_signal_handlers(self) -> Iterator[None]:
        """SIGTERM, SIGINT and SIGQUIT stop everything while the block runs."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            self.request_stop_by_signal()

        earlier = {number: signal.signal(number, on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def run(
        self, runtime_file: Path | None, stop_timeout: float, on_claimed: Callable[[], None] = lambda: None
    ) -> ExitCode:
        """Claim the deployment, start, take orders until told to stop, stop within ``stop_timeout`` seconds."""
        control = ControlServer(self.governor, self.request_stop, extra_file=runtime_file)
        try:
            self.governor.claim()
            on_claimed()
            self.governor.start()
            control.start()
            _log.info("deployment %s is up; orders at %s", self.governor.deployment.name, control.address)
            self._notifier.ready(self._summary())
            watchdog = Watchdog(self._notifier, self.governor.trouble)
            while not self.stopping:
                watchdog.tick()
                time.sleep(_TICK)
        except StartFailed as error:
            if self.stopping:
                return ExitCode.OK
            _log.error("%s", error)
            return _exit_code(error.exit_code)
        finally:
            self._notifier.stopping("stopping server and handlers")
            control.stop()
            self.governor.stop(stop_timeout)
        return ExitCode.OK

    def _summary(self) -> str:
        infos = self.governor.status()
        ready = sum(info.ready and info.status is ProcessStatus.RUNNING for info in infos.values())
        return f"{ready} of {len(infos)} services are ready"


def make_governor(deployment: Deployment) -> GovernorCore[Any]:
    """The governor that the deployment asks for."""
    if deployment.kind is GovernorKind.THREAD:
        # It needs all that server and handlers need; the other governor's process does without.
        from schedule_zero.thread_governor import ThreadGovernor

        return ThreadGovernor(deployment)
    from schedule_zero.process_governor import ProcessGovernor

    return ProcessGovernor(deployment)


def govern(
    deployment: Deployment,
    *,
    runtime_file: Path | None = None,
    stop_timeout: float = 30.0,
    lifeline_fd: int | None = None,
    on_claimed: Callable[[], None] = lambda: None,
    when_stuck: Callable[[ExitCode], object] = lambda code: None,
) -> ExitCode:
    """Run a deployment in the foreground until a signal or an order stops it; answers the exit code.

    ``runtime_file`` is written beside ``governor.json`` when all is up, and removed at the stop. ``lifeline_fd`` is a
    pipe inherited from whoever started this process: its end means that nobody is left to stop it. ``on_claimed`` is
    called once no other governor can have the deployment: from then on its files are this one's to write.
    ``when_stuck`` is called with the exit code when threads are left that would not end: a process of its own is best
    left by os._exit then. systemd is told of start, health and stop where it asks for that (see `Notifier`).
    """
    governor = make_governor(deployment)
    foreground = ForegroundGovernor(governor, Notifier.from_environment())
    with foreground.install_signal_handlers(), _lifeline(lifeline_fd, foreground):
        try:
            code = foreground.run(runtime_file, stop_timeout, on_claimed)
        except GovernorAlreadyRunning as error:
            _log.error("%s", error)
            return ExitCode.ALREADY_RUNNING
    if governor.abandoned:
        when_stuck(code)
    return code


@contextmanager
def _lifeline(fd: int | None, foreground: ForegroundGovernor) -> Iterator[None]:
    if fd is None:
        yield
        return
    lifeline = Lifeline(fd, foreground.request_stop)
    try:
        lifeline.start()
    except OSError as error:
        raise ConfigError(f"--lifeline-fd {fd} is no open descriptor: {error}") from error
    try:
        yield
    finally:
        lifeline.close()


def _exit_code(code: int | None) -> ExitCode:
    """The server's own exit code where it means something."""
    known = (ExitCode.CONFIG, ExitCode.PORT_TAKEN, ExitCode.STORE, ExitCode.STORE_AWAY)
    return next((one for one in known if one == code), ExitCode.CRASH)
