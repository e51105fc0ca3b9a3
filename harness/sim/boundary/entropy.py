"""Chance from seeds: `os.urandom`, `random`, `secrets`, `uuid`.

Each simulated process has two streams of its own, seeded by the world's seed, its name and how many processes of that
name there were before it. So a process that draws once more, or is started once more, changes no number that another
one sees.
"""

from __future__ import annotations

import functools
import importlib
import os
import random
import uuid
from collections.abc import Callable
from operator import index
from typing import Any

from harness.sim.boundary.patcher import Patcher
from harness.sim.boundary.registry import Boundary, How
from harness.sim.kernel import current_thread

_STREAM = "a stream seeded by the world's seed, the process's name and its incarnation"

BOUNDARY = (
    Boundary("os.urandom", How.SIMULATED, _STREAM),
    Boundary("os.getrandom", How.SIMULATED, _STREAM),
    Boundary("random", How.SIMULATED, "the functions of the module draw from a stream of the calling process"),
    Boundary("random.Random", How.SIMULATED, "without a seed it is seeded from os.urandom, which is simulated"),
    Boundary("_random.Random", How.PASSED, "seeded by the real system unless given a seed; use random.Random"),
    Boundary("random.SystemRandom", How.SIMULATED, _STREAM),
    Boundary("secrets", How.SIMULATED, _STREAM),
    Boundary("uuid.uuid1", How.SIMULATED, "simulated wall clock, a fixed node"),
    Boundary("uuid.uuid4", How.SIMULATED, "over os.urandom, which is simulated"),
)

NODE = 0x02_53_49_4D_00_01
"""The hardware address of a simulated machine: locally administered, so that it is nobody's."""


class Streams:
    """The streams of one process: `system` for what an operating system gives, `module` for module `random`."""

    __slots__ = ("module", "system")

    def __init__(self, seed: object, name: str, incarnation: int) -> None:
        self.system = _seeded(f"{seed}/entropy/{name}/{incarnation}")
        self.module = _seeded(f"{seed}/random/{name}/{incarnation}")


class Entropy:
    """Hands each process its streams; made anew for every world."""

    def __init__(self, seed: object) -> None:
        self._seed = seed
        self._streams: dict[int, Streams] = {}
        self._incarnations: dict[str, int] = {}

    def streams(self, process: Any) -> Streams:
        """The streams of a process, made when it first asks."""
        found = self._streams.get(process.pid)
        if found is None:
            found = self._streams[process.pid] = Streams(self._seed, process.name, self._next(process.name))
        return found

    def _next(self, name: str) -> int:
        number = self._incarnations[name] = self._incarnations.get(name, 0) + 1
        return number

    def install(self, patcher: Patcher) -> None:
        """Replace every source of chance of the standard library."""
        # It draws a key when it is imported: inside a world that would shift the stream of the first run only.
        importlib.import_module("multiprocessing.process")
        urandom = self._urandom(os.urandom)
        patcher.replace(os, "urandom", urandom)
        patcher.set(random, "_urandom", urandom)
        if hasattr(os, "getrandom"):
            patcher.replace(os, "getrandom", self._getrandom(os.getrandom, urandom))
        patcher.set(random.Random, "seed", _seed_method(random.Random.seed, urandom))
        self._install_functions(patcher)
        patcher.set(uuid, "_node", NODE)

    def _install_functions(self, patcher: Patcher) -> None:
        """``random.uniform`` and its siblings are methods of one hidden object: have each ask whose turn it is."""
        shared = random.random.__self__  # type: ignore[attr-defined]
        for name, function in sorted(vars(random).items()):
            if getattr(function, "__self__", None) is shared:
                patcher.replace(random, name, self._function(name, function))

    def _function(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        streams = self.streams

        @functools.wraps(real)
        def function(*args: Any, **named: Any) -> Any:
            me = current_thread()
            if me is None:
                return real(*args, **named)
            return getattr(streams(me.process).module, name)(*args, **named)

        return function

    def _urandom(self, real: Callable[[int], bytes]) -> Callable[[int], bytes]:
        def urandom(size: int, /) -> bytes:
            me = current_thread()
            if me is None or index(size) < 0:
                return real(size)  # which refuses what is no size
            return self.streams(me.process).system.randbytes(size)

        return urandom

    def _getrandom(self, real: Callable[..., bytes], urandom: Callable[[int], bytes]) -> Callable[..., bytes]:
        def getrandom(size: int, flags: int = 0) -> bytes:
            return real(size, flags) if current_thread() is None or size < 0 else urandom(size)

        return getrandom


def _seed_method(real: Callable[..., None], urandom: Callable[[int], bytes]) -> Callable[..., None]:
    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        """`random.Random.seed`; None asks the simulated operating system instead of the real one."""
        if a is None and current_thread() is not None:
            a = int.from_bytes(urandom(32), "big")
        real(self, a, version)

    return seed


def _seeded(seed: str) -> random.Random:
    return random.Random(seed)
