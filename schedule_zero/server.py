"""The server process: `SchedulerService` with the HTTP API over it.

``python -m schedule_zero.server --deployment NAME`` serves until SIGTERM, SIGINT or SIGQUIT, or until its
governor dies. Exit codes are those of `ExitCode`.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tornado.netutil import bind_sockets

from schedule_zero.api.app import make_app
from schedule_zero.api.context import ApiContext
from schedule_zero.api.handler_watch import HandlerWatch
from schedule_zero.deployment import load_deployment
from schedule_zero.errors import ConfigError, PortTaken, StoreUnusable
from schedule_zero.exits import ExitCode, leave
from schedule_zero.governor_link import GovernorLink
from schedule_zero.http_server import PatientServer
from schedule_zero.lifeline import Lifeline, forget_pid_file
from schedule_zero.logs import configure_logging
from schedule_zero.ports import reachable
from schedule_zero.runtime_file import RuntimeFile
from schedule_zero.security.binding import check_zmq_binding
from schedule_zero.security.http_hook import guard_of
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import ServiceConfig
from schedule_zero.startable import require_startable
from schedule_zero.store_errors import StoreAway
from schedule_zero.web.rules import web_rules

OnReady = Callable[[int, int], object]
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
#: Seconds that running calls get when the governor is dead: a server that lives on is in its successor's way.
_ORPHAN_STOP = 2.0
#: Seconds that a start that is given up gets to take down what it has begun.
_GIVEN_UP = 5.0
#: Seconds beyond the time for running calls after which a stop is not waited for any more.
_LONGEST_STOP = 10.0


class Server:
    """The service and its HTTP server, in the running event loop.

    `governor_directory` is the folder of the deployment, where its governor, if one runs it, is found.

    Example::

        server = Server(config)
        await server.start()
        print(server.http_port, server.zmq_port)
        await server.stop()
    """

    def __init__(self, config: ServiceConfig, *, governor_directory: Path | None = None) -> None:
        self.config = config
        self.service = SchedulerService(config)
        self.context = ApiContext(self.service, GovernorLink(governor_directory))
        self._watch = HandlerWatch(self.context)
        self._http: PatientServer | None = None
        self.http_port = 0

    async def start(self) -> None:
        """Listen. Raises `PortTaken`, `StoreUnusable`, `ConfigError`, with nothing left behind."""
        guard = guard_of(self.context)
        guard.check_settings()
        self._check_zmq()
        # The port first: when it is taken the store, which may belong to the same other server, is not touched.
        sockets = _listen(self.config.http_host, self.config.http_port)
        try:
            await self.service.start()
            app = make_app(self.context, web_rules())
            self._http = PatientServer(app, self.config.security.max_body, self.context.crowd)
            self._http.add_sockets(sockets)
        except BaseException:
            for listener in sockets:
                listener.close()
            raise
        self.http_port = self.context.http_port = sockets[0].getsockname()[1]
        self._watch.start()

    async def start_unless(self, stop: asyncio.Event, hangs: Callable[[], object] = lambda: None) -> bool:
        """`start`, given up as soon as `stop` is set, whatever it waits for; whether the server is up.

        What has been begun is taken down again. If that takes too long, because a thread waits for a disk or a database
        that does not answer, `hangs` is called, and nothing else could be done.
        """
        # In the caller's own task, in which it is stopped as well: task groups ask for that.
        patience = asyncio.timeout(None)
        watch = asyncio.create_task(_give_up(stop, patience, hangs), name="stop while starting")
        try:
            async with patience:
                await self.start()
        except Exception:
            if not patience.expired():
                raise
            logging.getLogger(__name__).info("asked to stop before the server was up")
            return False
        finally:
            watch.cancel()
        return True

    def _check_zmq(self) -> None:
        security = self.config.security
        check_zmq_binding(self.config.zmq_host, keyed=security.keys is not None, insecure=security.insecure)

    @property
    def zmq_port(self) -> int:
        """The port where handlers register."""
        return int(self.service.registration_address.rpartition(":")[2])

    async def stop(self, timeout: float | None = None) -> None:
        """Stop, within a few seconds beyond `timeout` (the configuration's `stop_timeout`) whatever runs."""
        if self._http is not None:
            self._http.stop()
        self._watch.stop()
        self.context.close()
        await self.service.stop(timeout)
        if self._http is not None:
            await asyncio.wait({asyncio.ensure_future(self._http.close_all_connections())}, timeout=1.0)

    def runtime(self) -> dict[str, object]:
        """What others need to know to reach this server: the contents of the runtime file."""
        return {
            "pid": os.getpid(),
            "http_port": self.http_port,
            "zmq_port": self.zmq_port,
            "http_url": f"http://{reachable(self.config.http_host)}:{self.http_port}",
            "registration_address": self.service.registration_address,
            # For this user's governor and commands, where others are asked for a token.
            "token": guard_of(self.context).local_token,
        }


def _listen(host: str, port: int) -> list[socket.socket]:
    try:
        return bind_sockets(port, address=host)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"http port {port} on {host} is taken: stop what listens there, or choose another"
            ) from None
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None


