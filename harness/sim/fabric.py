"""The network between simulated processes: ports, links, rules, and when what arrives.

>>> with fabric.rule(lambda message: Hold() if message.pattern == "REP" else None):   # doctest: +SKIP
...     ask()
>>> fabric.release()                                                                  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from harness.sim.errors import BadFault
from harness.sim.fault_arguments import check_process, check_seconds, check_whole
from harness.sim.links import EVERYBODY, Links
from harness.sim.ports import PortTable
from harness.sim.rules import Decision, Message, Rule, decide
from harness.sim.timers import us

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel

LATENCY = (40, 120)
"""Microseconds, from lowest to highest: what a small message takes over the loopback device."""


class Road(Protocol):
    """One direction of a connection, as the fabric sees it: from one process to another."""

    source: str
    target: str

    def link_changed(self) -> None:
        """The link may have opened or closed."""


class Fabric:
    """The network of one world.

    :ivar rules: decide about every message, first non-pass wins; change it at any time, or use `rule`.
    :ivar ports: TCP ports in use, of ZeroMQ and of plain sockets.
    :ivar links: latency and partitions.
    :ivar window: how many messages and bytes a connection holds between two high-water marks, as socket buffers of
        the operating system do (loopback on Linux 6, libzmq 4.3.5: 1,961 messages of 10 B, 65 of 100 kB).
    """

    def __init__(
        self, kernel: Kernel, latency: tuple[int, int] = LATENCY, window: tuple[int, int] = (1_950, 6_400_000)
    ) -> None:
        self.kernel = kernel
        self.rules: list[Decision] = []
        self.links = Links(latency)
        self.ports = PortTable(lambda n: kernel.choose("net", n, "ephemeral port"))
        self.window = window
        self._roads: dict[Road, None] = {}
        self._held: deque[Callable[[], None]] = deque()
        self._waiting: dict[str, dict[Callable[[], None], None]] = {}

    # -- what tests do ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def rule(self, decision: Decision) -> Iterator[None]:
        """Have `decision`, a function of a `Message`, decide before all others, for as long as the block lasts.

        A rule sees what ZeroMQ sends over ``tcp`` and ``ipc``, at the moment at which it is put on the wire. What it
        returns is looked at then: anything but a verdict ends the world with `BadFault`, even if the program that was
        sending catches every error.

        >>> with world.fabric.rule(lambda message: Drop() if message.pattern == "REP" else None):  # doctest: +SKIP
        ...     ask()

        :raises BadFault: `decision` is no function.
        """
        if not callable(decision):
            raise BadFault(f"fabric.rule was given {decision!r}: expected a function of a Message")
        self.rules.insert(0, decision)
        try:
            yield
        finally:
            self.rules.remove(decision)

    def partition(self, a: str, b: str = EVERYBODY, *, one_way: bool = False) -> None:
        """Let nothing pass from process `a` to `b`, nor back unless `one_way`. ``"*"`` is everybody.

        As with a cut cable, nothing is lost by it: what is sent meanwhile arrives after `heal`, unless somebody
        gives up. A process that is started again has another name (``server#2``), and is reached.

        :raises BadFault: no process of such a name is alive.
        """
        for name in (a, b):
            self._check(name, "fabric.partition")
        self.kernel.record("net.partition", a, b, int(one_way))
        self.links.cut(a, b)
        if not one_way:
            self.links.cut(b, a)
        self._changed()

    def heal(self, a: str | None = None, b: str | None = None) -> None:
        """End the partition between `a` and `b`; without arguments, all of them. What waited arrives now.

        :raises BadFault: there has never been a process of such a name.
        """
        for name in (a, b):
            if name is not None:
                self._check(name, "fabric.heal", living=False)
        self.kernel.record("net.heal", a or EVERYBODY, b or EVERYBODY)
        if a is None and b is None:
            self.links.heal()
        else:
            self.links.heal(a, b)
            self.links.heal(b, a)
        self._changed()

    def set_latency(self, source: str, target: str, low: float, high: float | None = None) -> None:
        """Latency from process `source` to `target` (``"*"``: everybody) in seconds, drawn between `low` and `high`.

        Without `high` it is always `low`. The most particular pair counts.

        :raises BadFault: no process of such a name is alive, or the seconds are negative or not in this order.
        """
        for name in (source, target):
            self._check(name, "fabric.set_latency")
        check_seconds("fabric.set_latency(low=...)", low)
        if high is not None:
            check_seconds("fabric.set_latency(high=...)", high, least=low)
        self.links.set_latency(source, target, (us(low), us(low if high is None else high)))

    @property
    def held(self) -> int:
        """How many messages are kept by `Hold`."""
        return len(self._held)

    def release(self, count: int | None = None) -> int:
        """Let the first `count` held messages (default: all) arrive now, in the order in which they were sent.

        Returns how many those were.
        """
        if count is not None:
            check_whole("fabric.release(count=...)", count, 0)
        n = len(self._held) if count is None else min(count, len(self._held))
        for _ in range(n):
            self._held.popleft()()
        return n

    # -- what transports do -------------------------------------------------------------------------------------------

    def verdict(self, message: Message) -> Rule:
        """What the rules say of one message.

        :raises BadFault: one of them is mistaken. It is raised in the world's main thread as well: whoever sends may
            catch every error, or have it logged by an event loop.
        """
        try:
            return decide(self.rules, message)
        except BadFault as error:
            self.kernel.fail(error)
            raise

    def hold(self, deliver: Callable[[], None]) -> None:
        """Keep a message until `release`."""
        self._held.append(deliver)

    def delay(self, source: str, target: str) -> int:
        """Latency of one message now, in microseconds, drawn from the "net" stream."""
        low, high = self.links.latency(source, target)
        return low if low == high else self.kernel.draw("net", low, high, "latency")

    def is_open(self, source: str, target: str) -> bool:
        """Whether the link is not cut."""
        return self.links.open(source, target)

    def join(self, road: Road) -> None:
        """Tell `road` of changes to links from now on."""
        self._roads[road] = None

    def part(self, road: Road) -> None:
        """Tell `road` nothing any more."""
        self._roads.pop(road, None)

    def _check(self, name: str, what: str, *, living: bool = True) -> None:
        there = [process.name for process in self.kernel.processes if process.alive or not living]
        check_process(what, name, [EVERYBODY, *there])

    def _changed(self) -> None:
        for road in list(self._roads):
            road.link_changed()

    # -- connecting before somebody listens ---------------------------------------------------------------------------

    def await_listener(self, key: str, callback: Callable[[], None]) -> None:
        """Call back once, when somebody begins to listen at `key`. Nothing ticks meanwhile, so that a world in
        which all wait for a dead peer is recognised as a deadlock."""
        self._waiting.setdefault(key, {})[callback] = None

    def forget(self, key: str, callback: Callable[[], None]) -> None:
        """Wait no longer."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.pop(callback, None)
            if not waiting:
                del self._waiting[key]

    def listening(self, key: str) -> None:
        """Somebody listens at `key` now: whoever waits may try."""
        for callback in self._waiting.pop(key, {}):
            callback()
