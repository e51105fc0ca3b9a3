"""The governors of one deployment: one for each of its servers, which share a store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Protocol

import psutil

from harness.targets.base import PartEnd, Place, StopHow, StopResult
from harness.targets.schedule_zero.deployment import Configured
from harness.targets.schedule_zero.governor import Addresses, GovernorProcess


class Configure(Protocol):
    """Writes the configuration of one server: where the others take registrations, and its ports (0: any)."""

    def __call__(self, server: Configured, /, *, peers: Sequence[str] = (), ports: tuple[int, int] = (0, 0)) -> object:
        """Write it; what was there is replaced."""



class Fleet:
    """Starts, watches and ends them together. All handlers are kept by the first, and register with every server."""

    def __init__(self, governors: Sequence[GovernorProcess], configure: Configure) -> None:
        self.governors = tuple(governors)
        self.first = self.governors[0]
        self._configure = configure
        self._addresses: tuple[Addresses, ...] = ()

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
            self._configure(governor.deployment)
            governor.spawn()
        found = [await governor.wait_for_addresses(deadline) for governor in others]
        self._configure(self.first.deployment, peers=[addresses.registration for addresses in found])
        self.first.spawn()
        self._addresses = (await self.first.wait_for_addresses(deadline), *found)
        return self._addresses

    async def restart(self, name: str, deadline: float) -> tuple[Addresses, ...]:
        """Start a governor anew, which has ended; it ends what its predecessor left before it starts its own.

        The first comes back anywhere, since it starts its handlers anew; another where it was, since those of the first
        look for its server there. Raises `NeverReady` at `deadline` (loop time), `TargetError` when it runs.
        """
        number = [governor.name for governor in self.governors].index(name)
        governor, before = self.governors[number], self._addresses
        if number > 0:
            self._configure(governor.deployment, ports=before[number].ports)
        governor.spawn()
        again = await governor.wait_for_addresses(deadline)
        self._addresses = (*before[:number], again, *before[number + 1 :])
        return self._addresses

    def require_alive(self, when: str) -> None:
        """Raise `NeverReady` when one has ended."""
        for governor in self.governors:
            governor.require_alive(when)

    async def stop(self, how: StopHow, timeout: float, times: int) -> StopResult:
        """Stop all at once: the longest time, the first's exit code, and how the other governors and all that any of
        them kept has ended."""
        results = await asyncio.gather(*(governor.stop(how, timeout, times) for governor in self.governors))
        parts = {name: end for result in results for name, end in result.parts.items()}
        for governor, result in zip(self.governors[1:], results[1:], strict=True):
            if result.code is not None or result.forced:  # it ran
                parts[governor.name] = PartEnd(result.code, "killed" if result.forced else "", after=result.took)
        return StopResult(max(r.took for r in results), results[0].code, any(r.forced for r in results), parts)

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
