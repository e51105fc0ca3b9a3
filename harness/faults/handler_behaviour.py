"""Switching the behaviour of one handler for a time: a mock of this process, or a worker through its agent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from harness.agent.client import AgentClient
from harness.errors import FaultError
from harness.faults.base import Args, Fault
from harness.faults.zmq_state import process_gone
from harness.mocks.behaviours import Behaviour
from harness.mocks.peer import Peer
from harness.targets.base import PlaceKind

ArgsT = TypeVar("ArgsT", bound=Args)


class HandlerBehaviour(Fault[ArgsT]):
    """Base of the faults that make a handler behave otherwise.

    Two such faults on one handler at once are healed in reverse order, as the injector does; then each finds
    what it left.
    """

    accepts: ClassVar[tuple[PlaceKind, ...]] = (PlaceKind.HANDLER,)
    switch: ClassVar[str] = "handler"
    """The agent's switch that workers obey."""

    _undo: Callable[[], Mapping[str, Any]] | None = None

    @abstractmethod
    def value(self) -> Mapping[str, Any]:
        """What the switch is set to in a worker: a behaviour as `harness.mocks.behaviours.parse` reads it."""

    @abstractmethod
    def behaviour(self, before: Behaviour) -> Behaviour:
        """The same for a mock that behaved as `before`."""

    def inject(self) -> Mapping[str, Any]:
        """Switch it; what was switched before comes back when it is healed."""
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
        before = mock.behaviour
        mock.behave(self.behaviour(before))

        def undo() -> Mapping[str, Any]:
            mock.behave(before)
            return {}

        return undo

    def _switch_worker(self, agent: AgentClient) -> Callable[[], Mapping[str, Any]]:
        answer = agent.call("switch", name=self.switch, value=dict(self.value()))
        before = answer.get("before")
        if not answer.get("obeyed", True):
            agent.call("switch", name=self.switch, value=before)
            raise FaultError(
                f"{self.place.name}: its handler class does not look at the switch {self.switch!r}, so {self.kind} "
                f"would change nothing; use the worker, or have your class obey({self.switch!r}) and look at it"
            )

        def undo() -> Mapping[str, Any]:
            try:
                agent.call("switch", name=self.switch, value=before)
            except FaultError:
                if not process_gone(self.place):
                    raise
                return {"gone": True}
            return {}

        return undo
