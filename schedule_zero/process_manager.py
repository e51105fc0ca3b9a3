"""One child process: its group, its lifeline, its pid file, its log.

A child is the leader of its own session, so that a Ctrl-C at the governor's terminal does not reach it and
one signal reaches everything that it started. It inherits the reading end of a pipe whose only writing end
the governor holds: when the governor dies, by SIGKILL too, the pipe ends and the child stops by itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from schedule_zero import log_rotation
from schedule_zero.barriers import reached
from schedule_zero.files import make_folder
from schedule_zero.launch import ProcessLaunch
from schedule_zero.lifeline import PID_FILE_VARIABLE
from schedule_zero.pidfile import PidFile
from schedule_zero.stop_report import Forced
from schedule_zero.usage import process_usage

__all__ = ["ProcessManager"]

_TICK = 0.005  # seconds between two looks at an ending child
_TAIL = 8192  # bytes of a log in which its last lines are looked for

_log = logging.getLogger(__name__)


class ProcessManager:
    """Starts and stops one child process, as often as asked.

    ``log_path`` collects its output; ``pid_path`` names it while it runs. ``lifeline`` appends
    ``--lifeline-fd N`` to the command. The log is kept to ``log_bytes`` (0: it grows), and ``log_kept`` of
    those before (see `log_rotation`). All methods may be
    called from any thread.
    """

    force = "is killed"
    forced = Forced.KILLED

    def __init__(
        self,
        name: str,
        *,
        log_path: Path,
        pid_path: Path,
        lifeline: bool = True,
        log_bytes: int = log_rotation.MAX_BYTES,
        log_kept: int = log_rotation.KEPT,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self.pid_file = PidFile(pid_path)
        self.started_at = 0.0
        self._lifeline = lifeline
        self._log_bytes = log_bytes
        self._log_kept = log_kept
        self._last_pid: int | None = None
        self._writer: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._lock = threading.RLock()

    @property
    def pid(self) -> int | None:
        """The child's process id until :meth:`poll` has seen its end; None when there is no child."""
        process = self._process
        return None if process is None else process.pid

    @property
    def incarnation(self) -> int | None:
        """The same: no two lives of one child have one number within any time that matters."""
        return self.pid

    @property
    def label(self) -> str:
        """The present or last child for a log line."""
        return f"process {self._last_pid}"

    def begin(self, launch: ProcessLaunch) -> int:
        """`spawn` what the launch says."""
        return self.spawn(launch.command, launch.env)

    def spawn(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> int:
        """Start the child; answer its pid. Raises RuntimeError while one runs, OSError when it cannot start."""
        with self._lock:
            if self._process is not None:
                raise RuntimeError(f"{self.name}: process {self._process.pid} has not been cleared away")
            make_folder(self.log_path.parent)
            self._process = self._launch(list(command), env)
            self._last_pid = self._process.pid
            self.started_at = time.monotonic()
            try:
                self.pid_file.write(self._process.pid)
                reached("governor.spawned", name=self.name, pid=self._process.pid)
            except BaseException:
                # A child without a pid file (the disk is full) would be an orphan that no later governor finds.
                self.kill()
                self._process.wait()
                self._clear(self._process.pid)
                raise
            return self._process.pid

    def _launch(self, command: list[str], env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
        reader, self._writer = os.pipe() if self._lifeline else (None, None)
        inherited = () if reader is None else (reader,)
        if reader is not None:
            command += ["--lifeline-fd", str(reader)]
        try:
            with self.log_path.open("ab") as log:
                self._log_start = log.tell()
                return subprocess.Popen(
                    command,
                    env={**(os.environ if env is None else env), PID_FILE_VARIABLE: str(self.pid_file.path)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=inherited,
                )
        except BaseException:
            self._cut_lifeline()
            raise
        finally:
            if reader is not None:
                os.close(reader)

    def poll(self) -> int | None:
        """The exit code once the child has ended (negative: the signal that ended it), None while it runs.

        Whatever it left in its group is killed then, and its pid file is removed.
        """
        with self._lock:
            if self._process is None:
                return None
            code = self._process.poll()
            if code is not None:
                self._clear(self._process.pid)
            return code

    def _clear(self, pid: int) -> None:
        # The child is a session leader: its number stays taken as long as a member of its group lives.
        _signal_group(pid, signal.SIGKILL)
        self._cut_lifeline()
        self._process = None
        try:
            self.pid_file.remove()
        except OSError as error:
            # It names a process that is dead: no harm, and no reason not to notice the end.
            _log.warning("%s: the pid file stays behind: %s", self.name, error)

    def _cut_lifeline(self) -> None:
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None

    def terminate(self) -> None:
        """Ask the child to end (SIGTERM to it alone, so that it can take its own children down in order).

        SIGCONT follows, as systemd does it: a child that somebody stopped (SIGSTOP) would never hear of the request.
        """
        with self._lock:
            if self._process is not None:
                self._process.terminate()
                self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the child and its whole group by force."""
        with self._lock:
            if self._process is not None:
                _signal_group(self._process.pid, signal.SIGKILL)

    def stop(self, timeout: float = 10.0) -> int | None:
        """SIGTERM, then SIGKILL to the group after ``timeout`` seconds; the exit code, None when none ran."""
        self.terminate()
        code = self.wait(timeout)
        if code is None and self.pid is not None:
            self.kill()
            code = self.wait(timeout)
        return code

    def wait(self, timeout: float) -> int | None:
        """The exit code when the child ends within ``timeout`` seconds; None when it does not, or none runs."""
        deadline = time.monotonic() + timeout
        while True:
            code = self.poll()
            if code is not None or self._process is None or time.monotonic() >= deadline:
                return code
            time.sleep(_TICK)

    def uptime(self) -> float:
        """Seconds since the child was started; 0 when none runs."""
        return time.monotonic() - self.started_at if self.pid is not None else 0.0

    def last_lines(self, count: int = 5) -> str:
        """The last lines that the latest child wrote, joined by `` | ``."""
        try:
            with self.log_path.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                # Since the start the log may have been emptied.
                log.seek(max(self._log_start if self._log_start <= size else 0, size - _TAIL))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return " | ".join(line.strip() for line in text.splitlines()[-count:] if line.strip())

    def usage(self) -> dict[str, float]:
        """What the child costs, see `process_usage`; empty when none runs."""
        return process_usage(self.pid)

    def tidy(self) -> None:
        """Keep the log to its size."""
        try:
            log_rotation.rotate(self.log_path, self._log_bytes, self._log_kept)
        except OSError as error:
            _log.warning("%s: the log cannot be kept to its size: %s", self.name, error)


def _signal_group(group: int, number: signal.Signals) -> None:
    # Nobody may be left there (macOS says EPERM of a group of zombies).
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
