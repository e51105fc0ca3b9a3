"""What a fault in a run may ask of the target, from the worker thread it runs in."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from harness.errors import FaultError
from harness.targets.base import Place, PlaceKind

T = TypeVar("T")


@runtime_checkable
class Supervises(Protocol):
    """A target whose outermost processes the harness starts again, in place of their supervisor."""

    async def restart_process(self, name: str) -> None:
        """Start a process of this name that has ended; returns when it is ready, raises `TargetError`."""


class HasPlaces(Protocol):
    """The part of a `harness.targets.base.Target` that faults ask."""

    def places(self) -> Sequence[Place]:
        """Everything a fault can point at, as it is right now."""

    async def restart_handler(self, name: str) -> None:
        """Stop and start one handler; returns when it is there again."""


class RunSurroundings:
    """Surroundings over a `Target`: questions are answered on the target's event loop, with a deadline."""

    ask_within = 5.0
    """Seconds a look at the places may take."""

    def __init__(self, target: HasPlaces, loop: asyncio.AbstractEventLoop, allowed: Sequence[str] = ()) -> None:
        self._target = target
        self._loop = loop
        self.allowed: Sequence[str] = tuple(allowed)

    @property
    def run_tag(self) -> str:
        """The tag of the target's processes, where it has one."""
        return str(getattr(self._target, "run_tag", ""))

    def places(self) -> Sequence[Place]:
        """The target's places as they are right now."""

        async def look() -> Sequence[Place]:
            return self._target.places()

        return self._ask(look(), self.ask_within, "a list of its places")

    def restart(self, place: Place, *, timeout: float) -> None:
        """Have a handler started again, or a supervised process; raises `FaultError` for anything else: no target
        promises to restart that.
        """
        if place.supervised and isinstance(self._target, Supervises):
            self._ask(self._target.restart_process(place.name), timeout, f"a new start of {place.name}")
            return
        if place.kind is not PlaceKind.HANDLER:
            raise FaultError(
                f"{place.name} was not started again by its governor, and only handlers can be started by the "
                f"harness. "
                "Give the scenario a governor that restarts it."
            )
        self._ask(self._target.restart_handler(place.name), timeout, f"the restart of {place.name}")

    def _ask(self, question: Coroutine[Any, Any, T], timeout: float, what: str) -> T:
        future = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise FaultError(f"waited {timeout:g} s for the target to give {what}") from None
        except Exception as error:
            raise FaultError(f"the target could not give {what}: {error}") from error
