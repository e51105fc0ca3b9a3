"""The guard in front of a real server: what is sent is what the network would send."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.api.operations import Scope, operation_of
from schedule_zero.api.routes import ROUTES
from schedule_zero.exits import ExitCode
from schedule_zero.security.settings import SecuritySettings
from schedule_zero.security.tokens import add_token, revoke_token
from schedule_zero.server import run_server
from schedule_zero.service_config import ServiceConfig
from schedule_zero.web.rules import PAGES

pytestmark = pytest.mark.integration

OPEN = {("GET", "/api/health"), ("GET", "/api/openapi.json"), *((v, "/api/session") for v in ("GET", "POST", "DELETE"))}
VERBS = ("GET", "HEAD", "POST", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one token of each scope, named after it."""
    return tmp_path_factory.mktemp("tokens") / "tokens.json"


@pytest.fixture(scope="module")
def held(tokens: Path) -> dict[str, str]:
    """The tokens by scope."""
    return {scope.value: add_token(tokens, scope.value, scope) for scope in list(Scope)[1:]}


@pytest.fixture(scope="module")
def live(serve: Callable[[SecuritySettings], Any], tokens: Path, held: dict[str, str]) -> Any:
    """A server that asks for tokens."""
    return serve(SecuritySettings(tokens=tokens, max_body=4096))


def _path(path: str) -> str:
    return path.format(handler_id="h", job_id="j", schedule_id="s")


def test_nothing_but_what_is_meant_to_be_is_open(live: Any) -> None:
    """Every verb of every route is refused without a token, and so is what does not exist."""
    asked = [(verb, route.path) for route in ROUTES for verb in VERBS if operation_of(route.handler, verb)]
    open_to_all = OPEN | {("HEAD", path) for verb, path in OPEN if verb == "GET"}
    guarded = [one for one in asked if one not in open_to_all]
    answers = {(verb, path): live.client.ask(verb, _path(path)).status for verb, path in guarded}

    assert len(answers) > 20
    assert set(answers.values()) == {401}
    assert live.client.ask("GET", "/api/none").status == 401
    assert live.client.ask("PUT", "/api/schedules").status == 401


def test_an_answer_of_401_says_how_to_do_better(live: Any) -> None:
    """Problem details with the challenge."""
    answer = live.client.ask("GET", "/api/handlers")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="schedule_zero"'
    assert answer.body["detail"] == "this needs a token: Authorization: Bearer TOKEN"


@pytest.mark.parametrize(
    ("verb", "path", "statuses"),
    [
        ("GET", "/api/handlers", [200, 200, 200]),
        ("GET", "/metrics", [200, 200, 200]),
        ("POST", "/api/run_now", [403, 422, 422]),
        ("DELETE", "/api/schedules/none", [403, 404, 404]),
        ("DELETE", "/api/executions", [403, 403, 200]),
        ("POST", "/api/governor/handlers/h/restart", [403, 403, 409]),
        ("GET", "/api/config", [403, 403, 200]),
    ],
)
def test_scopes_are_kept(live: Any, held: dict[str, str], verb: str, path: str, statuses: list[int]) -> None:
    """Read looks, write changes jobs and schedules, admin acts on the installation."""
    body: dict[str, Any] | None = {} if verb == "POST" else None
    found = [live.client.ask(verb, path, body, token=held[scope]).status for scope in ("read", "write", "admin")]
    assert found == statuses


def test_a_token_made_or_revoked_counts_at_once(live: Any, tokens: Path) -> None:
    """Without a restart."""
    token = add_token(tokens, "short", Scope.READ)
    assert live.client.ask("GET", "/api/handlers", token=token).status == 200
    revoke_token(tokens, "short")
    assert live.client.ask("GET", "/api/handlers", token=token).status == 401


