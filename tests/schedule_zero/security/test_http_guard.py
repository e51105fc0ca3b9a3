"""Who may send an HTTP request, judged without any HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedule_zero.errors import ConfigError
from schedule_zero.security.http_guard import HttpGuard, HttpRefusal, Principal, Request
from schedule_zero.security.scopes import Scope
from schedule_zero.security.settings import SecuritySettings
from schedule_zero.security.tokens import add_token, revoke_token

pytestmark = pytest.mark.unit


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """An empty file of tokens."""
    path = tmp_path / "tokens.json"
    add_token(path, "first", Scope.ADMIN)
    return path


def request(verb: str = "GET", token: str = "", cookie: str | None = None, **headers: str) -> Request:
    """A request of a program on this machine."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    return Request(verb, "127.0.0.1:8888", "127.0.0.1", sent, cookie)


def refusal(guard: HttpGuard, asked: Request, needed: Scope = Scope.READ) -> HttpRefusal:
    """The refusal of a request that must not be answered."""
    with pytest.raises(HttpRefusal) as told:
        guard.admit(asked, needed)
    return told.value


def test_without_tokens_this_machine_may_everything() -> None:
    """Nothing is asked for on loopback where nothing is configured."""
    guard = HttpGuard(SecuritySettings(), "127.0.0.1")
    guard.check_settings()
    assert guard.admit(request("DELETE"), Scope.ADMIN) == Principal("", Scope.ADMIN)
    assert (guard.asks, guard.local_token) == (False, "")


@pytest.mark.parametrize(
    ("scope", "status"),
    [(Scope.READ, [0, 0, 403, 403]), (Scope.WRITE, [0, 0, 0, 403]), (Scope.ADMIN, [0, 0, 0, 0])],
)
def test_a_scope_opens_what_it_includes(tokens: Path, scope: Scope, status: list[int]) -> None:
    """Each scope against each need; the refusal names both."""
    guard, token = HttpGuard(SecuritySettings(tokens=tokens), "127.0.0.1"), add_token(tokens, "me", scope)
    for needed, expected in zip(Scope, status, strict=True):
        if expected == 0:
            assert guard.admit(request(token=token), needed) == Principal("me", scope)
        else:
            told = refusal(guard, request(token=token), needed)
            assert (told.status, str(told)) == (
                403, f"token 'me' has scope {scope.value}; this needs {needed.value}",
            )  # fmt: skip
            assert f'scope="{needed.value}"' in told.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ({}, ""),
        ({"Authorization": "Bearer szt_wrong"}, "invalid_token"),
        ({"Authorization": "Basic Zm9vOmJhcg=="}, "invalid_token"),
        ({"Authorization": "Bearer"}, "invalid_token"),
        ({"Authorization": ""}, "invalid_token"),
    ],
)
def test_no_token_and_a_wrong_one_are_401(tokens: Path, header: dict[str, str], error: str) -> None:
    """With the challenge that RFC 6750 asks for; what needs no scope is open all the same."""
    guard = HttpGuard(SecuritySettings(tokens=tokens), "127.0.0.1")
    told = refusal(guard, request(**header))
    assert told.status == 401
    assert told.headers["WWW-Authenticate"].startswith('Bearer realm="schedule_zero"')
    assert (error in told.headers["WWW-Authenticate"]) is True
    assert guard.admit(request(**header), Scope.NONE) == Principal("", Scope.NONE)


def test_the_local_token_opens_everything_and_only_where_tokens_are_asked_for(tokens: Path) -> None:
    """Each server has its own; an empty one is none."""
    guard, other = (HttpGuard(SecuritySettings(tokens=tokens), "127.0.0.1") for _ in range(2))
    assert guard.admit(request(token=guard.local_token), Scope.ADMIN) == Principal("local", Scope.ADMIN)
    assert refusal(other, request(token=guard.local_token)).status == 401
    assert refusal(guard, request(Authorization="Bearer ")).status == 401


