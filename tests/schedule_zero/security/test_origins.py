"""What a browser was talked into is told by its headers; who asks too often waits."""

from __future__ import annotations

import pytest

from schedule_zero.security.origins import Hosts, foreign_origin
from schedule_zero.security.rate_limit import RateLimit

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1", True), ("127.0.0.1:8888", True), ("[::1]:8888", True), ("192.0.2.7", True), ("localhost:1", True),
        ("LOCALHOST", True), ("jobs.example.org", True), ("Jobs.Example.org:443", True),
        ("evil.example", False), ("evil.example:8888", False), ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False), ("jobs.example.org.evil.example", False), ("", False), (":80", False),
        ("[", False), ("a:b:c", False),
    ],
)  # fmt: skip
def test_only_our_own_names_are_answered(host: str, known: bool) -> None:
    """A name that another's name server made to mean this machine is not ours (DNS rebinding)."""
    assert Hosts("127.0.0.1", ("jobs.example.org",)).has(host) is known


def test_any_name_where_that_is_asked_for() -> None:
    """Behind a proxy that checks names itself."""
    assert Hosts("127.0.0.1", ("*",)).has("evil.example")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:8888"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8888"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_our_own_pages_and_programs_may_change_things(headers: dict[str, str]) -> None:
    """Programs send neither header; our pages send our own origin."""
    assert foreign_origin("POST", headers, "127.0.0.1:8888") == ""


@pytest.mark.parametrize("verb", ["POST", "PATCH", "DELETE", "PUT", "PROPFIND"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:8888@evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8888"},
    ],
)
def test_other_sites_pages_may_not(verb: str, headers: dict[str, str]) -> None:
    """Another port, a sandboxed frame, a sibling domain: all of them are others."""
    assert foreign_origin(verb, headers, "127.0.0.1:8888") != ""


def test_reading_changes_nothing() -> None:
    """A foreign page may send it, and is not given the answer by its browser."""
    assert foreign_origin("GET", {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, "h") == ""


def test_a_session_must_show_where_it_comes_from() -> None:
    """A browser adds its cookie to whatever any page sends."""
    assert "neither Origin nor Sec-Fetch-Site" in foreign_origin("POST", {}, "h", by_cookie=True)
    assert foreign_origin("POST", {"Origin": "http://h"}, "h", by_cookie=True) == ""
    assert foreign_origin("GET", {}, "h", by_cookie=True) == ""


def test_a_rate_is_kept() -> None:
    """Four at once, then two a second; told how long to wait; an idle client gets its burst back, and no more."""
    now = 0.0
    limit = RateLimit(2.0, 4, clock=lambda: now)
    assert [limit.take("me") for _ in range(6)] == [0.0, 0.0, 0.0, 0.0, 0.5, 0.5]
    now = 0.25
    assert limit.take("me") == 0.25
    now = 0.5
    assert [limit.take("me"), limit.take("me")] == [0.0, 0.5]
    now = 1000.0
    assert [limit.take("me") for _ in range(5)].count(0.0) == 4


def test_clients_do_not_spend_each_others() -> None:
    """Who asks too much is refused alone."""
    limit = RateLimit(1.0, 1, clock=lambda: 0.0)
    assert [limit.take(client) for client in ("a", "a", "b", "a")] == [0.0, 1.0, 0.0, 1.0]


def test_the_memory_of_clients_is_bounded() -> None:
    """A flood from many addresses costs no more than the limit remembers."""
    limit = RateLimit(1.0, 1, most=10, clock=lambda: 0.0)
    for number in range(1000):
        limit.take(str(number))
    assert len(limit) == 10


def test_no_rate_is_no_limit() -> None:
    """On loopback, where nothing is configured, nothing is counted."""
    limit = RateLimit(0.0, 1)
    assert {limit.take("me") for _ in range(1000)} == {0.0}
    assert len(limit) == 0
