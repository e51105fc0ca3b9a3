"""Command lines of children, and the governor's words about them."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from schedule_zero.deployment import Deployment, ServiceConfig
from schedule_zero.governor_base import HandlerConfig
from schedule_zero.launch import environment, handler_command, pinned, server_command

pytestmark = [pytest.mark.unit, pytest.mark.governor]
SERVICE = ServiceConfig(deployment="shop", zmq_host="0.0.0.0", zmq_port=4242, http_port=8888)


def test_a_handler_is_told_who_it_is_and_where_to_register() -> None:
    """Module, class, id, own address, the server's reachable address, and its own settings as JSON."""
    command = handler_command(HandlerConfig("mail", "shop.mail", "Mail", sender="me"), SERVICE, 5555)

    assert command == [
        *(sys.executable, "-m", "schedule_zero.handler"),
        *("--module", "shop.mail", "--class", "Mail", "--handler-id", "mail"),
        *("--host", "0.0.0.0", "--port", "5555", "--server", "tcp://127.0.0.1:4242"),
        *("--config-json", '{"sender": "me"}'),
    ]


def test_a_handler_registers_with_the_peers_of_its_server_too() -> None:
    """Servers that share a store can each call it: their addresses follow the server's own."""
    service = dataclasses.replace(SERVICE, peers=("tcp://east:4242", "tcp://west:4242"))
    command = handler_command(HandlerConfig("mail", "shop.mail", "Mail"), service, 5555)

    assert command[command.index("--server") + 1] == "tcp://127.0.0.1:4242,tcp://east:4242,tcp://west:4242"


def test_a_server_is_told_its_deployment_and_where_to_report() -> None:
    """Name, configuration in force, runtime file."""
    command = server_command(Deployment("shop", Path("/d"), SERVICE), Path("/d/c.json"), Path("/d/r.json"))

    assert command == [
        *(sys.executable, "-m", "schedule_zero.server", "--deployment", "shop"),
        *("--config", "/d/c.json", "--runtime-file", "/d/r.json"),
    ]


def test_children_inherit_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of the governor's environment is there unchanged, and the deployment's variables are right."""
    monkeypatch.setenv("SHOP_SECRET", "s3cret")
    monkeypatch.setenv("SCHEDULEZERO_PORT", "1")

    env = environment(SERVICE)

    assert (env["SHOP_SECRET"], env["SCHEDULEZERO_PORT"], env["SCHEDULEZERO_ZMQ_PORT"]) == (
        "s3cret",
        "8888",
        "4242",
    )


def test_ports_are_pinned_and_nothing_else() -> None:
    """The deployment that children see differs in its ports only."""
    before = Deployment("shop", Path("/d"), ServiceConfig(deployment="shop", lease=7.0))

    after = pinned(before, 1, 2)

    assert (after.service.http_port, after.service.zmq_port, after.service.lease) == (1, 2, 7.0)
    assert pinned(after, 0, 0) == before
