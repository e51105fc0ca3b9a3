"""The handler that a scenario's ``mock: worker`` runs: a genuine `BaseHandler` whose work is to take time.

Its methods answer what they were given after a service time drawn from the scenario's distribution. A `handler.silent`
or `handler.slow` fault reaches it through the agent's switch ``handler``.
"""

from __future__ import annotations

import math
import random
import threading
import time
from typing import Any

from harness.agent import boot
from harness.targets.schedule_zero import calls
from schedule_zero.zmq_handler_base import BaseHandler

_Z99 = 2.3263478740408408
"""The 99th percentile of the standard normal distribution: a log-normal through p50 and p99 has sigma =
ln(p99/p50)/z."""
SWITCH = "handler"
"""The agent's switch that `handler.silent` and `handler.slow` set."""
_TICK = 0.02
"""Seconds between two looks at the switch while silent."""


class Worker(BaseHandler):
    """``work`` and ``tick`` take the service time, ``fail`` raises after it, ``sleep`` takes what it is told, and
    ``echo`` answers at once."""

    def __init__(
        self,
        handler_id: str,
        port: int = 0,
        server_address: str | None = None,
        host: str = "127.0.0.1",
        *,
        p50: float = 0.0,
        p99: float = 0.0,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(handler_id, port, server_address, host, **options)
        self._service = (p50, p99)
        self._random = random.Random(f"{seed}/{handler_id}/service")
        self._drawing = threading.Lock()
        if (agent := boot.current()) is not None:
            agent.obey(SWITCH)

    def _draw(self, p50: float, p99: float) -> float:
        """Seconds, log-normal through the two percentiles, or constant when they are equal."""
        if not 0 < p50 < p99:
            return p50
        with self._drawing:
            return p50 * math.exp(self._random.gauss(0.0, math.log(p99 / p50) / _Z99))

    def _serve(self) -> None:
        """Take the service time; longer, or until the silence is lifted, while a fault says so."""
        slower = self._slower()
        time.sleep(self._draw(*self._service) + slower)

    def _slower(self) -> float:
        """Wait as long as a fault wants silence; returns by how many seconds one wants the call to be slower."""
        slow = self._fault().get("slow", {})
        while self._fault().get("silent"):
            time.sleep(_TICK)
        return self._draw(slow["p50"], slow.get("p99", slow["p50"])) if slow else 0.0

    @staticmethod
    def _fault() -> dict[str, Any]:
        agent = boot.current()
        return (agent.switches.get(SWITCH) if agent else None) or {}

    def work(self, **params: Any) -> dict[str, Any]:
        """Take the service time and answer the parameters with the id of the request, so that no two answers are
        equal."""
        self._serve()
        result = {"done": params, "request": calls.current().request_id}
        calls.tell(params, result)
        return result

    def tick(self, **params: Any) -> dict[str, Any]:
        """The same under the name that schedules use."""
        return self.work(**params)

    def echo(self, **params: Any) -> dict[str, Any]:
        """Answer the parameters at once, or as late as a fault wants it."""
        time.sleep(self._slower())
        calls.tell(params, params)
        return params

    def sleep(self, seconds: float = 0.0) -> float:
        """Work for `seconds`, or longer if a fault wants it, and answer them."""
        time.sleep(seconds + self._slower())
        return seconds

    def fail(self, message: str = "told to fail") -> None:
        """Take the service time, then raise."""
        self._serve()
        raise RuntimeError(message)
