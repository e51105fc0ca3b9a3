"""The governor of this server's deployment, asked without holding up the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from schedule_zero.call_threads import CallThreads
from schedule_zero.errors import ConfigError, RemoteError, ScheduleZeroError, TransportError, UnknownHandler
from schedule_zero.governor_runtime import GovernorRuntime, read_governor
from schedule_zero.wire import ErrorCode
from schedule_zero.zmq_client import ZMQClient

__all__ = ["GovernorLink", "GovernorSilent", "NotGoverned"]

T = TypeVar("T")
#: Milliseconds in which a governor answers a question.
_QUESTION_MS = 2_000
#: Milliseconds that a restart of a handler may take: it may have to be stopped by force, and to start slowly.
_RESTART_MS = 60_000
#: Questions and orders at the same time.
_THREADS = 4


class NotGoverned(ScheduleZeroError):
    """No governor runs this server."""


class GovernorSilent(ScheduleZeroError):
    """The governor is there and did not answer in time."""


class GovernorLink:
    """Finds the governor by `directory`, the deployment's folder with its ``governor.json``; None: there is none.

    Example::

        link = GovernorLink(Path("deployments/shop"))
        services = await link.status()
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._threads = CallThreads("governor", _THREADS)
        self._waiting = 0

    async def find(self) -> GovernorRuntime | None:
        """The governor that runs; None when none does."""
        directory = self._directory
        if directory is None:
            return None
        return await self._in_thread(lambda: read_governor(directory / "governor.json"))

    async def status(self, governor: GovernorRuntime) -> dict[str, dict[str, Any]]:
        """Every service of the governor by name. Raises `GovernorSilent`."""
        answer = await self._order(governor, "status", None, _QUESTION_MS)
        return dict(answer)

    async def restart_handler(self, handler_id: str) -> bool:
        """Restart a handler; True when it is ready again, False when it has not come up in its time.

        Raises `NotGoverned`, `UnknownHandler` for one that the governor does not run, `GovernorSilent`.
        """
        governor = await self.find()
        if governor is None:
            raise NotGoverned("no governor runs this server, so there is nobody to restart a handler")
        return bool(await self._order(governor, "restart_handler", {"handler_id": handler_id}, _RESTART_MS))

    def close(self) -> None:
        """Let the threads end; does not wait for answers."""
        self._threads.close()

    async def _order(self, governor: GovernorRuntime, method: str, params: dict[str, Any] | None, timeout: int) -> Any:
        try:
            return await self._in_thread(lambda: _ask(governor, method, params, timeout))
        except RemoteError as error:
            if error.code == ErrorCode.UNKNOWN_HANDLER:
                raise UnknownHandler(str(error)) from None
            raise GovernorSilent(f"the governor refused {method}: {error}") from None
        except ConfigError as error:
            raise GovernorSilent(f"the governor cannot be asked: {error}") from None
        except (TransportError, OSError) as error:
            raise GovernorSilent(f"the governor did not answer {method} within {timeout / 1000:g} s") from error

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= 4 * _THREADS:
            raise GovernorSilent("too many orders wait for the governor already")
        self._waiting += 1
        try:
            return await asyncio.shield(self._threads.run(work))
        finally:
            self._waiting -= 1


def _ask(governor: GovernorRuntime, method: str, params: dict[str, Any] | None, timeout: int) -> Any:
    client = ZMQClient(governor.control, timeout=timeout, secure=governor.secure())
    try:
        return client.call(method, params)
    finally:
        client.terminate()
