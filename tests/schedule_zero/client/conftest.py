"""The other end of the wire, with no code of ours."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import zmq
import zmq.asyncio

from harness.sim.world import World
from schedule_zero import barriers

Respond = Callable[["Peer", list[bytes], dict[str, Any]], None]


class Peer:
    """A ROUTER in a thread, which hands each request to `respond`."""

    def __init__(self, respond: Respond, port: int = 0) -> None:
        self.requests: list[dict[str, Any]] = []
        self.respond = respond
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(f"tcp://127.0.0.1:{port or '*'}")
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.port = int(self.address.rsplit(":", 1)[1])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def send(self, route: list[bytes], *payload: bytes) -> None:
        """Send frames as they are."""
        self.socket.send_multipart([*route, *payload])

    def answer(self, route: list[bytes], request: dict[str, Any], **changes: Any) -> None:
        """Send the reply that echoes the parameters, with changes."""
        reply = {"success": True, "result": request["params"], "request_id": request["request_id"], **changes}
        self.send(route, json.dumps(reply).encode())

    def ids(self) -> list[str]:
        """The request ids in the order of their arrival."""
        return [request["request_id"] for request in self.requests]

    def wait_for_requests(self, count: int) -> None:
        """Wait until so many requests have come."""
        deadline = time.monotonic() + 5.0
        while len(self.requests) < count:
            if time.monotonic() > deadline:
                pytest.fail(f"the peer saw {len(self.requests)} of {count} requests in 5 s")
            time.sleep(0.005)

    def stop(self) -> None:
        """Close, as a process that ends does."""
        self._ended.set()
        self._thread.join(5.0)
        self.socket.close(linger=0)
        self.context.term()

    def _serve(self) -> None:
        while not self._ended.is_set():
            if self.socket.poll(10):
                *route, payload = self.socket.recv_multipart()
                try:
                    request = json.loads(payload)
                except ValueError:
                    continue  # what a test sent raw, to bring a socket into a wrong state
                self.requests.append(request)
                self.respond(self, route, request)


def echo(peer: Peer, route: list[bytes], request: dict[str, Any]) -> None:
    """The well-behaved answer."""
    peer.answer(route, request)


@pytest.fixture
def start_peer() -> Iterator[Callable[..., Peer]]:
    """Start peers, and stop what a test left running."""
    peers: list[Peer] = []

    def start(respond: Respond = echo, port: int = 0) -> Peer:
        peer = Peer(respond, port)
        peers.append(peer)
        return peer

    yield start
    for peer in peers:
        if not peer.socket.closed:
            peer.stop()


@pytest.fixture
def listen() -> Iterator[Callable[[str, Callable[..., None]], Callable[[], None]]]:
    """Listen at barriers for the length of one test."""
    ends: list[Callable[[], None]] = []

    def start(name: str, listener: Callable[..., None]) -> Callable[[], None]:
        ends.append(barriers.listen(name, listener))
        return ends[-1]

    yield start
    for end in ends:
        end()


class AsyncPeer:
    """A ROUTER in the test's own event loop, which hands each request to `respond`."""

    def __init__(self, respond: Any, address: str = "tcp://127.0.0.1:*") -> None:
        self.respond = respond
        self.requests: list[dict[str, Any]] = []
        self.kept: list[tuple[list[bytes], dict[str, Any]]] = []
        """What `Arm.keep` was asked and has not answered."""
        self.address = address
        self._sends: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> AsyncPeer:
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        await _bind(self._socket, self.address)
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task, *self._sends])
        self._context.destroy(linger=0)

    async def has(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(10.0):
            while len(self.requests) < count:
                await asyncio.sleep(0.001)

    async def send(self, route: list[bytes], *payload: bytes) -> None:
        """Send frames as they are."""
        await self._socket.send_multipart([*route, *payload])

    async def answer(self, route: list[bytes], request: dict[str, Any], **changes: Any) -> None:
        """Send the reply that echoes the parameters, with changes."""
        reply = {"success": True, "result": request["params"], "request_id": request["request_id"], **changes}
        await self.send(route, json.dumps(reply).encode())

    def answer_soon(self, route: list[bytes], request: dict[str, Any]) -> None:
        """The same, for timers."""
        self._sends.append(asyncio.create_task(self.answer(route, request)))

    async def _serve(self) -> None:
        while True:
            *route, payload = await self._socket.recv_multipart()
            self.requests.append(json.loads(payload))
            await self.respond(self, route, self.requests[-1])


class AsyncRep:
    """A plain REP in the test's own event loop, which knows no request ids; `pause` seconds before an answer."""

    def __init__(self, address: str = "tcp://127.0.0.1:*") -> None:
        self.address = address
        self.pause = 0.0

    async def __aenter__(self) -> AsyncRep:
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.REP)
        await _bind(self._socket, self.address)
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        self._context.destroy(linger=0)

    async def _serve(self) -> None:
        while True:
            request = json.loads(await self._socket.recv())
            await asyncio.sleep(self.pause)
            await self._socket.send(json.dumps({"success": True, "result": request["params"]}).encode())


