"""The broker of a service: listeners hear every event in order, whatever one of them does."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from apscheduler import Event, SchedulerStarted, SchedulerStopped

from schedule_zero.brokers import LastingBroker

pytestmark = pytest.mark.unit


def test_listeners_hear_at_once_and_in_order(caplog: pytest.LogCaptureFixture) -> None:
    """Each event has been heard when it is published; one that raises is logged, and holds up neither the next
    listener nor subscribers.
    """
    heard: list[str] = []
    subscribed: list[str] = []

    def fail(_: Event) -> None:
        raise ValueError("no luck")

    async def live() -> None:
        broker: Any = LastingBroker()
        broker.listen(fail)
        broker.listen(lambda event: heard.append(type(event).__name__))
        broker.subscribe(lambda event: subscribed.append(type(event).__name__))
        async with AsyncExitStack() as stack:
            await broker.open(stack)
            await broker.publish(SchedulerStarted())
            assert heard == ["SchedulerStarted"]
            await broker.publish(SchedulerStopped())

    asyncio.run(live())
    assert heard == subscribed == ["SchedulerStarted", "SchedulerStopped"]
    assert caplog.messages.count("a listener failed at SchedulerStarted") == 1
