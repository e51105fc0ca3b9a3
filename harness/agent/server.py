"""The thread inside a process of the target that answers the harness."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from harness.agent.journal import Journal
from harness.agent.protocol import MAX_LINE, socket_path

Command = Callable[..., dict[str, Any]]
T = TypeVar("T")


class AgentServer:
    """Answers commands on ``<directory>/<pid>.sock``; plug-ins add commands with `command` and read `switches`.

    A `switch` is a named value that the harness sets and code of the harness inside this process (a worker) obeys.
    Each setting is a layer that lies on those before; layers are lifted in any order, and the topmost one counts.
    """

    def __init__(self, directory: Path, journal: Journal, *, seed: int = 0) -> None:
        self.journal = journal
        self.seed = seed
        self.switches: dict[str, Any] = {}
        self._layers: dict[str, dict[int, Any]] = {}
        self._laid = 0
        self._obeyed: set[str] = set()
        self._commands: dict[str, Command] = {"switch": self._switch, "status": self._status}
        self._facts: dict[str, Callable[[], Any]] = {}
        self._plug_ins: dict[str, Any] = {}
        self._plugging = threading.Lock()
        self._thread: threading.Thread | None = None
        self._path = socket_path(directory, os.getpid())
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._path))
        self._listener.listen(8)

    def command(self, name: str, function: Command) -> None:
        """Add a command; its keyword arguments are those of the request."""
        self._commands[name] = function

    def tell(self, name: str, fact: Callable[[], Any]) -> None:
        """Add something to what ``status`` tells: what `fact` returns at that moment, as JSON."""
        self._facts[name] = fact

    def plug_in(self, name: str, make: Callable[[], T]) -> T:
        """What a plug-in keeps for itself in this process, made when it is first asked for."""
        with self._plugging:
            if name not in self._plug_ins:
                self._plug_ins[name] = make()
        kept: T = self._plug_ins[name]
        return kept

    def obey(self, switch: str) -> None:
        """Say that code of this process looks at that switch; setting one that nobody looks at changes nothing."""
        self._obeyed.add(switch)

    def start(self) -> None:
        """Begin to answer, on a daemon thread: the process ends without asking the agent."""
        self._thread = threading.Thread(target=self._serve, name="harness-agent", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and take the socket away, for an agent in a process that goes on; a second call does
        nothing."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which closing alone would not
        self._listener.close()
        self._path.unlink(missing_ok=True)
        if self._thread is not None:
            self._thread.join(timeout=6.0)

    def _switch(self, name: str, value: Any = None, lift: int | None = None) -> dict[str, Any]:
        before = self.switches.get(name)
        layers = self._layers.setdefault(name, {0: before})
        if lift is None:
            self._laid += 1
            layers[self._laid] = value
        else:
            layers.pop(lift, None)
        self.switches[name] = layers[max(layers)]
        return {"before": before, "obeyed": name in self._obeyed, "layer": self._laid}

    def _status(self) -> dict[str, Any]:
        facts = {name: fact() for name, fact in self._facts.items()}
        return {"pid": os.getpid(), "switches": self.switches, "threads": threading.active_count(), **facts}

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5.0)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection.makefile("rwb") as stream:
            for line in iter(lambda: stream.readline(MAX_LINE), b""):
                stream.write(json.dumps(self._run(line)).encode() + b"\n")
                stream.flush()

    def _run(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            function = self._commands[request.pop("command")]
            return {"ok": True, **function(**request)}
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a command is the asker's to hear
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}
