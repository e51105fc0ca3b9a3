"""``zmq_poll`` and the proxies inside a world."""

from __future__ import annotations

import errno
import selectors
from collections.abc import Callable, Sequence
from typing import Any

import zmq

from harness.sim.errors import NotSimulated
from harness.sim.kernel import current_thread
from harness.sim.waiting import WaitQueue
from harness.sim.zmq.c_int import c_int
from harness.sim.zmq.core import LATE, SocketCore
from harness.sim.zmq.engine import descriptors_of
from harness.sim.zmq.failures import failure

POLLIN, POLLOUT = int(zmq.POLLIN), int(zmq.POLLOUT)

Item = tuple[Any, Any, int]
"""What is given back, its core or descriptor, what is asked for."""


def poll(sockets: Sequence[tuple[Any, int]], timeout: int = -1) -> list[tuple[Any, int]]:
    """As ``zmq_poll``: what is ready, waiting up to `timeout` ms (-1: for ever).

    Raises ZMQError (ENOTSOCK, ETERM), TypeError, ValueError.
    """
    if not sockets:
        return []
    timeout = c_int(timeout)
    items = [_item(thing, c_int(events)) for thing, events in sockets]
    ready = _ready(items)
    if ready or timeout == 0:
        if not ready:
            _give_way(items)
        return ready
    return _wait(items, timeout)


def _wait(items: list[Item], timeout: int) -> list[tuple[Any, int]]:
    thread = current_thread()
    if thread is None:
        raise NotSimulated("simulated sockets were polled by a thread outside of their world")
    kernel = thread.kernel
    queue = WaitQueue(kernel, f"poll of {', '.join(_name(item) for item in items)}")
    end = None if timeout < 0 else kernel.now + thread.process.clock.true(int(timeout) * 1000) + LATE

    def tell() -> None:
        if queue:
            queue.notify_all()

    cores = [target for _, target, _ in items if isinstance(target, SocketCore)]
    for _, target, _ in items:
        target.watchers.append(tell)
    try:
        while True:
            left = None if end is None else end - kernel.now
            if left is not None and left <= 0:
                return []
            for core in cores:
                core.user = thread
            try:
                queue.wait(left)
            finally:
                for core in cores:
                    core.user = None
            ready = _ready(items)
            if ready:
                return ready
    finally:
        for _, target, _ in items:
            if tell in target.watchers:
                target.watchers.remove(tell)


def _item(thing: Any, events: int) -> Item:
    if isinstance(thing, zmq.Socket):
        core = getattr(thing, "_core", None)
        if not isinstance(core, SocketCore):
            raise NotSimulated(f"{thing!r} was made outside of this world and cannot be polled in it")
        if core.closed:
            raise failure(errno.ENOTSOCK)
        return thing, core, events
    if isinstance(thing, int):
        number = thing
    elif hasattr(thing, "fileno"):
        try:
            number = int(thing.fileno())
        except Exception as error:
            raise ValueError("fileno() must return a valid integer fd") from error
    else:
        raise TypeError(f"Socket must be a 0MQ socket, an integer fd or have a fileno() method: {thing!r}")
    thread = current_thread()
    descriptor = None if thread is None else descriptors_of(thread.process).get(number)
    if descriptor is None:
        raise NotSimulated(
            f"polling the real descriptor {number} is not simulated: poll sockets and pipes made inside the world"
        )
    return number, descriptor, events


def _ready(items: list[Item]) -> list[tuple[Any, int]]:
    found = []
    for thing, target, events in items:
        mask = (target.events() if isinstance(target, SocketCore) else _descriptor_events(target)) & events
        if mask:
            found.append((thing, mask))
    return found


def _descriptor_events(descriptor: Any) -> int:
    events = descriptor.events()
    return (POLLIN if events & selectors.EVENT_READ else 0) | (POLLOUT if events & selectors.EVENT_WRITE else 0)


def _give_way(items: list[Item]) -> None:
    for _, target, _ in items:
        if isinstance(target, SocketCore):
            target.give_way()
            return


def _name(item: Item) -> str:
    return str(item[1]) if isinstance(item[1], SocketCore) else f"descriptor {item[0]}"


def proxy(frontend: Any, backend: Any, capture: Any = None) -> int:
    """As ``zmq_proxy``: carry messages between two sockets until their context ends (ContextTerminated)."""
    return _carry(frontend, backend, capture, None)


def proxy_steerable(frontend: Any, backend: Any, capture: Any = None, control: Any = None) -> int:
    """As ``zmq_proxy_steerable``: `control` takes PAUSE, RESUME, TERMINATE."""
    return _carry(frontend, backend, capture, control)


def _carry(frontend: Any, backend: Any, capture: Any, control: Any) -> int:
    running = True
    watched = [(frontend, POLLIN), (backend, POLLIN), *([(control, POLLIN)] if control is not None else [])]
    while True:
        ready = dict(poll(watched if running else watched[2:], -1))
        if control is not None and control in ready:
            command = _core(control).recv(0)
            if command == b"TERMINATE":
                return 0
            if command in (b"PAUSE", b"RESUME"):
                running = command == b"RESUME"
        for source, target in ((frontend, backend), (backend, frontend)):
            if running and source in ready and poll([(target, POLLOUT)], 0):
                _forward(_core(source), _core(target), None if capture is None else _core(capture))


def _forward(source: SocketCore, target: SocketCore, capture: SocketCore | None) -> None:
    while True:
        frame = source.recv(0)
        flags = int(zmq.SNDMORE) if source.more else 0
        if capture is not None:
            capture.send(frame, flags)
        target.send(frame, flags)
        if not flags:
            return


def _core(socket: Any) -> SocketCore:
    core = socket._core
    if not isinstance(core, SocketCore):
        raise NotSimulated(f"{socket!r} was made outside of this world")
    return core


def dispatching(simulated: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    """`simulated` for threads of a world, `real` for others."""

    def dispatch(*args: Any, **options: Any) -> Any:
        return (real if current_thread() is None else simulated)(*args, **options)

    dispatch.__name__ = real.__name__
    dispatch.__doc__ = real.__doc__
    return dispatch
