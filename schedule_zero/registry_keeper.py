"""The registry's slow work, done by a thread of its own: writing its file, closing its connections.

Registrations arrive in an event loop, and neither an fsync nor a call that is being interrupted may hold that
up.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from schedule_zero.client_pool import ClientPool
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.registry_file import StoredHandler, save_handlers

logger = logging.getLogger(__name__)

_RETRY_FIRST: Final = 0.5
_RETRY_LAST: Final = 30.0


class RegistryKeeper:
    """Writes `handlers()` to `path` after each `changed`, coalescing bursts; closes pools given to `retire`.

    A file that cannot be written is retried for as long as it takes (every 0.5 s, then slower, to 30 s), and
    counted in `failed_saves`. The thread is started when there is first something to do.
    """

    def __init__(self, path: Path | None, handlers: Callable[[], list[StoredHandler]]) -> None:
        self.failed_saves = 0
        self._path = path
        self._handlers = handlers
        self._file_lock = threading.Lock()
        self._wake = threading.Condition()
        self._retired: list[tuple[ClientPool, bool]] = []
        self._draining: list[ClientPool] = []
        self._save_at: float | None = None
        self._retry = _RETRY_FIRST
        self._closing = False
        self._thread: threading.Thread | None = None

    def changed(self) -> None:
        """The handlers have changed: write them soon."""
        if self._path is None:
            return
        with self._wake:
            self._save_at = time.monotonic()
            self._rouse()

    def retire(self, pool: ClientPool, *, interrupt: bool) -> None:
        """Close this pool soon; with `interrupt`, the calls under way on it too."""
        with self._wake:
            self._retired.append((pool, interrupt))
            self._rouse()

    def save(self) -> None:
        """Write the file now, in the caller's thread.

        Raises:
            OSError: it cannot be written.
        """
        if self._path is None:
            return
        with self._file_lock:
            save_handlers(self._path, self._handlers())

    def close(self, timeout: float) -> bool:
        """Finish what is to be done and end the thread; False when that took longer than `timeout` seconds."""
        with self._wake:
            self._closing = True
            thread = self._thread
            self._wake.notify()
        if thread is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _rouse(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="registry-keeper", daemon=True)
            self._thread.start()
        self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wait()
                retired, self._retired = self._retired, []
                closing = self._closing
                due = self._save_at is not None and (closing or time.monotonic() >= self._save_at)
                if due:
                    self._save_at = None
            for pool, interrupt in retired:
                self._close(pool, interrupt)
            if due:
                self._try_to_save()
            if closing and not retired:
                for pool in self._draining:
                    self._close(pool, interrupt=True)
                return

    def _wait(self) -> None:
        while not (self._retired or self._closing):
            if self._save_at is None:
                # An hour is "until something happens", with a deadline all the same.
                self._wake.wait(3600.0)
                continue
            left = self._save_at - time.monotonic()
            if left <= 0:
                return
            self._wake.wait(left)

    def _close(self, pool: ClientPool, interrupt: bool) -> None:
        try:
            pool.close(interrupt=interrupt)
        except ScheduleZeroError as error:
            logger.warning("connections to handler %s did not close: %s", pool.handler_id, error)
        # Clients that are still lent out keep the context busy: they must be known when it is to end.
        self._draining = [draining for draining in (*self._draining, pool) if draining.open_clients]

    def _try_to_save(self) -> None:
        try:
            self.save()
        except OSError as error:
            self.failed_saves += 1
            logger.warning("handler registry not written (%s); trying again in %.1f s", error, self._retry)
            with self._wake:
                if self._save_at is None:
                    self._save_at = time.monotonic() + self._retry
            self._retry = min(self._retry * 2, _RETRY_LAST)
        else:
            self._retry = _RETRY_FIRST
