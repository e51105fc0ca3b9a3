"""What a server has counted, in the words of Prometheus.

``prometheus_client`` is imported when somebody first asks, in a thread: it costs a tenth of a second, which is
nothing that a start, or a job under way, should wait for.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schedule_zero.api.event_stream import EventStream
from schedule_zero.call_threads import CallThreads
from schedule_zero.errors import StoreUnusable
from schedule_zero.handler_registry import HandlerStatus
from schedule_zero.http_crowd import Crowd
from schedule_zero.metrics import Metrics, Spread
from schedule_zero.service import SchedulerService
from schedule_zero.views import Health

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["Exposition"]

PREFIX = "schedule_zero_"


@dataclass(frozen=True)
class _Now:
    """What is looked up when somebody asks, not counted on the way."""

    health: Health
    waiting: int | None
    connected: int
    known: int


class Exposition:
    """The text of /metrics for one server, by a registry of its own. `aside` is where it imports what it needs."""

    def __init__(
        self, service: SchedulerService, metrics: Metrics, stream: EventStream, crowd: Crowd, aside: CallThreads
    ) -> None:
        self._service = service
        self._metrics = metrics
        self._stream = stream
        self._crowd = crowd
        self._aside = aside
        self._now: _Now | None = None
        self._registry: Any = None

    async def text(self) -> bytes:
        """All metrics in the text format."""
        if self._registry is None:
            client = await self._aside.run(lambda: importlib.import_module("prometheus_client"))
            if self._registry is None:
                registry = client.CollectorRegistry(auto_describe=False)
                registry.register(self)
                self._registry = registry
        from prometheus_client import generate_latest

        self._now = await self._look()
        text: bytes = generate_latest(self._registry)
        return text

    async def families(self) -> list[Metric]:
        """Every metric as it is now, for what describes them."""
        self._now = await self._look()
        return list(self.collect())

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are not claimed, since the registry has no other collector."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric; called by the registry."""
        yield from self._jobs()
        yield from self._requests()
        yield from self._store()
        yield from self._registrations()
        yield from self._server()

    async def _look(self) -> _Now:
        handlers = self._service.handlers()
        connected = sum(handler.status is HandlerStatus.CONNECTED for handler in handlers)
        health = await self._service.health()
        waiting = None
        if health.parts["store"].ok:
            try:
                waiting = await self._service.waiting_jobs()
            except StoreUnusable:
                waiting = None  # left out: an operator is better told nothing than a depth that is not known
        return _Now(health, waiting, connected, len(handlers))

    def _jobs(self) -> Iterator[Metric]:
        metrics, now = self._metrics, self._now
        assert now is not None
        yield _counter("jobs_added", "Jobs that came into the store, by what brought them.", ["source"], [
            ((source,), count) for source, count in sorted(metrics.jobs_added.items())
        ])  # fmt: skip
        yield _counter("jobs_finished", "Jobs that ended, by handler and outcome.", ["handler", "outcome"], [
            (labels, count) for labels, count in sorted(metrics.jobs_finished.items())
        ])  # fmt: skip
        about = "Jobs whose work may have been done twice, as their handler was restarted between two attempts."
        yield _counter("jobs_maybe_twice", about, [], [((), metrics.jobs_maybe_twice)])
        about = "Missed runs that were left out, at least: of those of a schedule the latest 1,000 are made up for."
        yield _counter("runs_left_out", about, [], [((), self._service.runs_left_out)])
        yield _gauge("jobs_running", "Jobs that are being called.", now.health.running_jobs)
        if now.waiting is not None:
            yield _gauge("jobs_waiting", "Jobs that wait to be called: the depth of the queue.", now.waiting)
        yield _histogram("call_seconds", "Attempts at a handler.", ["handler"], [
            ((handler,), spread) for handler, spread in sorted(metrics.calls.items())
        ])  # fmt: skip
        about = "From when a job was due, or accepted, to when it was begun."
        yield _histogram("job_lateness_seconds", about, [], [((), metrics.lateness)])

    def _requests(self) -> Iterator[Metric]:
        metrics = self._metrics
        about = "HTTP requests, by verb, route and status."
        yield _counter("http_requests", about, ["method", "route", "status"], [
            ((verb, route, str(status)), count) for (verb, route, status), count in sorted(metrics.requests.items())
        ])  # fmt: skip
        yield _histogram("http_request_seconds", "How long HTTP requests took, by route.", ["route"], [
            ((route,), spread) for route, spread in sorted(metrics.request_seconds.items())
        ])  # fmt: skip
        crowd = self._crowd
        yield _gauge("http_connections", "HTTP connections that are open.", crowd.open)
        yield _gauge("http_connections_idle", "HTTP connections without a whole request.", crowd.idle)
        yield _gauge("http_connections_most", "HTTP connections that there can be.", crowd.most)
        about = "HTTP connections that found no place and were closed at once."
        yield _counter("http_connections_refused", about, [], [((), crowd.refused)])
        about = "Silent HTTP connections that were closed to make room for new ones."
        yield _counter("http_connections_displaced", about, [], [((), crowd.displaced)])
        yield _gauge("event_readers", "Readers of the event stream.", self._stream.readers)
        yield _counter("events", "Events that were told.", [], [((), self._stream.number)])

    def _store(self) -> Iterator[Metric]:
        database: Any = self._service.storage
        yield _counter("store_commits", "Transactions of the store.", [], [((), database.commits)])
        about = "Transactions that were tried again, because the store was locked, full or not to be reached."
        yield _counter("store_retries", about, [], [((), database.retries)])
        yield _histogram("store_commit_seconds", "How long transactions took.", [], [((), self._metrics.commits)])
        about = "Rows of the store that cannot be read and are passed over, by their kind."
        yield _gauges("store_unreadable", about, "kind", self._service.unreadable_rows())
        yield _gauge("store_busy", "1 while the store does not take a write.", int(database.trouble is not None))

    def _registrations(self) -> Iterator[Metric]:
        now = self._now
        assert now is not None
        yield _gauge("handlers_connected", "Handlers that were heard of lately.", now.connected)
        yield _gauge("handlers_known", "Handlers that have registered and were not forgotten.", now.known)
        for name, count in sorted(self._service.registration_counts().items()):
            yield _counter(f"registration_{name}", f"The registration server's count of {name}.", [], [((), count)])

    def _server(self) -> Iterator[Metric]:
        now = self._now
        assert now is not None
        yield _gauge("up", "1 if every part works.", int(now.health.ok))
        yield _gauge("uptime_seconds", "Since the service was started.", now.health.uptime)
        about = "Deaths of the scheduler's loop that were survived."
        yield _counter("scheduler_restarts", about, [], [((), now.health.scheduler_restarts)])


def _counter(name: str, about: str, labels: list[str], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(PREFIX + name, about, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def _gauge(name: str, about: str, value: float) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(PREFIX + name, about, value=value)


def _gauges(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(PREFIX + name, about, labels=[label])
    for kind, value in sorted(values.items()):
        family.add_metric([kind], value)
    return family


def _histogram(name: str, about: str, labels: list[str], values: Iterable[tuple[tuple[str, ...], Spread]]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(PREFIX + name, about, labels=labels)
    for label_values, spread in values:
        family.add_metric(label_values, spread.cumulated(), spread.sum)
    return family