def test_a_session_is_as_good_as_its_token_for_our_own_pages(tokens: Path) -> None:
    """It reads, and writes where the request shows that our page sent it; it ends with the token."""
    guard, token = HttpGuard(SecuritySettings(tokens=tokens), "127.0.0.1"), add_token(tokens, "me", Scope.WRITE)
    cookie, who = guard.open_session(token)
    assert who == Principal("me", Scope.WRITE, by_cookie=True)
    assert guard.admit(request(cookie=cookie), Scope.READ) == who
    assert guard.admit(request("POST", cookie=cookie, Origin="http://127.0.0.1:8888"), Scope.WRITE) == who
    assert refusal(guard, request("POST", cookie=cookie), Scope.WRITE).status == 403
    assert refusal(guard, request("POST", cookie=cookie, Sec_Fetch_Site="cross-site"), Scope.WRITE).status == 403
    assert refusal(guard, request("POST", cookie=cookie, Sec_Fetch_Site="none"), Scope.ADMIN).status == 403
    revoke_token(tokens, "me")
    assert refusal(guard, request(cookie=cookie)).status == 401


def test_a_wrong_token_opens_no_session(tokens: Path) -> None:
    """Nor does any where tokens are not asked for."""
    for settings in (SecuritySettings(tokens=tokens), SecuritySettings()):
        with pytest.raises(HttpRefusal, match="not known"):
            HttpGuard(settings, "127.0.0.1").open_session("szt_wrong")


def test_a_bearer_counts_more_than_a_session(tokens: Path) -> None:
    """A wrong token is not made good by a cookie that came along."""
    guard = HttpGuard(SecuritySettings(tokens=tokens), "127.0.0.1")
    cookie, _ = guard.open_session(add_token(tokens, "me", Scope.READ))
    assert refusal(guard, request(token="szt_wrong", cookie=cookie)).status == 401


def test_another_name_is_misdirected_before_anything_else(tokens: Path) -> None:
    """A page that was rebound to us learns nothing, not even whether its token is right."""
    guard = HttpGuard(SecuritySettings(tokens=tokens), "127.0.0.1")
    rebound = Request("GET", "evil.example:8888", "127.0.0.1", {"Authorization": f"Bearer {guard.local_token}"})
    assert refusal(guard, rebound, Scope.NONE).status == 421


def test_a_foreign_page_cannot_change_anything_on_an_open_server() -> None:
    """The browser of whoever works on this machine can reach loopback; its pages cannot use it."""
    guard = HttpGuard(SecuritySettings(), "127.0.0.1")
    told = refusal(guard, request("POST", Origin="https://evil.example"), Scope.WRITE)
    assert (told.status, str(told)) == (
        403, "sent by another site's page: Origin is 'https://evil.example', and this is '127.0.0.1:8888'",
    )  # fmt: skip


def test_too_many_are_told_when_to_come_again(tokens: Path) -> None:
    """Each token has its rate; who has none shares that of its address, also when it is refused."""
    settings = SecuritySettings(tokens=tokens, rate=0.5, burst=2)
    guard, token = HttpGuard(settings, "127.0.0.1"), add_token(tokens, "me", Scope.READ)
    for _ in range(2):
        guard.admit(request(token=token), Scope.READ)
    told = refusal(guard, request(token=token))
    assert (told.status, told.headers) == (429, {"Retry-After": "2"})
    assert [refusal(guard, request(token="szt_guess")).status for _ in range(3)] == [401, 401, 429]


def test_beyond_loopback_there_is_a_rate_without_being_asked_for(tokens: Path) -> None:
    """And none on loopback, where everybody is at home."""
    beyond = HttpGuard(SecuritySettings(tokens=tokens), "192.0.2.7")
    statuses = [refusal(beyond, request()).status for _ in range(1000)]
    assert statuses[:400] == [401] * 400
    assert 429 in statuses
    at_home = HttpGuard(SecuritySettings(), "127.0.0.1")
    for _ in range(1000):
        at_home.admit(request(), Scope.READ)


def test_tokens_that_cannot_be_read_open_nothing(tokens: Path) -> None:
    """A server does not start with them, and one that runs answers 503 until they are cured."""
    guard, token = HttpGuard(SecuritySettings(tokens=tokens), "127.0.0.1"), add_token(tokens, "me", Scope.READ)
    guard.check_settings()
    tokens.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        guard.check_settings()
    assert refusal(guard, request(token=token)).status == 503
    tokens.chmod(0o600)
    assert guard.admit(request(token=token), Scope.READ).name == "me"


def test_beyond_loopback_a_server_needs_tokens(tokens: Path) -> None:
    """Unless it is told that the network is trusted."""
    with pytest.raises(ConfigError, match="schedule-zero tokens add"):
        HttpGuard(SecuritySettings(), "0.0.0.0").check_settings()
    HttpGuard(SecuritySettings(tokens=tokens), "0.0.0.0").check_settings()
    HttpGuard(SecuritySettings(insecure=True), "0.0.0.0").check_settings()
