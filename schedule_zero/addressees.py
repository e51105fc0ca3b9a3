"""Whom requests are for: a handler that is known here, with the method that is wanted.

What a handler can do is what its registration said, so it is asked once, when a request arrives. A job that was
accepted keeps its word: it is tried even if a later version of the handler has other methods.
"""

from __future__ import annotations

from collections.abc import Callable

from schedule_zero.errors import UnknownHandler
from schedule_zero.handler_registry import HandlerRecord, HandlerStatus
from schedule_zero.idempotency import fingerprint
from schedule_zero.refusals import UnknownMethod
from schedule_zero.requests import NewSchedule, RunNow
from schedule_zero.scheduler import handler_task
from schedule_zero.store import JobStore

__all__ = ["Addressees"]


class Addressees:
    """Lets requests pass that somebody can carry out.

    `find` is the registry's look-up (raises `UnknownHandler`), `limit` how many jobs of one handler run at once.
    """

    def __init__(self, store: JobStore, find: Callable[[str], HandlerRecord], limit: int) -> None:
        self._store = store
        self._find = find
        self._limit = limit

    async def admit(self, request: RunNow | NewSchedule, key: str | None) -> str | None:
        """Make sure that the store has the handler's task; answers None for a request to be accepted.

        A request whose method is unknown by now may be the repetition, under its idempotency key, of one that was
        accepted: then it answers what that one got. Raises `UnknownHandler`, `UnknownMethod`,
        `IdempotencyConflict`.
        """
        await self._know(request.handler_id)
        try:
            self._check_method(request.handler_id, request.job_method)
        except UnknownMethod:
            earlier = await self._store.find_accepted(key, fingerprint(request)) if key else None
            if earlier is None:
                raise
            return earlier
        return None

    async def _know(self, handler_id: str) -> None:
        task = handler_task(handler_id, self._limit)
        if self._store.has_task(task):
            return
        if not self._store.has_task_id(task.id) and not self._store.elsewhere(handler_id):
            try:
                self._find(handler_id)
            except UnknownHandler:
                raise UnknownHandler(f"no handler {handler_id!r} has ever registered here") from None
        await self._store.add_task(task)

    def _check_method(self, handler_id: str, method: str) -> None:
        try:
            record = self._find(handler_id)
        except UnknownHandler:
            return  # forgotten, though its task is known: it may register again before the job is due
        # One that is away may come back as a newer version; one that told no methods answers for itself.
        if record.status is HandlerStatus.CONNECTED and record.methods and method not in record.methods:
            raise UnknownMethod(handler_id, method, record.methods)
