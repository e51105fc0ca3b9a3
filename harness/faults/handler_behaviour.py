"""Switching the behaviour of one handler for a time: a mock of this process, or a worker through its agent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from harness.agent.client import AgentClient
from harness.errors import FaultError
from harness.faults.base import Args, Fault
from harness.faults.zmq_state import process_gone
from harness.targets.base import PlaceKind

ArgsT = TypeVar("ArgsT", bound=Args)


@runtime_checkable
class Behaving(Protocol):
    """What a fault needs of a mock handler: to behave otherwise, and back (see `harness.mocks.mock_handler.MockHandler`)."""

    def behave(self, behaviour: Any, /) -> Callable[[], None]:
        """Answer every call by `behaviour` from now on; returns how to end that."""


class HandlerBehaviour(Fault[ArgsT]):
    """Base of the faults that make a handler behave otherwise."""

    accepts: ClassVar[tuple[PlaceKind, ...]] = (PlaceKind.HANDLER,)
    switch: ClassVar[str] = "handler"
    """The agent's switch that workers obey."""

    _undo: Callable[[], Mapping[str, Any]] | None = None

    @abstractmethod
    def value(self) -> Mapping[str, Any]:
        """What the switch is set to in a worker."""

    @abstractmethod
    def behaviour(self) -> Any:
        """The same as a behaviour of a mock handler."""

    def inject(self) -> Mapping[str, Any]:
        """Switch it; what was switched before comes back when it is healed."""
        if self.place.handle is not None:
            self._undo = self._switch_mock(self.place.handle)
        elif self.place.control:
            self._undo = self._switch_worker(AgentClient(self.place.control))
        else:
            raise FaultError(f"{self.place.name}: {self.kind} needs a mock handler, or a worker with an agent; there is neither")
        return dict(self.value())

    def heal(self) -> Mapping[str, Any]:
        """Switch it back; a worker that is gone took its switch with it."""
        undo, self._undo = self._undo, None
        return undo() if undo else {}

    def _switch_mock(self, mock: Any) -> Callable[[], Mapping[str, Any]]:
        if not isinstance(mock, Behaving):
            raise FaultError(f"{self.place.name}: {self.kind} needs a MockHandler, found a {type(mock).__name__}")
        back = mock.behave(self.behaviour())

        def undo() -> Mapping[str, Any]:
            back()
            return {}

        return undo

    def _switch_worker(self, agent: AgentClient) -> Callable[[], Mapping[str, Any]]:
        before = agent.call("switch", name=self.switch, value=dict(self.value())).get("before")

        def undo() -> Mapping[str, Any]:
            try:
                agent.call("switch", name=self.switch, value=before)
            except FaultError:
                if not process_gone(self.place):
                    raise
                return {"gone": True}
            return {}

        return undo
