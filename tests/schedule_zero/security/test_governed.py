"""A governed deployment with tokens and keys: its own parts find each other, and nobody else finds them."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest

from schedule_zero.api_client import ApiClient, chosen_token, chosen_url
from schedule_zero.deployment import Deployment
from schedule_zero.errors import CallTimeout, RemoteError
from schedule_zero.governor_base import HandlerConfig
from schedule_zero.governor_client import order
from schedule_zero.governor_control import ControlServer
from schedule_zero.governor_runtime import read_governor
from schedule_zero.process_governor import ProcessGovernor, StartFailed
from schedule_zero.security.allowed_keys import revoke_key
from schedule_zero.security.curve import Curve
from schedule_zero.security.key_files import make_pair, write_pair
from schedule_zero.security.scopes import Scope
from schedule_zero.security.server_keys import ServerKeys
from schedule_zero.security.settings import SecuritySettings
from schedule_zero.security.tokens import add_token
from schedule_zero.service_config import ServiceConfig
from schedule_zero.thread_governor import ThreadGovernor
from schedule_zero.zmq_client import ZMQClient

pytestmark = pytest.mark.integration

HANDLER = """
from schedule_zero.zmq_handler_base import BaseHandler

class Echo(BaseHandler):
    def echo(self, value):
        return value
"""


@pytest.fixture
def deployment(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Tokens and keys, with the handler `h1`."""
    (tmp_path / "guarded_handlers.py").write_text(HANDLER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    add_token(tmp_path / "tokens.json", "ci", Scope.READ)
    settings = SecuritySettings(tokens=tmp_path / "tokens.json", keys=folder)
    service = ServiceConfig(deployment="t", store="memory", stop_timeout=0.5, security=settings)
    return Deployment("t", tmp_path, service, (HandlerConfig("h1", "guarded_handlers", "Echo"),))


def test_a_governor_keeps_a_guarded_deployment(deployment: Deployment) -> None:
    """It gets ready and stays healthy, by its own keys; strangers get no answer."""
    governor = ThreadGovernor(deployment)
    try:
        assert governor.start()
        assert governor.health_check(5.0) == {"server": True, "h1": True}
        runtime = governor.runtime
        assert runtime is not None
        for address in (runtime.registration_address, governor.status()["h1"].address):
            with ZMQClient(str(address), timeout=200) as stranger:
                assert not stranger.ping()
        with pytest.raises(RemoteError, match="401"):
            ApiClient(runtime.http_url).call("GET", "/api/handlers")
        assert len(ApiClient(runtime.http_url, token=runtime.token).call("GET", "/api/handlers")["handlers"]) == 1
    finally:
        governor.stop(10.0)


@pytest.mark.slow
def test_a_guarded_deployment_of_processes(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each finds its keys by what the governor tells it. Commands of the same user find a token in the runtime file,
    which nobody else can read, and show it to no other server.
    """
    monkeypatch.delenv("SCHEDULEZERO_TOKEN", raising=False)
    monkeypatch.delenv("SCHEDULEZERO_URL", raising=False)
    governor = ProcessGovernor(deployment)
    try:
        assert governor.start()
        assert governor.health_check(5.0) == {"server": True, "h1": True}
        runtime_file = tmp_path / "t" / "server.json"
        assert runtime_file.stat().st_mode & 0o777 == 0o600
        place = (None, "t", None, tmp_path)
        api = ApiClient(chosen_url(*place), token=chosen_token(*place))
        job = api.call("POST", "/api/run_now", {"handler_id": "h1", "job_method": "echo", "job_params": {"value": 1}})
        assert job["job_id"]
        assert chosen_token("http://elsewhere", "t", None, tmp_path) == ""
        logs = "".join(path.read_text() for path in (tmp_path / "t" / "logs").iterdir())
        assert json.loads(runtime_file.read_text())["token"] not in logs
    finally:
        governor.stop(10.0)


def test_a_handler_without_a_key_is_told_of(deployment: Deployment, folder: Path) -> None:
    """It does not start, and its last words say what to do; the server and others do."""
    (folder / "h1.key").unlink()
    governor = ThreadGovernor(deployment, ready_timeout=2.0)
    try:
        assert not governor.start()
        assert "schedule-zero keys make h1" in str(governor.status()["h1"].last_error)
        assert governor.health_check(5.0)["server"]
    finally:
        governor.stop(10.0)


def test_a_revoked_handler_is_not_healthy(deployment: Deployment, folder: Path) -> None:
    """Without an allowed key nobody calls it, not even to ask how it is."""
    governor = ThreadGovernor(deployment)
    try:
        assert governor.start()
        revoke_key(folder, "h1")
        assert governor.health_check(2.0) == {"server": True, "h1": False}
    finally:
        governor.stop(10.0)


def test_a_server_in_the_open_is_not_kept_starting(tmp_path: Path) -> None:
    """The refusal is a mistake in the configuration: told once, not tried again."""
    service = ServiceConfig(deployment="t", store="memory", http_host="0.0.0.0")
    governor = ThreadGovernor(Deployment("t", tmp_path, service))
    with pytest.raises(StartFailed, match="can be reached from other machines"):
        governor.start()
    assert not governor.is_running


def test_http_beyond_loopback_asks_for_tokens(tmp_path: Path) -> None:
    """With tokens a server listens everywhere, and is as closed there as on loopback."""
    token = add_token(tmp_path / "tokens.json", "ci", Scope.READ)
    settings = SecuritySettings(tokens=tmp_path / "tokens.json")
    service = ServiceConfig(deployment="t", store="memory", http_host="0.0.0.0", stop_timeout=0.5, security=settings)
    governor = ThreadGovernor(Deployment("t", tmp_path, service))
    try:
        assert governor.start()
        assert governor.runtime is not None
        port = int(governor.runtime.http_url.rpartition(":")[2])
        statuses = []
        for headers in ({}, {"Authorization": f"Bearer {token}"}):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)
            connection.request("GET", "/api/handlers", headers=headers)
            statuses.append(connection.getresponse().status)
            connection.close()
        assert statuses == [401, 200]
    finally:
        governor.stop(10.0)


def test_a_pair_that_is_not_allowed_is_of_no_use(deployment: Deployment, folder: Path) -> None:
    """A pair that nobody has allowed is no handler's: it is not ready, and the server is."""
    write_pair(folder, "h1", make_pair())
    governor = ThreadGovernor(deployment, ready_timeout=0.7)
    try:
        assert not governor.start()
        assert not governor.status()["h1"].ready
    finally:
        governor.stop(10.0)


def test_orders_to_a_governor_need_the_servers_pair(deployment: Deployment, tmp_path: Path) -> None:
    """Who finds its address and has no key gets no answer; a command that may read the keys does."""
    governor = ProcessGovernor(deployment)
    control = ControlServer(governor, lambda: None)
    control.start()
    try:
        running = read_governor(tmp_path / "t" / "governor.json")
        assert running is not None
        assert order(running, "ping") == "pong"
        with ZMQClient(running.control, timeout=200) as stranger, pytest.raises(CallTimeout):
            stranger.call("stop")
        other = Curve(make_pair(), ServerKeys(deployment.service.security.keys or tmp_path).own.public)
        with ZMQClient(running.control, timeout=200, secure=other) as stranger, pytest.raises(CallTimeout):
            stranger.call("stop")
    finally:
        control.stop()
