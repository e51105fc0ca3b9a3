"""`RegistryKeeper`: a file that cannot be written, and connections that do not close."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

import pytest

from schedule_zero import registry_keeper
from schedule_zero.client_pool import ClientPool
from schedule_zero.errors import Disconnected
from schedule_zero.registry_keeper import RegistryKeeper

pytestmark = pytest.mark.unit


class Stuck:
    """A pool whose connections are lent out, and do not close when they should."""

    handler_id = "h"
    open_clients = 1

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.closed: list[bool] = []

    def close(self, *, interrupt: bool) -> None:
        """Fail, or note how it was closed."""
        self.closed.append(interrupt)
        if self.error is not None:
            raise self.error


def pool(stuck: Stuck) -> ClientPool:
    """It in the place of a pool."""
    return cast("ClientPool", stuck)


def test_a_file_that_cannot_be_written_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Each failure is counted and told, with when it is tried again; the last one writes what is true by then."""
    written: list[Any] = []

    def save(path: Path, handlers: Any) -> None:
        written.append(handlers)
        if len(written) < 3:
            raise OSError("no space left on device")

    monkeypatch.setattr(registry_keeper, "save_handlers", save)
    monkeypatch.setattr(registry_keeper, "_RETRY_FIRST", 0.02)
    truth: list[Any] = ["old"]
    keeper = RegistryKeeper(tmp_path / "registry.yaml", lambda: list(truth))
    keeper._retry = 0.02
    with caplog.at_level(logging.WARNING):
        keeper.changed()
        until(lambda: keeper.failed_saves == 1, "the first failure")
        truth[0] = "new"
        until(lambda: len(written) == 3, "the third attempt")
        assert keeper.close(5.0)
    assert (written[0], written[2], keeper.failed_saves) == (["old"], ["new"], 2)
    assert "not written (no space left on device); trying again in 0.0 s" in caplog.text
    assert keeper._retry == 0.02


def test_connections_that_do_not_close_hold_up_nothing(until: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is told whose they are, the next ones are closed, and at the end all that are still lent out once more."""
    keeper = RegistryKeeper(None, list)
    bad, good = Stuck(Disconnected("a call held the socket")), Stuck()
    keeper.retire(pool(bad), interrupt=False)
    keeper.retire(pool(good), interrupt=False)
    until(lambda: good.closed == [False], "the pool behind the one that fails")
    assert keeper.close(5.0)
    assert (bad.closed, good.closed) == ([False, True], [False, True])
    assert "connections to handler h did not close: a call held the socket" in caplog.text


def test_without_a_file_nothing_is_written_and_no_thread_is_made() -> None:
    """A change costs nothing then, and there is nothing to wait for at the end."""
    keeper = RegistryKeeper(None, lambda: pytest.fail("nobody asked for the handlers"))
    keeper.changed()
    keeper.save()
    assert keeper._thread is None
    assert keeper.close(0.0)