async def _bind(socket: zmq.asyncio.Socket, address: str) -> None:
    async with asyncio.timeout(10.0):
        while True:
            try:
                socket.bind(address)
            except zmq.ZMQError as error:
                # libzmq gives a port back in the background.
                if error.errno != zmq.EADDRINUSE:
                    raise
                await asyncio.sleep(0.005)
            else:
                return


def _run(body: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a new loop, with a limit; nothing of it may be left but the coroutine itself."""

    async def limited() -> Any:
        result = await asyncio.wait_for(body, 30.0)
        await asyncio.sleep(0)
        timers: list[asyncio.TimerHandle] = getattr(asyncio.get_running_loop(), "_scheduled", [])
        assert [timer for timer in timers if not timer.cancelled()] == []
        assert [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        return result

    return asyncio.run(limited(), debug=False)


async def _kinds(*calls: Any) -> list[Any]:
    """What became of each call: its result, or the name of its error."""
    ended = await asyncio.gather(*calls, return_exceptions=True)
    return [type(end).__name__ if isinstance(end, BaseException) else end for end in ended]


class Arm:
    """A place to run a test body, real or simulated, with the peers that it needs."""

    def __init__(self, worker: Callable[..., Any], *, simulated: bool) -> None:
        self.patience = 0.2 if simulated else 2.0
        """Seconds that are short, and long enough for whatever needs no time of its own."""
        self._worker = worker

    def peer(self, respond: Any = None, address: str = "tcp://127.0.0.1:*") -> AsyncPeer:
        """A ROUTER that echoes, or does what `respond` does."""
        return AsyncPeer(respond or self.echo, address)

    def rep(self, address: str = "tcp://127.0.0.1:*") -> AsyncRep:
        """A plain REP."""
        return AsyncRep(address)

    def worker(self) -> Any:
        """A handler of ours, not started."""
        return self._worker("w")

    run = staticmethod(_run)
    kinds = staticmethod(_kinds)

    @staticmethod
    async def echo(peer: AsyncPeer, route: list[bytes], request: dict[str, Any]) -> None:
        """The well-behaved answer."""
        await peer.answer(route, request)

    @staticmethod
    async def keep(peer: AsyncPeer, route: list[bytes], request: dict[str, Any]) -> None:
        """No answer yet."""
        peer.kept.append((route, request))

    @staticmethod
    async def slow_but_pings(peer: AsyncPeer, route: list[bytes], request: dict[str, Any]) -> None:
        """Keeps what is called `slow`, and answers all else."""
        if request["method"] == "slow":
            peer.kept.append((route, request))
        else:
            await peer.answer(route, request)

    @staticmethod
    async def without_id(peer: AsyncPeer, route: list[bytes], request: dict[str, Any]) -> None:
        """Answers without the request's id."""
        await peer.send(route, json.dumps({"success": True, "result": request["params"]}).encode())


@pytest.fixture(params=["real", "sim"])
def arm(request: pytest.FixtureRequest, worker_class: Callable[..., Any]) -> Iterator[Arm]:
    """The same body, once over libzmq and once over the simulation."""
    if request.param == "real":
        yield Arm(worker_class, simulated=False)
        return
    with World(seed=1):
        yield Arm(worker_class, simulated=True)


@pytest.fixture
def bare_arm(worker_class: Callable[..., Any]) -> Arm:
    """For a body whose world the test makes itself."""
    return Arm(worker_class, simulated=True)