async def serve(
    config: ServiceConfig,
    *,
    on_ready: OnReady | None = None,
    runtime_file: Path | None = None,
    lifeline_fd: int | None = None,
    governor_directory: Path | None = None,
) -> int:
    """Serve until a signal or the loss of the lifeline; returns the number of threads that were abandoned."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in _SIGNALS:
        loop.add_signal_handler(number, _asked_to_stop, stop)
    lifeline = None if lifeline_fd is None else Lifeline(lifeline_fd, lambda: loop.call_soon_threadsafe(stop.set))
    server = Server(config, governor_directory=governor_directory)
    word = None if runtime_file is None else RuntimeFile(runtime_file)
    if lifeline is not None:
        lifeline.start()
    try:
        if await server.start_unless(stop, lambda: _leave("a start that was given up", word)):
            if word is not None:
                word.write(server.runtime())
            if on_ready is not None:
                on_ready(server.http_port, server.zmq_port)
            told = {name: value for name, value in server.runtime().items() if name != "token"}
            logging.getLogger(__name__).info("serving %s", told)
            await stop.wait()
    finally:
        orphaned = lifeline is not None and lifeline.lost
        limit = min(_ORPHAN_STOP, config.stop_timeout) if orphaned else config.stop_timeout
        late = loop.call_later(limit + _LONGEST_STOP, _leave, "a stop", word)
        await server.stop(limit)
        late.cancel()
        if word is not None:
            word.take_back()
        if lifeline is not None:
            lifeline.close()
            if lifeline.lost:
                forget_pid_file()
    return server.service.abandoned_threads


async def _give_up(stop: asyncio.Event, patience: asyncio.Timeout, hangs: Callable[[], object]) -> None:
    await stop.wait()
    patience.reschedule(asyncio.get_running_loop().time())
    await asyncio.sleep(_GIVEN_UP)
    hangs()


def _leave(what: str, word: RuntimeFile | None) -> None:
    """End now: neither the event loop nor the interpreter would end before a thread that waits for a disk for ever.

    What has been accepted is in the store, and nothing has been promised of what is not.
    """
    logging.getLogger(__name__).warning("%s does not come to its end: the store does not answer, and is left", what)
    if word is not None:
        word.take_back()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(ExitCode.OK)


def _asked_to_stop(stop: asyncio.Event) -> None:
    if stop.is_set():
        # Asked twice: whoever asks does not want to wait for running calls. Their jobs run again after the next
        # start.
        os._exit(ExitCode.INTERRUPTED)
    stop.set()


def run_server(
    config: ServiceConfig,
    *,
    on_ready: OnReady | None = None,
    runtime_file: Path | None = None,
    lifeline_fd: int | None = None,
    governor_directory: Path | None = None,
) -> int:
    """`serve` in an event loop of its own; returns the exit code, having said in one line what went wrong."""
    try:
        left = asyncio.run(
            serve(
                config,
                on_ready=on_ready,
                runtime_file=runtime_file,
                lifeline_fd=lifeline_fd,
                governor_directory=governor_directory,
            )
        )
    except ConfigError as error:
        return _fail(ExitCode.CONFIG, error)
    except PortTaken as error:
        return _fail(ExitCode.PORT_TAKEN, error)
    except StoreAway as error:
        return _fail(ExitCode.STORE_AWAY, error)
    except StoreUnusable as error:
        return _fail(ExitCode.STORE, error)
    if left:
        # Threads wait for handlers that never answer; libzmq would make the interpreter's end wait for their
        # sockets.
        logging.shutdown()
        sys.stderr.flush()
        os._exit(ExitCode.OK)
    return ExitCode.OK


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = make_parser().parse_args(argv)
    try:
        deployment = load_deployment(options.deployment, options.config)
        require_startable(deployment, options.runtime_file)
    except ConfigError as error:
        return _fail(ExitCode.CONFIG, error)
    config = deployment.service
    if options.insecure:
        config = dataclasses.replace(config, security=dataclasses.replace(config.security, insecure=True))
    configure_logging(config.log, deployment=config.deployment, process="server")
    return run_server(
        config,
        runtime_file=options.runtime_file,
        lifeline_fd=options.lifeline_fd,
        # A governor leaves word of itself in the same folder as it has its server do.
        governor_directory=options.runtime_file.absolute().parent if options.runtime_file else deployment.directory,
    )


def make_parser() -> argparse.ArgumentParser:
    """The options of this command."""
    parser = argparse.ArgumentParser(
        prog="python -m schedule_zero.server", description="Run the scheduler server."
    )
    parser.add_argument("--deployment", help="name of the deployment: its ports, store and settings")
    parser.add_argument("--config", type=Path, help="deployment file (YAML)")
    parser.add_argument(
        "--insecure", action="store_true", help="listen beyond loopback without tokens and keys"
    )
    parser.add_argument("--runtime-file", type=Path, help="where to write ports and pid (JSON) when ready")
    parser.add_argument(
        "--lifeline-fd", type=int, help="inherited pipe; the server stops when its other end closes"
    )
    return parser


def _fail(code: ExitCode, error: Exception) -> int:
    print(f"schedule_zero.server: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    leave(main())
