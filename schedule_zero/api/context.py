"""What the handlers of one server share: no global state, so that several servers fit into one process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schedule_zero.api.event_stream import EventStream
from schedule_zero.api.exposition import Exposition
from schedule_zero.call_threads import CallThreads
from schedule_zero.execution_log import ExecutionRecord
from schedule_zero.governor_link import GovernorLink
from schedule_zero.http_crowd import Crowd
from schedule_zero.http_server import most_connections
from schedule_zero.metrics import Metrics
from schedule_zero.service import SchedulerService
from schedule_zero.service_events import ServiceEvent

__all__ = ["ApiContext"]


@dataclass
class ApiContext:
    """The service under the API, and what the API keeps of its own; for one event loop.

    `extensions` is for what is laid over the API (pages, security): each keeps its state under a name of its own.
    """

    service: SchedulerService
    governor: GovernorLink = field(default_factory=GovernorLink)
    stream: EventStream = field(default_factory=EventStream)
    metrics: Metrics = field(default_factory=Metrics)
    crowd: Crowd = field(default_factory=lambda: Crowd(most_connections()))
    extensions: dict[str, Any] = field(default_factory=dict)
    exposition: Exposition = field(init=False)
    #: The real port of the server, once it listens.
    http_port: int = 0
    #: The OpenAPI document as it is sent, once somebody has asked for it.
    document: bytes | None = None
    #: For what would hold up the event loop.
    aside: CallThreads = field(default_factory=lambda: CallThreads("api", 1))

    def __post_init__(self) -> None:
        self.exposition = Exposition(self.service, self.metrics, self.stream, self.crowd, self.aside)
        self.service.on_event = self.tell
        self.service.on_executed = self._measure
        self.service.storage.on_commit = self.metrics.commits.add

    def tell(self, event: ServiceEvent) -> None:
        """Count an event, and tell it to those who read the stream."""
        self.metrics.heard(event)
        self.stream.publish(event.kind.value, event)

    def close(self) -> None:
        """End the stream at once, and let threads end."""
        self.stream.close()
        self.governor.close()
        self.aside.close()

    def _measure(self, record: ExecutionRecord) -> None:
        self.metrics.executed(record)
