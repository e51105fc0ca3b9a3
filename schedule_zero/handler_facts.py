"""What the scheduler asks of the handlers' registry, for whoever wants an answer and no exception."""

from __future__ import annotations

from schedule_zero.errors import UnknownHandler
from schedule_zero.handler_registry import HandlerRecord, HandlerStatus, RegistryManager

__all__ = ["HandlerFacts"]


class HandlerFacts:
    """Looks at a registry; thread-safe, as that is.

    >>> with RegistryManager() as registry:
    ...     _ = registry.register("h1", "tcp://127.0.0.1:5555", [], incarnation="a", concurrency=4)
    ...     facts = HandlerFacts(registry)
    ...     facts.connected(), facts.concurrency("h1"), facts.incarnation("h1"), facts.incarnation("h2")
    (['h1'], 4, 'a', '')
    """

    def __init__(self, registry: RegistryManager) -> None:
        self._registry = registry

    def connected(self) -> list[str]:
        """The ids of the handlers that are connected."""
        return [record.id for record in self._registry.list() if record.status is HandlerStatus.CONNECTED]

    def is_connected(self, handler_id: str) -> bool:
        """Whether the handler is connected."""
        record = self._find(handler_id)
        return record is not None and record.status is HandlerStatus.CONNECTED

    def concurrency(self, handler_id: str) -> int | None:
        """How many calls the handler runs at once; None if it has not told."""
        record = self._find(handler_id)
        return None if record is None else record.concurrency

    def incarnation(self, handler_id: str) -> str:
        """The start of the handler that is connected; empty if none is."""
        record = self._find(handler_id)
        return record.incarnation if record is not None and record.status is HandlerStatus.CONNECTED else ""

    def _find(self, handler_id: str) -> HandlerRecord | None:
        try:
            return self._registry.get(handler_id)
        except UnknownHandler:
            return None
