"""The event broker of a service, which outlives every incarnation of its scheduler."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from logging import Logger
from typing import Any, cast
from uuid import UUID

from apscheduler import Event, JobAdded, ScheduleUpdated
from apscheduler.eventbrokers.local import LocalEventBroker

__all__ = ["LastingBroker"]

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class LastingBroker(LocalEventBroker):  # type: ignore[misc, unused-ignore]
    """A broker that lives as long as the service, over all incarnations of the scheduler."""

    def __init__(self) -> None:
        super().__init__()
        self._listeners: list[Callable[[Event], None]] = []

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Have `listener` called with every event, at once and in order.

        A subscriber costs a task an event, which is a fifth of what a job costs in all; a listener costs a call. It
        must not take long, and what it raises is logged.
        """
        self._listeners.append(listener)

    async def publish_local(self, event: Event) -> None:
        """Tell listeners, then subscribers."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                logging.getLogger(__name__).exception("a listener failed at %s", type(event).__name__)
        await super().publish_local(event)

    async def open(self, stack: AsyncExitStack) -> None:
        """Begin to deliver; ends with `stack`."""
        await super().start(stack, logging.getLogger(__name__))

    async def start(self, exit_stack: AsyncExitStack, logger: Logger) -> None:
        """Called by each incarnation; there is nothing left to do."""

    def nudge(self) -> None:
        """Have APScheduler's loops look at the store, without telling anybody of an event that was none.

        They sleep until an event wakes them; one that was lost on its way from another server would leave them
        asleep.
        """
        job = cast("Any", JobAdded)(job_id=UUID(int=0), task_id="", schedule_id=None)
        schedule = ScheduleUpdated(schedule_id="", task_id="", next_fire_time=_LONG_AGO)
        for subscription in list(self._subscriptions.values()):
            if not getattr(subscription.callback, "__module__", "").startswith("apscheduler."):
                continue
            for event in (job, schedule):
                if type(event) in (subscription.event_types or ()):
                    self._task_group.start_soon(self._deliver_event, subscription, cast("Event", event))
