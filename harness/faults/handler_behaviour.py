"""Switching the behaviour of one handler for a time: a mock of this process, or a worker through its agent."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from harness.agent.client import AgentClient
from harness.errors import FaultError
from harness.faults.base import Args, Fault
from harness.faults.zmq_state import process_gone
from harness.history.records import MetBy
from harness.mocks.behaviours import Behaviour
from harness.mocks.peer import Peer
from harness.targets.base import PlaceKind

ArgsT = TypeVar("ArgsT", bound=Args)

STARTING = 5.0
"""Seconds that a process may have been running without its handler being made: so long it is waited for."""
_TICK = 0.05
"""Seconds between two looks whether it is there."""


class HandlerBehaviour(Fault[ArgsT]):
    """Base of the faults that make a handler behave otherwise.

    Several of them may be on one handler at the same time and be healed in any order: the latest that is still on
    counts, and the last one healed leaves the handler as the first one found it.
    """

    accepts: ClassVar[tuple[PlaceKind, ...]] = (PlaceKind.HANDLER,)
    switch: ClassVar[str] = "handler"
    """The agent's switch that workers obey."""

    @property
    def met_by(self) -> MetBy:
        """Who calls the handler."""
        return MetBy.CALLS

    _undo: Callable[[], Mapping[str, Any]] | None = None

    @abstractmethod
    def value(self) -> Mapping[str, Any]:
        """What the switch is set to in a worker: a behaviour as `harness.mocks.behaviours.parse` reads it."""

    @abstractmethod
    def behaviour(self, before: Behaviour) -> Behaviour:
        """The same for a mock that behaved as `before`."""

    def inject(self) -> Mapping[str, Any]:
        """Switch it, on top of what was switched before."""
        if self.place.handle is not None:
            self._undo = self._switch_mock(self.place.handle)
        elif self.place.control:
            self._undo = self._switch_worker(AgentClient(self.place.control))
        else:
            raise FaultError(
                f"{self.place.name}: {self.kind} needs a mock handler, or a worker with an agent; there is "
                f"neither"
            )
        return dict(self.value())

    def heal(self) -> Mapping[str, Any]:
        """Switch it back; a worker that is gone took its switch with it."""
        undo, self._undo = self._undo, None
        return undo() if undo else {}

    def _switch_mock(self, mock: Any) -> Callable[[], Mapping[str, Any]]:
        if not isinstance(mock, Peer):
            raise FaultError(
                f"{self.place.name}: {self.kind} needs a mock handler, found a {type(mock).__name__}"
            )
        as_before = mock.change(self.behaviour)

        def undo() -> Mapping[str, Any]:
            as_before()
            return {}

        return undo

    def _switch_worker(self, agent: AgentClient) -> Callable[[], Mapping[str, Any]]:
        deadline = time.monotonic() + (STARTING if time.time() - self.place.started < STARTING else 0.0)
        while True:
            answer = agent.call("switch", name=self.switch, value=dict(self.value()))
            layer = answer.get("layer", 0)
            if answer.get("obeyed", True):
                break
            agent.call("switch", name=self.switch, lift=layer)
            if time.monotonic() >= deadline:
                raise FaultError(
                    f"{self.place.name}: its handler class does not look at the switch {self.switch!r}, so {self.kind} "
                    f"would change nothing; use the worker, or have your class obey({self.switch!r}) and look at it"
                )
            time.sleep(_TICK)

        def undo() -> Mapping[str, Any]:
            try:
                agent.call("switch", name=self.switch, lift=layer)
            except FaultError:
                if not process_gone(self.place):
                    raise
                return {"gone": True}
            return {}

        return undo
