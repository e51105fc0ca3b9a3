"""The governors of one deployment: one for each of its servers, which share a store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

import psutil

from harness.errors import TargetError
from harness.targets.base import Place, StopHow, StopResult
from harness.targets.schedule_zero.governor import Addresses, GovernorProcess

Configure = Callable[[Sequence[str]], object]
"""Writes the first server's configuration anew, with the registration addresses of the others."""


class Fleet:
    """Starts, watches and ends them together. All handlers are kept by the first, and register with every server."""

    def __init__(self, governors: Sequence[GovernorProcess], configure: Configure) -> None:
        self.governors = tuple(governors)
        self.first = self.governors[0]
        self._configure = configure

    @property
    def running(self) -> bool:
        """Whether any governor lives."""
        return any(governor.running for governor in self.governors)

    async def start(self, deadline: float) -> tuple[Addresses, ...]:
        """Start all; the first comes last, since its handlers are told where the others are.

        Raises `NeverReady` at `deadline` (loop time), `TargetError` when one runs already.
        """
        others = self.governors[1:]
        for governor in others:
            governor.spawn()
        found = [await governor.wait_for_addresses(deadline) for governor in others]
        if found:
            self._configure([addresses.registration for addresses in found])
        self.first.spawn()
        return (await self.first.wait_for_addresses(deadline), *found)

    async def restart(self, name: str, deadline: float) -> Addresses:
        """Start the first governor anew, which has ended; it ends what its predecessor left before it starts its own.

        Raises `NeverReady` at `deadline` (loop time), `TargetError` when it runs, and for any but the first: its server
        would come back at another address, which the handlers of the first would never learn.
        """
        if name != "governor":
            raise TargetError(f"of several governors only the first is started again by the harness, not {name}")
        self.first.spawn()
        return await self.first.wait_for_addresses(deadline)

    def require_alive(self, when: str) -> None:
        """Raise `NeverReady` when one has ended."""
        for governor in self.governors:
            governor.require_alive(when)

    async def stop(self, how: StopHow, timeout: float, times: int) -> StopResult:
        """Stop all at once: the longest time, the first's exit code or else that of one that did not end well, and how
        all that they kept has ended."""
        results = await asyncio.gather(*(governor.stop(how, timeout, times) for governor in self.governors))
        code = next((result.code for result in results if result.code), results[0].code)
        parts = {name: end for result in results for name, end in result.parts.items()}
        return StopResult(max(result.took for result in results), code, any(r.forced for r in results), parts)

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """The living processes of all by name."""
        for governor in self.governors:
            yield from governor.processes()

    def places(self) -> list[Place]:
        """Each of them as a place of a fault."""
        return [place for governor in self.governors for place in governor.places()]

    def log_tail(self) -> str:
        """The last lines of each."""
        return "\n".join(governor.log_tail() for governor in self.governors)

    def release(self) -> None:
        """Let go of all, when no process is left (see `GovernorProcess.release`)."""
        for governor in self.governors:
            governor.release()
            governor.forget_the_dead()
