"""Fuzz the HTTP API of a live server by its own OpenAPI document: ``python tests/fuzz/api.py [SCHEMATHESIS OPTIONS]``.

Needs the extra `fuzz`. A server on the memory store and one handler are started in this process; Schemathesis runs
beside it, with every check that it has. The exit code is its own: 0 if it found nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from schedule_zero.server import Server
from schedule_zero.service_config import RetrySettings, ServiceConfig
from schedule_zero.zmq_handler_base import BaseHandler

HERE = Path(__file__).resolve().parent
#: Cases an operation: what a step of CI has time for. A night has more: ``--max-examples 1000``.
EXAMPLES = 40


class Till(BaseHandler):
    """The handler of the document's examples."""

    def close(self, day: str = "") -> str:
        """Return the day."""
        return day

    def open(self) -> None:
        """Fail, so that there are failures to answer."""
        raise ValueError("till is open")


def main(options: list[str]) -> int:
    """Start the server, let Schemathesis loose, stop the server; returns the exit code."""
    return asyncio.run(_fuzz(options))


async def _fuzz(options: list[str]) -> int:
    config = ServiceConfig(
        store="memory", retry=RetrySettings(attempts=1), call_timeout=5.0, stop_timeout=0.5, max_jobs=20
    )
    server = Server(config)
    await server.start()
    try:
        return await asyncio.to_thread(_run, server.http_port, server.service.registration_address, options)
    finally:
        await server.stop()


def _run(port: int, registration: str, options: list[str]) -> int:
    handler = Till("till", server_address=registration)
    with handler:
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"http://127.0.0.1:{port}/api/openapi.json", "--checks", "all"),
            *("--request-timeout", "20", "--seed", "1", "--max-examples", str(EXAMPLES), "--no-color"),
            *options,
        ]
        _await_registration(port)
        # In a folder of its own: it leaves a cache and its findings where it runs.
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.call(command, env={**os.environ, "NO_COLOR": "1"}, cwd=folder)


def _await_registration(port: int, timeout: float = 20.0) -> None:
    """Raise TimeoutError unless the handler is there in time: without it nearly all is answered with 404."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/handlers") as answer:
            if json.load(answer)["handlers"]:
                return
        time.sleep(0.02)
    raise TimeoutError(f"waited {timeout:g} s for the handler to register")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
