"""The work of a governed thread: a server's event loop, or a handler."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path

from schedule_zero.errors import ConfigError, ScheduleZeroError
from schedule_zero.governor_base import HandlerConfig
from schedule_zero.handler import load_class
from schedule_zero.launch import registration_addresses
from schedule_zero.runtime_file import RUNTIME_FILE, RuntimeFile, ServerRuntime
from schedule_zero.security.server_keys import handler_options
from schedule_zero.server import Server
from schedule_zero.service_config import ServiceConfig
from schedule_zero.zmq_handler_base import BaseHandler

__all__ = ["HandlerWork", "ServerWork"]

_CALLS = "call "  # how the names of threads begin in which a server waits for handlers
_LOOK = 0.1  # seconds between two looks whether a handler answers still


class ServerWork:
    """A server in an event loop of its own. :attr:`runtime` says where it listens; None while it does not.

    ``directory`` is the deployment's folder, where the server finds its governor, and commands find the server: by its
    ``server.json``, as that of a process.
    """

    def __init__(self, service: ServiceConfig, pid: int, directory: Path | None = None) -> None:
        self.runtime: ServerRuntime | None = None
        self.left: list[threading.Thread] = []
        self._service = service
        self._pid = pid
        self._directory = directory
        self._wanted = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def run(self) -> None:
        """Serve until `end`. Raises what `Server.start` raises."""
        asyncio.run(self._serve())

    def end(self) -> None:
        """Ask the server to stop."""
        self._wanted = False
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if not self._wanted:  # asked to end before there was a loop to be told so
            return
        server = Server(self._service, governor_directory=self._directory)
        word = None if self._directory is None else RuntimeFile(self._directory / RUNTIME_FILE)
        try:
            if not await server.start_unless(self._stop):
                return
            facts = server.runtime()
            if word is not None:
                word.write(facts)
            self.runtime = ServerRuntime(
                self._pid, str(facts["http_url"]), str(facts["registration_address"]), str(facts["token"])
            )
            await self._stop.wait()
        finally:
            self.runtime = None
            await server.stop()
            if word is not None:
                word.take_back()
            if server.service.abandoned_threads:
                self.left = [one for one in threading.enumerate() if one.name.startswith(_CALLS)]


class HandlerWork:
    """A handler, made of its configuration in the thread that runs it: a constructor that hangs holds up nobody."""

    def __init__(self, config: HandlerConfig, service: ServiceConfig, port: int, stop_timeout: float = 5.0) -> None:
        self.handler: BaseHandler | None = None
        self.left: list[threading.Thread] = []
        self._config = config
        self._service = service
        self._port = port
        self._stop_timeout = stop_timeout
        self._ended = threading.Event()

    @property
    def is_registered(self) -> bool:
        """Whether the server knows the handler."""
        handler = self.handler
        return handler is not None and handler.is_running and handler.is_registered

    def run(self) -> None:
        """Answer calls until `end`, then drain. Raises what the handler raises, and when it ends by itself."""
        handler = self.handler = self._make()
        if self._ended.is_set():
            return
        handler.start()
        while handler.is_running and not self._ended.wait(_LOOK):
            pass
        asked = self._ended.is_set()
        if not handler.stop(self._stop_timeout):
            self.left = [thread for thread in threading.enumerate() if self._is_ours(thread)]
        if not asked:
            raise ScheduleZeroError("the handler ended by itself")

    def end(self) -> None:
        """Ask the handler to drain and stop."""
        self._ended.set()

    def _make(self) -> BaseHandler:
        config = self._config
        kind = load_class(config.module_path, config.class_name)
        try:
            return kind(
                config.handler_id,
                self._port,
                registration_addresses(self._service),
                self._service.zmq_host,
                **{**handler_options(self._service.security, config.handler_id), **config.kwargs},
            )
        except TypeError as error:
            given = sorted(config.kwargs)
            raise ConfigError(
                f"{config.module_path}.{config.class_name} cannot be made with {given}: {error}"
            ) from error

    def _is_ours(self, thread: threading.Thread) -> bool:
        return bool(re.fullmatch(rf"{re.escape(self._config.handler_id)}-(worker-\d+|loop|socket|end)", thread.name))
