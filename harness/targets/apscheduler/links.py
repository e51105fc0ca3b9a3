"""The near end of a link to a `SchedulerHost`: questions with numbers go out, answers and events come back.

All methods are called on one event loop, where `on_event` and `on_gone` are called too.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from harness import descent
from harness.errors import TargetError
from harness.faults.base import RUN_TAG
from harness.targets.apscheduler.host import SchedulerHost, Settings

Message = Mapping[str, Any]


class Gone(TargetError):
    """The scheduler ended before it answered."""


class Link(Protocol):
    """One scheduler's life, seen from outside."""

    pid: int
    """Of its process; 0 when it has none of its own."""

    def start(self) -> None:
        """Begin; the event ``ready`` follows, or ``crashed``."""

    async def ask(self, op: str, args: Message) -> Message:
        """The answer; raises `Gone` when it ends first. Waits for ever otherwise."""

    def stop(self, number: signal.Signals) -> None:
        """Tell it to end in good order."""

    def kill(self) -> None:
        """End it this instant; raises `TargetError` where that cannot be done."""


class _Correspondence:
    """Which questions are open, and the way into the loop for the threads that hear the answers."""

    def __init__(self, on_event: Callable[[Message], None], on_gone: Callable[[int | None], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_event, self._on_gone = on_event, on_gone
        self._open: dict[int, asyncio.Future[Message]] = {}
        self._count = 0
        self._over = False

    async def ask(self, op: str, args: Message, send: Callable[[dict[str, Any]], None]) -> Message:
        if self._over:
            raise Gone("the scheduler is not running")
        self._count += 1
        number = self._count
        answer = self._open[number] = self._loop.create_future()
        try:
            send({"n": number, "op": op, "args": args})
            heard: Message = await answer
            return heard
        finally:
            self._open.pop(number, None)

    def tell(self, message: Message) -> None:
        """From any thread: this was said."""
        self._in_loop(lambda: self._heard(message))

    def end(self, code: int | None) -> None:
        """From any thread: nothing more will be said."""
        self._in_loop(lambda: self._gone(code))

    def _in_loop(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            self._loop.call_soon_threadsafe(call)

    def _heard(self, message: Message) -> None:
        if "n" not in message:
            self._on_event(message)
            return
        answer = self._open.get(message["n"])
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _gone(self, code: int | None) -> None:
        self._over = True
        for answer in self._open.values():
            if not answer.done():
                answer.set_exception(Gone("the scheduler ended before it answered"))
        self._on_gone(code)


class ProcessLink:
    """A scheduler in a process of its own, which ends when this one does."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        log: Path,
        on_event: Callable[[Message], None],
        on_gone: Callable[[int | None], None],
    ) -> None:
        self._settings, self._environment, self._log = settings, environment, log
        self._talk = _Correspondence(on_event, on_gone)
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.pid = 0

    def start(self) -> None:
        """Start the process and the two threads that write and read for it."""
        with self._log.open("ab") as log:
            # Ended by `_read`, which waits for it.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "harness.targets.apscheduler.child"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env=dict(self._environment), start_new_session=True,
            )  # fmt: skip
        self.pid = self._process.pid
        descent.mark(self.pid, descent.mark_of(self._environment[RUN_TAG]))
        self._send(dataclasses.asdict(self._settings))
        for target in (self._write, self._read):
            threading.Thread(target=target, name=f"scheduler {self.pid} {target.__name__}", daemon=True).start()

    async def ask(self, op: str, args: Message) -> Message:
        """The answer."""
        return await self._talk.ask(op, args, self._send)

    def stop(self, number: signal.Signals) -> None:
        """Send it this signal."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self.stop(signal.SIGKILL)

    def _send(self, message: dict[str, Any]) -> None:
        self._outbox.put(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        # A process that stands still must not hold up the loop: its pipe fills here, in a thread of its own.
        with contextlib.suppress(OSError):
            while (line := self._outbox.get()) is not None:
                pipe.write(line)
                pipe.flush()
        with contextlib.suppress(OSError):
            pipe.close()

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        with contextlib.suppress(json.JSONDecodeError):  # torn by a kill
            for line in pipe:
                self._talk.tell(json.loads(line))
        code = self._process.wait()
        pipe.close()
        self._outbox.put(None)
        self._talk.end(code)


class ThreadLink:
    """A scheduler in a thread of this process, with an event loop of its own."""

    def __init__(
        self,
        settings: Settings,
        on_event: Callable[[Message], None],
        on_gone: Callable[[int | None], None],
    ) -> None:
        self._talk = _Correspondence(on_event, on_gone)
        self._host = SchedulerHost(settings, self._talk.tell)
        self.pid = 0

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="scheduler", daemon=True).start()

    async def ask(self, op: str, args: Message) -> Message:
        """The answer."""
        return await self._talk.ask(op, args, self._host.put)

    def stop(self, number: signal.Signals) -> None:
        """Tell it to end in good order; a thread gets no signals."""
        with contextlib.suppress(RuntimeError, AssertionError):  # it has ended, or never began
            self._host.put(None)

    def kill(self) -> None:
        """Refuse."""
        raise TargetError("a scheduler in a thread cannot be killed: Python ends no thread; use `host: process`")

    def _run(self) -> None:
        code = 0
        try:
            asyncio.run(self._host.serve())
        except Exception:  # noqa: BLE001 - the host has said what it was
            code = os.EX_SOFTWARE
        self._talk.end(code)
