"""GET /api/governor and restarts of handlers, with and without a governor."""

from __future__ import annotations

from typing import Any

import pytest

from schedule_zero.errors import UnknownHandler
from schedule_zero.governor_link import GovernorSilent
from schedule_zero.governor_runtime import GovernorRuntime

pytestmark = pytest.mark.integration

SERVICE = {
    "name": "server", "status": "running", "pid": 7, "ready": True, "uptime": 1.5, "restart_count": 0,
    "last_error": None, "exit_code": None, "address": "tcp://127.0.0.1:1",
}  # fmt: skip


@pytest.fixture
def governed(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The server's link to a governor that keeps ``till``, and says no more about ``mute``."""
    link = server.context.governor

    class Record:
        pid = 6

    class Governor:
        record = Record()

    async def find() -> Any:
        return Governor()

    async def status(governor: GovernorRuntime) -> dict[str, Any]:
        return {"server": SERVICE, "till": SERVICE | {"name": "till", "status": "crashed", "last_error": "exit code 7"}}

    async def restart(handler_id: str) -> bool:
        if handler_id == "mute":
            raise GovernorSilent("the governor did not answer restart_handler within 60 s")
        if handler_id != "till":
            raise UnknownHandler(f"no handler {handler_id!r}")
        return True

    for name, method in {"find": find, "status": status, "restart_handler": restart}.items():
        monkeypatch.setattr(link, name, method)
    return link


def test_where_no_governor_runs_that_is_said(api: Any) -> None:
    """GET tells it, and an order to it is a conflict: there is nobody to carry it out."""
    assert api.ask("GET", "/api/governor").body == {"running": False, "pid": None, "services": []}
    answer = api.ask("POST", "/api/governor/handlers/till/restart")
    assert (answer.status, answer.body["detail"]) == (
        409,
        "no governor runs this server, so there is nobody to restart a handler",
    )


def test_what_the_governor_keeps_is_told(api: Any, governed: Any) -> None:
    """Its pid, and each of its processes with its status and how it last ended."""
    body = api.ask("GET", "/api/governor").body
    assert (body["running"], body["pid"]) == (True, 6)
    assert body["services"][0] == SERVICE
    assert [(s["name"], s["status"], s["last_error"]) for s in body["services"][1:]] == [
        ("till", "crashed", "exit code 7")
    ]


@pytest.mark.parametrize(("handler", "status"), [("till", 200), ("nobody", 404), ("mute", 503)])
def test_a_handler_is_restarted_by_the_governor(api: Any, governed: Any, handler: str, status: int) -> None:
    """It answers when it is ready; one that it does not keep is not found; a governor that is silent, unavailable."""
    answer = api.ask("POST", f"/api/governor/handlers/{handler}/restart")
    assert answer.status == status
    if status == 200:
        assert answer.body == {"handler_id": "till", "ready": True}
    else:
        assert handler in answer.body["detail"] or "did not answer" in answer.body["detail"]
