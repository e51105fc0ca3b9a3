"""The messages of sd_notify(3), to a socket that is not systemd's."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedule_zero.sd_notify import Notifier

pytestmark = pytest.mark.governor


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """The socket of a manager, and its name as NOTIFY_SOCKET has it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@sz-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name[1:] if name.startswith("@") else name)
        receiver.settimeout(5.0)
        yield receiver, name


def test_each_message_is_one_datagram(manager: tuple[socket.socket, str]) -> None:
    """State and status as lines, over a path and over an abstract name."""
    receiver, name = manager
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": name})

    sent = [notifier.ready("2 of 2\nare ready"), notifier.alive(), notifier.status("so so"), notifier.stopping()]

    assert sent == [True] * 4
    assert [receiver.recv(1000) for _ in range(4)] == [
        b"READY=1\nSTATUS=2 of 2 are ready", b"WATCHDOG=1", b"STATUS=so so", b"STOPPING=1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_a_watchdog_is_wanted_of_the_process_it_names(env: dict[str, str], seconds: float | None) -> None:
    """The time is in seconds; one meant for another process (a parent's environment), or unreadable, is none."""
    assert Notifier.from_environment({"NOTIFY_SOCKET": "/x", **env}).watchdog == seconds


@pytest.mark.parametrize("env", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_a_socket_nobody_is_told(env: dict[str, str]) -> None:
    """Outside of systemd every message is a no-op, and there is no watchdog."""
    notifier = Notifier.from_environment({**env, "WATCHDOG_USEC": "1000000"})

    assert (notifier.ready(), notifier.stopping(), notifier.alive(), notifier.watchdog) == (False, False, False, None)


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A message that cannot be sent is logged; the service goes on."""
    assert Notifier(str(tmp_path / "nobody")).ready() is False
    assert "systemd cannot be told READY=1: " in caplog.text
