"""The scheduler's governor as a process: started, watched, told to end by a signal, and ended for certain."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from harness import descent
from harness.errors import NeverReady, TargetError
from harness.faults.base import RUN_TAG
from harness.targets.base import PartEnd, Place, PlaceKind, StopHow, StopResult
from harness.targets.schedule_zero.control import Control
from harness.targets.schedule_zero.deployment import Configured
from schedule_zero.governor_runtime import read_governor
from schedule_zero.pidfile import PidFile, is_alive
from schedule_zero.stop_report import read_stop_report

SERVER = "server"
"""What the deployment calls the process that scenarios call ``scheduler``."""
_SIGNALS = {
    StopHow.TERM: signal.SIGTERM,
    StopHow.INT: signal.SIGINT,
    StopHow.QUIT: signal.SIGQUIT,
    StopHow.KILL: signal.SIGKILL,
}
_ORDERED = 2.0
"""Seconds within which an order to stop is acknowledged."""
_TICK = 0.02
"""Seconds between two looks at a process or a file; both are cheap."""


@dataclass(frozen=True)
class Addresses:
    """Where a running deployment is reached."""

    http: str
    registration: str
    control: str

    @property
    def ports(self) -> tuple[int, int]:
        """Those of HTTP and of the registration."""
        return urlsplit(self.http).port or 0, urlsplit(self.registration).port or 0


class GovernorProcess:
    """``schedule-zero governor start`` in a process group of its own, with the run's environment."""

    def __init__(
        self, deployment: Configured, root: Path, environment: dict[str, str], agent_dir: Path, logs: Path
    ) -> None:
        self.deployment, self.root, self._environment, self._agent_dir = deployment, root, environment, agent_dir
        self._log_path = logs / f"{self.name}.log"
        self._mark = descent.mark_of(environment[RUN_TAG])
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: int | None = None

    @property
    def name(self) -> str:
        """What scenarios call it."""
        return f"governor{self.deployment.mark}"

    @property
    def pid(self) -> int:
        """Process id of the last governor started; 0 before the first."""
        return self._process.pid if self._process else 0

    @property
    def directory(self) -> Path:
        """The deployment's folder, with its pid files and logs."""
        return self.root / self.deployment.name

    @property
    def running(self) -> bool:
        """Whether the governor's process lives."""
        return self._process is not None and self._process.poll() is None

    def spawn(self) -> None:
        """Start the process; it is ready once `addresses` answers and the server lists its handlers."""
        if self.running:
            raise TargetError(f"the governor runs already (pid {self.pid})")
        self._runtime_file.unlink(missing_ok=True)
        self.release()
        # The governor stops everything when this pipe ends: a harness that is killed leaves nothing running either.
        reader, self._lifeline = os.pipe()
        name, config = self.deployment.name, self.deployment.path
        words = ["governor", "start", "--deployment", name, "--config", str(config), "--root", str(self.root)]
        try:
            with self._log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "schedule_zero.cli", *words, "--lifeline-fd", str(reader)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment,
                    start_new_session=True,
                    cwd=self.root,
                    pass_fds=(reader,),
                )
            descent.mark(self._process.pid, self._mark)
        finally:
            os.close(reader)

    def release(self) -> None:
        """Let go of the last governor: its lifeline, and its entry in the process table once it has ended."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._process is not None:
            self._process.poll()

    @property
    def _runtime_file(self) -> Path:
        return self.directory / "governor.json"

    def addresses(self) -> Addresses | None:
        """Where the deployment is reached; None until the governor has written it, or when another one wrote it."""
        try:
            data: dict[str, Any] = json.loads(self._runtime_file.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        if data.get("pid") != self.pid or not data.get("http_url"):
            return None
        return Addresses(data["http_url"], data["registration_address"], data["control"])

    async def wait_for_addresses(self, deadline: float) -> Addresses:
        """The addresses, once known; raises `NeverReady` at `deadline` (loop time) or when the process ends first."""
        loop = asyncio.get_running_loop()
        while True:
            if (found := self.addresses()) is not None:
                return found
            self.require_alive("before it had told its addresses")
            if loop.time() >= deadline:
                raise NeverReady(
                    f"waited for the governor's addresses in {self._runtime_file}; log:\n{self.log_tail()}"
                )
            await asyncio.sleep(_TICK)

    def require_alive(self, when: str) -> None:
        """Raise `NeverReady` with its exit code and last words when the governor has ended."""
        if not self.running:
            code = self._process.returncode if self._process else None
            raise NeverReady(f"the governor ended with code {code} {when}; log:\n{self.log_tail()}")

    def log_tail(self, lines: int = 12) -> str:
        """The last lines that the governor wrote."""
        try:
            text = self._log_path.read_text("utf-8", "replace")
        except OSError:
            return "(no log)"
        return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (it wrote nothing)"

    async def stop(self, how: StopHow, timeout: float, times: int = 1) -> StopResult:
        """Send the signal `times` times, or as many orders at once, and wait; after `timeout` seconds kill the process.
        Raises `TargetError` when it takes no order.
        """
        if self._process is None:
            return StopResult(0.0, None, forced=False)
        if self._process.returncode is not None:
            return StopResult(0.0, self._process.returncode, forced=False)
        begin = time.monotonic()
        kept = [name for name, process in self.processes() if process.pid != self.pid]
        if how is StopHow.ORDER:
            await self._order_stop(times)
        else:
            for _ in range(times):
                self._process.send_signal(_SIGNALS[how])
                await asyncio.sleep(_TICK)
        while self._process.poll() is None and time.monotonic() - begin < timeout:
            await asyncio.sleep(_TICK)
        forced = self._process.poll() is None
        if forced:
            self.kill()
            await asyncio.to_thread(self._process.wait, 5.0)
        took = time.monotonic() - begin
        parts = {} if forced or how is StopHow.KILL else self._ends(kept)
        return StopResult(took, self._process.returncode, forced, parts)

    async def _order_stop(self, times: int) -> None:
        running = await asyncio.to_thread(read_governor, self._runtime_file)
        if running is None:
            raise TargetError(f"{self.name} cannot be ordered to stop: {self._runtime_file} names none that lives")
        control = Control(running.control, timeout=_ORDERED, secure=running.secure())
        # Those that come too late are answered by nobody, since the first order closes the address.
        answers = await asyncio.gather(*(control.ask("stop") for _ in range(times)), return_exceptions=True)
        refusals = [answer for answer in answers if isinstance(answer, BaseException)]
        if len(refusals) == times:
            raise refusals[0]

    def _ends(self, kept: Iterable[str]) -> dict[str, PartEnd]:
        """How each process ended, as the governor reports; of one that it does not tell of, nobody saw the end."""
        report = read_stop_report(self.directory)
        told = report.services if report is not None and report.pid == self.pid else {}
        ends = {self._called(name): PartEnd(**asdict(ending)) for name, ending in told.items()}
        return {**{name: PartEnd(None) for name in kept}, **ends}

    def _called(self, service: str) -> str:
        """What scenarios call a service of the deployment."""
        return f"scheduler{self.deployment.mark}" if service == SERVER else service

    def kill(self) -> None:
        """SIGKILL the governor's process; what it started is found by the run's tag."""
        if self.running and self._process is not None:
            self._process.kill()

    def forget_the_dead(self) -> None:
        """Remove the files that name processes which have ended: those that are killed have no time to, nor has a
        governor.
        """
        for path in [*sorted((self.directory / "pids").glob("*.pid")), self._runtime_file]:
            if not is_alive(PidFile(path).read()):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """The living processes of the deployment by name, from their pid files, the server as ``scheduler``."""
        if self.running:
            yield self.name, psutil.Process(self.pid)
        for path in sorted((self.directory / "pids").glob("*.pid")):
            if (process := _recorded_process(path)) is not None and path.stem != "governor":
                yield self._called(path.stem), process

    def places(self) -> list[Place]:
        """Each living process as a place of a fault."""
        found = []
        for name, process in self.processes():
            part = name.removesuffix(self.deployment.mark)
            kind = PlaceKind.PROCESS if part in ("governor", "scheduler") else PlaceKind.HANDLER
            group = "handlers" if kind is PlaceKind.HANDLER else part
            control = str(self._agent_dir / f"{process.pid}.sock")
            try:
                started = process.create_time()
            except psutil.Error:
                continue
            supervised = part == "governor"
            found.append(Place(kind, name, group, process.pid, started, control=control, supervised=supervised))
        return found


def _recorded_process(path: Path) -> psutil.Process | None:
    # By the birth that the file records: two processes may read start times of one third process that lie a second
    # apart, since they count from a boot time that the system recomputes as its clock is adjusted.
    record = PidFile(path).read()
    if record is None or not is_alive(record):
        return None
    try:
        return psutil.Process(record.pid)
    except psutil.Error:
        return None


def end_tagged(run: str, *, within: float = 2.0) -> None:
    """`kill_tagged` until there is none, `within` seconds at most: who is being killed may have started another."""
    deadline = time.monotonic() + within
    while kill_tagged(run) and time.monotonic() < deadline:
        time.sleep(_TICK)


def kill_tagged(run: str, *, variable: str = RUN_TAG) -> list[int]:
    """SIGKILL every process that belongs to the run with this tag (see `descent.belongs`); returns their pids. The
    caller itself is never one."""
    killed = []
    for process in psutil.process_iter():
        if process.pid != os.getpid() and descent.belongs(process, run, variable):
            with contextlib.suppress(psutil.Error):
                process.kill()
                killed.append(process.pid)
    return killed