def test_a_session_for_a_browser(live: Any, held: dict[str, str]) -> None:
    """A token opens it, the cookie goes on, no script and no other site gets at it, and it can be closed."""
    origin = f"http://127.0.0.1:{live.client.port}"
    opened = live.client.ask("POST", "/api/session", {"token": held["write"]}, Origin=origin)
    assert (opened.status, opened.body) == (200, {"asked": True, "name": "write", "scope": "write"})
    crumbs = [part.strip() for part in opened.headers["set-cookie"].split(";")]
    assert crumbs[0].startswith("schedule_zero_shop=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(crumbs)
    cookie = crumbs[0]

    assert live.client.ask("GET", "/api/handlers", Cookie=cookie).status == 200
    assert live.client.ask("GET", "/api/session", Cookie=cookie).body["name"] == "write"
    assert live.client.ask("DELETE", "/api/schedules/none", Cookie=cookie, Origin=origin).status == 404
    assert live.client.ask("DELETE", "/api/schedules/none", Cookie=cookie).status == 403
    assert live.client.ask("DELETE", "/api/executions", Cookie=cookie, Origin=origin).status == 403
    assert live.client.ask("GET", "/api/handlers", Cookie=cookie[:-2]).status == 401
    closed = live.client.ask("DELETE", "/api/session", Cookie=cookie, Origin=origin)
    assert closed.status == 204
    assert 'schedule_zero_shop=""' in closed.headers["set-cookie"]
    assert live.client.ask("POST", "/api/session", {"token": "szt_wrong"}).status == 401


@pytest.mark.parametrize(
    "cookie", ["schedule_zero_shop", "schedule_zero_shop=;;=", 'schedule_zero_shop="\\377"', "a=b; " * 200]
)
def test_a_cookie_that_is_none_is_no_session(live: Any, cookie: str) -> None:
    """Whatever stands in the header, the answer is 401."""
    assert live.client.ask("GET", "/api/handlers", Cookie=cookie).status == 401


def test_a_rebound_name_is_misdirected(live: Any, held: dict[str, str]) -> None:
    """With the right token, and for what is open to all."""
    assert live.client.ask("GET", "/api/handlers", token=held["admin"], Host="evil.example").status == 421
    assert live.client.ask("GET", "/api/health", Host="evil.example:8888").status == 421


def test_a_large_body_is_refused(live: Any, held: dict[str, str]) -> None:
    """The limit is the deployment's own; before it is told of, the token is asked for."""
    body = {"handler_id": "h", "job_method": "m", "job_params": {"text": "x" * 5000}}
    answer = live.client.ask("POST", "/api/run_now", body, token=held["write"])
    size = len(json.dumps(body))
    assert (answer.status, answer.body["detail"]) == (413, f"the body has {size} bytes; at most 4096 are taken")
    assert live.client.ask("POST", "/api/run_now", body).status == 401


def test_pages_of_others_cannot_use_an_open_server(serve: Callable[[SecuritySettings], Any]) -> None:
    """On loopback without tokens: our own and programs may, a foreign page may not."""
    client = serve(SecuritySettings()).client
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):
        answer = client.ask("DELETE", "/api/schedules/none", **headers)
        assert (answer.status, "another site" in answer.body["detail"]) == (403, True)
    assert client.ask("DELETE", "/api/schedules/none").status == 404
    assert client.ask("DELETE", "/api/schedules/none", Origin=f"http://127.0.0.1:{client.port}").status == 404
    assert client.ask("GET", "/api/session").body == {"asked": False, "name": "", "scope": "admin"}
    assert client.ask("POST", "/api/session", {"token": "x"}).status == 422


def test_a_client_that_asks_too_often_waits(serve: Callable[[SecuritySettings], Any]) -> None:
    """429 with Retry-After, as problem details."""
    client = serve(SecuritySettings(rate=0.1, burst=3)).client
    answers = [client.ask("GET", "/api/handlers") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
    assert answers[-1].headers["content-type"] == "application/problem+json"


def test_the_runtime_tells_the_local_token(live: Any) -> None:
    """What the governor and the commands of the same user go by."""
    token = live.server.runtime()["token"]
    assert live.client.ask("GET", "/api/config", token=token).status == 200


@pytest.mark.parametrize(
    "config",
    [ServiceConfig(http_host="0.0.0.0"), ServiceConfig(zmq_host="0.0.0.0"), ServiceConfig(http_host="::")],
)
def test_a_server_does_not_start_in_the_open(config: ServiceConfig, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and one line that says what to do."""
    assert run_server(config) == ExitCode.CONFIG
    said = capsys.readouterr().err
    assert "can be reached from other machines" in said
    assert said.count("\n") == 1


def test_a_server_does_not_start_without_its_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is named and not there is a mistake, not an open door."""
    config = ServiceConfig(security=SecuritySettings(tokens=tmp_path / "none.json"))
    assert run_server(config) == ExitCode.CONFIG
    assert "none.json" in capsys.readouterr().err


def test_no_host_at_all(live: Any) -> None:
    """HTTP/1.0 knows no Host: no browser sends that, and a token is asked for as ever."""
    connection = http.client.HTTPConnection("127.0.0.1", live.client.port, timeout=10.0)
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"  # type: ignore[attr-defined]
    connection.putrequest("GET", "/api/handlers", skip_host=True)
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /api/run_now HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n{",
    ],
    ids=["nothing", "half a header", "half a body"],
)
def test_who_sends_slowly_is_cut_off(
    serve: Callable[[SecuritySettings], Any], monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """A connection that says nothing, or not all, does not stay for ever; others are answered meanwhile."""
    monkeypatch.setattr("schedule_zero.http_server.PATIENCE", 0.2)
    monkeypatch.setattr("schedule_zero.http_server.FIRST_PATIENCE", 0.2)
    client = serve(SecuritySettings()).client
    with socket.create_connection(("127.0.0.1", client.port), timeout=10.0) as slow:
        slow.sendall(sent)
        assert client.ask("GET", "/api/health").status == 200
        received = slow.recv(1000)
    assert received == b"" or b" 408 " in received or b" 400 " in received


def test_pages_lead_to_the_login_and_change_nothing(live: Any) -> None:
    """Without a token every page but that to log in says so, and no form is taken, whatever it holds."""
    pages = [path for path in PAGES if path not in ("/login", "/logout")]
    assert len(pages) > 5
    for path in pages:
        seen = live.client.ask("GET", path)
        assert (seen.status, seen.headers.get("location", "")[:7]) in ((303, "/login?"), (405, "")), path
        assert live.client.ask("POST", path).status == 401, path
    assert live.client.ask("POST", "/login").status == 403
    assert live.client.ask("GET", "/login").status == 200
