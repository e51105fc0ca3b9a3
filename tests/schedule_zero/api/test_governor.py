"""GET /api/governor and restarts of handlers, with and without a governor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from schedule_zero.errors import UnknownHandler
from schedule_zero.governor_link import GovernorLink, GovernorSilent
from schedule_zero.governor_runtime import GovernorRuntime
from schedule_zero.pidfile import PidRecord

pytestmark = pytest.mark.integration

SERVICE = {
    "name": "server", "status": "running", "pid": 7, "ready": True, "uptime": 1.5, "restart_count": 0,
    "last_error": None, "exit_code": None, "address": "tcp://127.0.0.1:1",
}  # fmt: skip


class Kept(GovernorLink):
    """A link to a governor that keeps ``till``, and says no more about ``mute``."""

    async def find(self) -> GovernorRuntime | None:
        """A governor with a pid."""
        return GovernorRuntime(PidRecord(6, 1.0), "tcp://127.0.0.1:1", None, None)

    async def status(self, governor: GovernorRuntime) -> dict[str, dict[str, Any]]:
        """The server, and a handler that has crashed."""
        return {"server": SERVICE, "till": SERVICE | {"name": "till", "status": "crashed", "last_error": "exit code 7"}}

    async def restart_handler(self, handler_id: str) -> bool:
        """As the real one, for the three handlers."""
        if handler_id == "mute":
            raise GovernorSilent("the governor did not answer restart_handler within 60 s")
        if handler_id != "till":
            raise UnknownHandler(f"no handler {handler_id!r}")
        return True


@pytest.fixture
def governed(server: Any) -> Iterator[None]:
    """The server has a governor."""
    none = server.context.governor
    server.context.governor = Kept()
    yield
    server.context.governor.close()
    server.context.governor = none


def test_where_no_governor_runs_that_is_said(api: Any) -> None:
    """GET tells it, and an order to it is a conflict: there is nobody to carry it out."""
    assert api.ask("GET", "/api/governor").body == {"running": False, "pid": None, "services": []}
    answer = api.ask("POST", "/api/governor/handlers/till/restart")
    assert (answer.status, answer.body["detail"]) == (
        409,
        "no governor runs this server, so there is nobody to restart a handler",
    )


def test_what_the_governor_keeps_is_told(api: Any, governed: None) -> None:
    """Its pid, and each of its processes with its status and how it last ended."""
    body = api.ask("GET", "/api/governor").body
    assert (body["running"], body["pid"]) == (True, 6)
    assert body["services"][0] == SERVICE
    assert [(s["name"], s["status"], s["last_error"]) for s in body["services"][1:]] == [
        ("till", "crashed", "exit code 7")
    ]


def test_a_handler_is_restarted_by_the_governor(api: Any, governed: None) -> None:
    """It answers when the handler is ready."""
    answer = api.ask("POST", "/api/governor/handlers/till/restart")
    assert (answer.status, answer.body) == (200, {"handler_id": "till", "ready": True})


@pytest.mark.parametrize(
    ("handler", "status", "detail"),
    [
        ("nobody", 404, "no handler 'nobody'"),
        ("mute", 503, "the governor did not answer restart_handler within 60 s"),
    ],
)
def test_a_restart_that_does_not_come_about_is_told(
    api: Any, governed: None, handler: str, status: int, detail: str
) -> None:
    """A handler that the governor does not keep is not found; a governor that is silent, unavailable."""
    answer = api.ask("POST", f"/api/governor/handlers/{handler}/restart")
    assert (answer.status, answer.body["detail"]) == (status, detail)
