"""Orders to a governor: what is understood, what is refused, and what the file says."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from schedule_zero.deployment import load_deployment
from schedule_zero.errors import RemoteError
from schedule_zero.governor_control import ControlServer
from schedule_zero.governor_runtime import read_governor
from schedule_zero.process_governor import ProcessGovernor
from schedule_zero.zmq_client import ZMQClient

pytestmark = [pytest.mark.integration, pytest.mark.governor]


@pytest.fixture
def stopped() -> list[bool]:
    """Has an entry for each order to stop."""
    return []


@pytest.fixture
def control(tmp_path: Path, stopped: list[bool]) -> Iterator[ControlServer]:
    """The control address of a governor that governs nothing yet, with a configuration file of one handler."""
    (tmp_path / "t.yaml").write_text("handlers: [{handler_id: h1, module: m, class: C}]\n")
    deployment = load_deployment("t", tmp_path / "t.yaml", env={}, root=tmp_path / "root")
    server = ControlServer(ProcessGovernor(deployment), lambda: stopped.append(True))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(control: ControlServer) -> Iterator[ZMQClient]:
    """A client of that address."""
    client = ZMQClient(control.address, timeout=5000)
    yield client
    client.terminate()


def test_the_file_says_where_orders_are_taken(control: ControlServer) -> None:
    """`governor.json` names this process and the address, and goes at the stop."""
    path = control.governor.deployment.directory / "governor.json"

    running = read_governor(path)
    assert running is not None
    assert (running.record.pid, running.control, running.http_url) == (os.getpid(), control.address, None)

    control.stop()
    assert (path.exists(), read_governor(path)) == (False, None)


def test_it_listens_on_loopback_only(control: ControlServer) -> None:
    """Orders come from this machine."""
    assert control.address.startswith("tcp://127.0.0.1:")


def test_questions_are_answered(client: ZMQClient) -> None:
    """ping, status, health and metrics answer for a governor that is stopped, too."""
    assert client.ping()
    assert {name: info["status"] for name, info in client.call("status").items()} == {
        "server": "stopped",
        "h1": "stopped",
    }
    assert client.call("health") == {"server": False, "h1": False}
    assert client.call("metrics")["total_services"] == 2


def test_a_stop_is_passed_on(client: ZMQClient, stopped: list[bool]) -> None:
    """The order to stop reaches whoever runs the governor, and is acknowledged."""
    assert client.call("stop") is True
    assert stopped == [True]


def test_handlers_come_from_the_file_alone(client: ZMQClient, control: ControlServer, tmp_path: Path) -> None:
    """An order cannot say what a handler is: its id is looked up in the file, the rest is ignored."""
    evil = {"handler_id": "h2", "module_path": "os", "class_name": "system", "module": "os"}
    with pytest.raises(RemoteError, match=r"handler 'h2' is not in .*t\.yaml"):
        client.call("add_handler", evil)
    assert control.governor.list_handlers() == ["h1"]

    (tmp_path / "t.yaml").write_text("handlers: [{handler_id: h2, module: mine, class: Good}]\n")
    assert client.call("add_handler", evil) is True

    assert control.governor.list_handlers() == ["h1", "h2"]
    assert control.governor._configs["h2"].module_path == "mine"
    assert client.call("remove_handler", {"handler_id": "h2"}) is True
    assert client.call("remove_handler", {"handler_id": "h2"}) is False


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("rm", {}, "unknown_method"),
        ("_run", {}, "unknown_method"),
        ("add_handler", {}, "bad_params"),
        ("restart_handler", {"handler_id": 7}, "bad_params"),
        ("restart_handler", {"handler_id": "nope"}, "unknown_handler"),
    ],
)
def test_wrong_orders_are_refused(method: str, params: dict[str, object], code: str, client: ZMQClient) -> None:
    """Each refusal has a code, and the next order is taken."""
    with pytest.raises(RemoteError) as caught:
        client.call(method, params)

    assert caught.value.code == code
    assert client.ping()


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"method": 7}', b"[" * 100_000])
def test_garbage_does_not_end_it(body: bytes, control: ControlServer, client: ZMQClient) -> None:
    """Whatever is sent gets an error, and the next order is taken."""
    with zmq.Context() as context, context.socket(zmq.REQ) as raw:
        raw.linger = 0
        raw.connect(control.address)
        raw.send(body)
        assert raw.poll(5000) == zmq.POLLIN
        assert b'"success":false' in raw.recv()

    assert client.ping()


class _SlowGovernor(ProcessGovernor):
    """A governor whose handlers take long to restart."""

    release: threading.Event

    def restart_handler(self, handler_id: str, timeout: float = 10.0) -> bool:
        return self.release.wait(timeout)


def test_a_status_does_not_wait_for_a_slow_order(tmp_path: Path) -> None:
    """While one client's restart takes its time, another's status is answered."""
    governor = _SlowGovernor(load_deployment("t", env={}, root=tmp_path))
    governor.release = threading.Event()
    control = ControlServer(governor, lambda: None)
    control.start()
    slow, quick = (ZMQClient(control.address, timeout=15_000) for _ in range(2))
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(slow.call("restart_handler", {"handler_id": "h1"})))
    try:
        thread.start()

        assert "server" in quick.call("status")
        assert answers == []
    finally:
        governor.release.set()
        thread.join(10.0)
        slow.terminate()
        quick.terminate()
        control.stop()
    assert answers == [True]
