"""What every governor inherits, shown on one that keeps a list and runs nothing."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import pytest

from schedule_zero.governor_base import (
    SERVER,
    GovernorBase,
    GovernorKind,
    HandlerConfig,
    ProcessInfo,
    ProcessStatus,
    RestartPolicy,
)

pytestmark = pytest.mark.governor


class ListGovernor(GovernorBase):
    """The smallest governor: services are names with a status."""

    def __init__(self) -> None:
        self.services = {SERVER: ProcessStatus.STOPPED, "h1": ProcessStatus.STOPPED}
        self.stops = True
        self.calls: list[Any] = []

    def start(self) -> bool:
        """All run."""
        self.calls.append("start")
        self.services = dict.fromkeys(self.services, ProcessStatus.RUNNING)
        return True

    def stop(self, timeout: float = 30.0) -> bool:
        """Told by `stops`."""
        self.calls.append(("stop", timeout))
        return self.stops

    def status(self) -> dict[str, ProcessInfo]:
        """Name and status."""
        return {name: ProcessInfo(name, None, status) for name, status in self.services.items()}

    def add_handler(self, config: HandlerConfig) -> bool:
        """It has crashed."""
        self.services[config.handler_id] = ProcessStatus.CRASHED
        return True

    def remove_handler(self, handler_id: str, timeout: float = 10.0) -> bool:
        """Forgotten."""
        return self.services.pop(handler_id, None) is not None

    def restart_handler(self, handler_id: str, timeout: float = 10.0) -> bool:
        """Known or not."""
        return handler_id in self.services

    @property
    def is_running(self) -> bool:
        """Once started."""
        return "start" in self.calls

    def get_metrics(self) -> dict[str, Any]:
        """None."""
        return {}


def test_a_restart_is_a_stop_and_a_start() -> None:
    """With the time-out given; what could not be stopped is not started on top."""
    governor = ListGovernor()

    assert governor.restart(7.0)
    governor.stops = False
    assert not governor.restart()

    assert governor.calls == [("stop", 7.0), "start", ("stop", 30.0)]


def test_handlers_are_all_services_but_the_server() -> None:
    """They are listed in the order in which they came; the server is none of them, and what is unknown is None."""
    governor = ListGovernor()
    governor.add_handler(HandlerConfig("h0", "shop", "Mail"))

    assert governor.list_handlers() == ["h1", "h0"]
    assert governor.get_handler_status("h0") == ProcessInfo("h0", None, ProcessStatus.CRASHED)
    assert (governor.get_handler_status("server"), governor.get_handler_status("x")) == (None, None)


def test_running_is_well_unless_a_governor_knows_better() -> None:
    """health_check has an entry for every service."""
    governor = ListGovernor()
    assert governor.health_check() == {"server": False, "h1": False}
    governor.start()
    governor.add_handler(HandlerConfig("h2", "shop", "Mail"))
    assert governor.health_check() == {"server": True, "h1": True, "h2": False}


def test_a_handler_has_the_documented_defaults() -> None:
    """auto_restart, three restarts, five seconds; further keywords are the handler's own."""
    config = HandlerConfig("h1", "shop.handlers", "Mail", 5000, sender="me@example.org")

    assert vars(config) == {
        "handler_id": "h1",
        "module_path": "shop.handlers",
        "class_name": "Mail",
        "port": 5000,
        "auto_restart": True,
        "max_restarts": 3,
        "restart_delay": 5.0,
        "kwargs": {"sender": "me@example.org"},
    }


def test_configurations_are_equal_when_all_of_them_is() -> None:
    """Equal ones have one hash; the text shows every setting."""
    one, same = (HandlerConfig("h1", "shop", "Mail", retries=2) for _ in range(2))
    other = HandlerConfig("h1", "shop", "Mail", retries=3)

    assert (one == same, hash(one) == hash(same), one == other, one == "h1") == (True, True, False, False)
    assert repr(one) == (
        "HandlerConfig(handler_id='h1', module_path='shop', class_name='Mail', port=0, auto_restart=True, "
        "max_restarts=3, restart_delay=5.0, kwargs={'retries': 2})"
    )


def test_what_is_known_of_a_process_does_not_change() -> None:
    """A ProcessInfo is of one moment."""
    info = ProcessInfo("h1", 4711, ProcessStatus.RUNNING)
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.pid = 1  # type: ignore[misc]
    assert (info.restart_count, info.last_error, info.exit_code, info.address, info.uptime, info.ready) == (
        0, None, None, None, 0.0, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (ProcessStatus, ["running", "stopped", "crashed", "restarting"]),
        (RestartPolicy, ["always", "on-failure", "never"]),
        (GovernorKind, ["process", "thread"]),
    ],
)
def test_statuses_are_texts_as_documented(kind: type[enum.StrEnum], texts: list[str]) -> None:
    """They stand in JSON and YAML."""
    assert [str(one) for one in kind] == texts


def test_an_incomplete_governor_cannot_be_made() -> None:
    """Every operation of the interface is required."""
    with pytest.raises(TypeError, match="abstract"):
        GovernorBase()  # type: ignore[abstract]
