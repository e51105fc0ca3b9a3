"""Pages where tokens are asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.requests import NewSchedule
from schedule_zero.security.scopes import Scope
from schedule_zero.security.settings import SecuritySettings
from schedule_zero.security.tokens import add_token, revoke_token
from schedule_zero.web.rules import PAGES


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of tokens."""
    return tmp_path_factory.mktemp("tokens") / "tokens.json"


@pytest.fixture(scope="module")
def held(tokens: Path) -> dict[str, str]:
    """One token of each scope, by its name."""
    return {scope.value: add_token(tokens, scope.value, scope) for scope in list(Scope)[1:]}


@pytest.fixture(scope="module")
def guarded(serve: Callable[..., Any], attach: Callable[[Any, str], Any], tokens: Path, held: dict[str, str]) -> Any:
    """A server that asks for tokens, with a handler and a schedule."""
    server = serve(SecuritySettings(tokens=tokens))
    attach(server, "till")
    every = {"type": "interval", "hours": 1}
    server.run(
        server.server.service.add_schedule(NewSchedule(handler_id="till", job_method="echo", job_id="s", trigger=every))
    )
    return server


@pytest.fixture
def stranger(guarded: Any) -> Any:
    """A browser that nobody knows yet."""
    return type(guarded.browser)(guarded.browser.port)


def test_nobody_sees_anything_without_a_token(stranger: Any) -> None:
    """Pages lead to the login and back; forms are refused; what is not there is not told."""
    for path in PAGES:
        if path not in ("/login", "/logout"):
            answer = stranger.get(path)
            assert (answer.status, answer.headers.get("location", "")[:12]) == (303, "/login?next=")
            assert stranger.post(path, {"id": "s"}).status == 401
    assert stranger.get("/nothing").status == 303
    for_programs = stranger.get("/nothing", Accept="*/*")
    assert (for_programs.status, for_programs.headers["content-type"]) == (401, "application/problem+json")
    login = stranger.get("/login")
    assert "Schedules" not in login.words
    assert stranger.get(login.page.named("link")[1]["href"]).status == 200


def test_a_token_opens_a_session_and_leads_to_the_page_that_was_wanted(stranger: Any, held: dict[str, str]) -> None:
    """With the cookie the pages are there; it can be closed again."""
    wanted = stranger.get("/schedule?id=s").headers["location"]
    opened = stranger.send(wanted, "/login", token=held["write"])
    assert (opened.status, opened.headers["location"]) == (303, "/schedule?id=s")
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in opened.headers["set-cookie"].split(";")}
    page = stranger.get("/schedule?id=s")
    assert "write (write)" in page.words
    assert stranger.send("/schedule?id=s", "/schedules/pause").status == 303
    assert stranger.send("/schedule?id=s", "/schedules/resume").status == 303
    assert stranger.send("/", "/logout").headers["location"] == "/login"
    assert stranger.get("/schedule?id=s").status == 303


@pytest.mark.parametrize("token", ["szt_wrong", "", "x" * 300, "<b>"])
def test_a_wrong_token_is_refused_beside_the_field(stranger: Any, token: str) -> None:
    """No cookie, a word, and where to go on is kept."""
    answer = stranger.send("/login?next=%2Fexecutions", "/login", token=token)
    assert answer.status in (401, 422)
    assert 'id="token-error"' in answer.text
    assert answer.page.form("/login")["next"] == "/executions"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("away", ["https://evil.example/", "//evil.example", "/\\evil.example", "/login"])
def test_a_login_leads_nowhere_else(stranger: Any, held: dict[str, str], away: str) -> None:
    """Where to go on is a path of this server, whatever a link says."""
    form = stranger.get("/login").page.form("/login") | {"next": away, "token": held["read"]}
    assert stranger.post("/login", form).headers["location"] == "/"


def test_a_form_of_another_session_is_refused(guarded: Any, stranger: Any, held: dict[str, str]) -> None:
    """The token of a form counts in the session that it was shown in alone, and one to log in must be ours."""
    before = stranger.get("/login").page.form("/login")
    assert stranger.post("/login", before | {"form_token": "0", "token": held["admin"]}).status == 403
    stranger.send("/login", "/login", token=held["write"])
    form = stranger.get("/schedule?id=s").page.form("/schedules/pause")
    other = type(guarded.browser)(guarded.browser.port)
    other.send("/login", "/login", token=held["admin"])
    assert other.post("/schedules/pause", form).status == 403
    assert stranger.post("/schedules/pause", form, Origin="null").status == 403
    assert stranger.post("/schedules/pause", form, Origin="", Sec_Fetch_Site="cross-site").status == 403
    assert not guarded.run(guarded.server.service.schedule("s")).paused


def test_who_may_only_read_is_offered_nothing_else(stranger: Any, held: dict[str, str]) -> None:
    """No button that would be refused; and refused it is."""
    stranger.send("/login", "/login", token=held["read"])
    for path in ("/", "/schedules", "/schedule?id=s", "/handlers", "/executions"):
        page = stranger.get(path).page
        assert {form["action"] for form in page.forms} <= {"/logout", "/schedules", "/executions"}
        assert "/schedules/new" not in {a["href"] for a in page.named("a")}
    token = stranger.get("/").page.form("/logout")["form_token"]
    refused = stranger.post("/schedules/pause", {"form_token": token, "id": "s"})
    assert (refused.status, "this needs write" in refused.words) == (403, True)
    assert stranger.get("/schedules/new").status == 403
    assert stranger.post("/handlers/restart", {"form_token": token, "id": "till"}).status == 403


def test_a_revoked_token_ends_its_session(stranger: Any, tokens: Path) -> None:
    """At the next page, which leads to the login."""
    stranger.send("/login", "/login", token=add_token(tokens, "brief", Scope.READ))
    assert stranger.get("/").status == 200
    revoke_token(tokens, "brief")
    assert stranger.get("/").status == 303


def test_an_open_server_has_nothing_to_log_in_to(serve: Callable[..., Any]) -> None:
    """The login leads to the dashboard, where nobody is named."""
    browser = serve().browser
    assert browser.get("/login").headers["location"] == "/"
    assert "Log out" not in browser.get("/").words
