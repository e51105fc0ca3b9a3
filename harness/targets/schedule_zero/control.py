"""The governor's control endpoint, spoken to with the scheduler's own client."""

from __future__ import annotations

import asyncio
from typing import Any

from harness.errors import TargetError
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.security.curve import Curve
from schedule_zero.zmq_client import ZMQClient


class Control:
    """One question, one connection, `timeout` seconds at most."""

    def __init__(self, address: str, *, timeout: float = 30.0, secure: Curve | None = None) -> None:
        self._address, self._timeout, self._secure = address, timeout, secure

    async def ask(self, method: str, **params: Any) -> Any:
        """The governor's answer; raises `TargetError` when it refuses or does not answer."""
        return await asyncio.to_thread(self._ask, method, params)

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        try:
            with ZMQClient(self._address, timeout=int(self._timeout * 1000), secure=self._secure) as client:
                return client.call(method, params)
        except ScheduleZeroError as error:
            raise TargetError(f"the governor did not carry out {method} {params}: {error}") from error
