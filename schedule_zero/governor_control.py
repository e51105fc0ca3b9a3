"""The address at which a running governor takes orders: same wire as handlers, loopback only.

Orders name handlers by id. What such a handler is comes from the deployment's file, which is read again for
``add_handler``; never from the network. ``governor.json`` in the deployment's folder says where the address is. Where
the deployment has CURVE keys, orders are taken from who has the server's own pair.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from schedule_zero import wire
from schedule_zero.deployment import load_deployment
from schedule_zero.errors import ConfigError, ProtocolError, ScheduleZeroError, UnknownHandler
from schedule_zero.governor_core import GovernorCore
from schedule_zero.governor_runtime import write_governor
from schedule_zero.security.curve import protect
from schedule_zero.security.server_keys import ServerKeys, server_keys
from schedule_zero.security.zap import Zap
from schedule_zero.wire import ErrorCode, Reply, Request

__all__ = ["ControlServer"]

_IDLE_MS = 100  # how often the thread looks whether it is to end
_PENDING_MS = 10  # how often it looks for the outcome of orders that are being carried out

_log = logging.getLogger(__name__)


class ControlServer:
    """Answers orders for one governor from a thread of its own; ``on_stop`` is called when told to stop all.

    Quick questions are answered at once; orders that take time are carried out beside, one after the other,
    so that a status is to be had meanwhile.
    """

    def __init__(
        self, governor: GovernorCore[Any], on_stop: Callable[[], None], *, extra_file: Path | None = None
    ) -> None:
        self.governor = governor
        self.address = ""
        self._on_stop = on_stop
        self._paths = [governor.deployment.directory / "governor.json", *([extra_file] if extra_file else [])]
        self._wrote = False
        self._keys: ServerKeys | None = None
        self._ended = threading.Event()
        self._bound = threading.Event()
        self._failure: BaseException | None = None
        self._replies: queue.SimpleQueue[tuple[list[bytes], Reply, int]] = queue.SimpleQueue()
        self._pending = 0
        self._workers = concurrent.futures.ThreadPoolExecutor(1, "governor-orders")
        self._thread = threading.Thread(target=self._run, name="governor-control", daemon=True)

    def start(self, timeout: float = 5.0) -> None:
        """Listen, and write the file that says where. Raises ScheduleZeroError when that fails, ConfigError for keys
        that cannot be used.
        """
        self._keys = server_keys(self.governor.deployment.service.security)
        self._thread.start()
        if not self._bound.wait(timeout) or self._failure is not None:
            raise ScheduleZeroError(
                f"the governor's control address cannot be opened: {self._failure or 'too slow'}"
            )
        self.write_file()

    def write_file(self) -> None:
        """Write ``governor.json`` anew, with the server's addresses as they are now."""
        self._wrote = True
        for path in self._paths:
            keys = None if self._keys is None else self._keys.folder
            write_governor(path, self.governor.deployment.name, self.address, self.governor.runtime, keys)

    def stop(self, timeout: float = 5.0) -> None:
        """Remove the file and end the thread, waited for ``timeout`` seconds; orders not begun are dropped."""
        # A governor that was refused has written nothing: what lies there belongs to the one that runs.
        for path in self._paths if self._wrote else ():
            path.unlink(missing_ok=True)
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        keys = self._keys
        with zmq.Context() as context:
            zap = None if keys is None else Zap(context, lambda public: public == keys.own.public)
            try:
                if zap is not None:
                    zap.start()
                self._listen(context)
            finally:
                if zap is not None:
                    zap.stop()

    def _listen(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        with context.socket(zmq.ROUTER) as socket:
            socket.linger = 500  # the answer to the last order may still be on its way
            try:
                if self._keys is not None:
                    protect(socket, self._keys.own)
                socket.maxmsgsize = wire.MAX_BYTES
                port = socket.bind_to_random_port("tcp://127.0.0.1")
                self.address = f"tcp://127.0.0.1:{port}"
            except zmq.ZMQError as error:
                self._failure = error
                return
            finally:
                self._bound.set()
            while not self._ended.is_set():
                self._turn(socket)
            self._send_replies(socket)

    def _turn(self, socket: zmq.Socket[bytes]) -> None:
        if socket.poll(_PENDING_MS if self._pending else _IDLE_MS):
            *envelope, body = socket.recv_multipart()
            try:
                self._receive(envelope, wire.decode_request(body))
            except ProtocolError as error:
                self._answer(envelope, wire.failure(str(error), ErrorCode.MALFORMED))
        self._send_replies(socket)

    def _receive(self, envelope: list[bytes], request: Request) -> None:
        quick = _QUICK.get(request.method)
        if quick is not None:
            self._answer(envelope, self._carry_out(quick, request))
            return
        order = _ORDERS.get(request.method)
        if order is None:
            known = ", ".join([*_QUICK, *_ORDERS])
            self._answer(
                envelope,
                _failed(f"unknown order {request.method!r}; known: {known}", ErrorCode.UNKNOWN_METHOD, request),
            )
            return
        self._pending += 1
        self._workers.submit(lambda: self._answer(envelope, self._carry_out(order, request), orders=1))

    def _carry_out(self, order: Callable[[ControlServer, dict[str, Any]], Any], request: Request) -> Reply:
        try:
            return Reply(True, order(self, request.params or {}), request_id=request.request_id)
        except ScheduleZeroError as error:
            return _failed(str(error), _code_of(error), request)
        except Exception as error:  # noqa: BLE001 - an order must never end the thread that takes the next
            _log.exception("order %s failed", request.method)
            return _failed(f"{type(error).__name__}: {error}", ErrorCode.INTERNAL, request)

    def _answer(self, envelope: list[bytes], reply: Reply, orders: int = 0) -> None:
        self._replies.put((envelope, reply, orders))

    def _send_replies(self, socket: zmq.Socket[bytes]) -> None:
        while not self._replies.empty():
            envelope, reply, orders = self._replies.get()
            self._pending -= orders
            socket.send_multipart([*envelope, wire.encode_reply(reply)], zmq.NOBLOCK)

    def _do_ping(self, _: dict[str, Any]) -> str:
        return "pong"

    def _do_status(self, _: dict[str, Any]) -> dict[str, Any]:
        return {name: dataclasses.asdict(info) for name, info in self.governor.status().items()}

    def _do_stop(self, _: dict[str, Any]) -> bool:
        self._on_stop()
        return True

    def _do_health(self, _: dict[str, Any]) -> dict[str, bool]:
        return self.governor.health_check()

    def _do_metrics(self, _: dict[str, Any]) -> dict[str, Any]:
        return self.governor.get_metrics()

    def _do_restart(self, _: dict[str, Any]) -> bool:
        ready = self.governor.restart()
        self.write_file()
        return ready

    def _do_add_handler(self, params: dict[str, Any]) -> bool:
        handler_id = _handler_id(params)
        old = self.governor.deployment
        fresh = load_deployment(old.name, old.config_path, root=old.root)
        for config in fresh.handlers:
            if config.handler_id == handler_id:
                return self.governor.add_handler(config)
        raise ConfigError(f"handler {handler_id!r} is not in {fresh.config_path or 'any configuration file'}")

    def _do_remove_handler(self, params: dict[str, Any]) -> bool:
        return self.governor.remove_handler(_handler_id(params))

    def _do_restart_handler(self, params: dict[str, Any]) -> bool:
        handler_id = _handler_id(params)
        ready = self.governor.restart_handler(handler_id)
        if not ready and handler_id not in (known := self.governor.list_handlers()):
            raise UnknownHandler(f"unknown handler {handler_id!r}; there are: {', '.join(known) or 'none'}")
        return ready


_QUICK = {"ping": ControlServer._do_ping, "status": ControlServer._do_status, "stop": ControlServer._do_stop}
_ORDERS = {
    "health": ControlServer._do_health,
    "metrics": ControlServer._do_metrics,
    "restart": ControlServer._do_restart,
    "add_handler": ControlServer._do_add_handler,
    "remove_handler": ControlServer._do_remove_handler,
    "restart_handler": ControlServer._do_restart_handler,
}


def _handler_id(params: dict[str, Any]) -> str:
    value = params.get("handler_id")
    if not isinstance(value, str) or not value:
        raise ConfigError("handler_id: expected the id of a handler")
    return value


def _code_of(error: ScheduleZeroError) -> ErrorCode:
    if isinstance(error, UnknownHandler):
        return ErrorCode.UNKNOWN_HANDLER
    return ErrorCode.BAD_PARAMS if isinstance(error, ConfigError) else ErrorCode.CALL_FAILED


def _failed(error: str, code: ErrorCode, request: Request) -> Reply:
    return wire.failure(error, code, request.request_id)
