"""The harness's side of the door: asks the agent inside one process."""

from __future__ import annotations

import json
import socket
from typing import Any

from harness.agent.protocol import MAX_LINE
from harness.errors import FaultError


class AgentClient:
    """One command, one answer, one connection; nothing is held between calls.

    >>> AgentClient("/nowhere/1.sock").call("status")
    Traceback (most recent call last):
    harness.errors.FaultError: no agent answers at /nowhere/1.sock: ...
    """

    def __init__(self, address: str, *, timeout: float = 5.0) -> None:
        """`address` is the path of the agent's socket, `timeout` the seconds one call may take."""
        self.address = address
        self.timeout = timeout

    def call(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The agent's answer; raises `FaultError` when nobody answers in time or the agent refuses."""
        request = json.dumps({"command": command, **arguments}).encode() + b"\n"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self.timeout)
                connection.connect(self.address)
                connection.sendall(request)
                with connection.makefile("rb") as stream:
                    line = stream.readline(MAX_LINE)
        except OSError as error:
            raise FaultError(f"no agent answers at {self.address}: {error} (command {command!r})") from error
        answer: dict[str, Any] = json.loads(line) if line else {"ok": False, "error": "the process ended"}
        if not answer.pop("ok"):
            raise FaultError(f"the agent at {self.address} refused {command!r}: {answer['error']}")
        return answer
