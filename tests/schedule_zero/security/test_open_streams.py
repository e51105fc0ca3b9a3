"""An event stream is an answer without an end: it ends with the token that it was opened with."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.security.scopes import Scope
from schedule_zero.security.settings import SecuritySettings
from schedule_zero.security.tokens import add_token, revoke_token
from schedule_zero.zmq_handler_base import BaseHandler

pytestmark = pytest.mark.integration

Open = Callable[..., http.client.HTTPResponse]
SOON = 10.0
"""Seconds within which a stream must have ended; it takes about one, on a machine that is not busy."""


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """A file of tokens."""
    return tmp_path / "tokens.json"


@pytest.fixture
def live(serve: Callable[[SecuritySettings], Any], tokens: Path) -> Any:
    """A server that asks for them."""
    add_token(tokens, "first", Scope.READ)
    return serve(SecuritySettings(tokens=tokens))


@pytest.fixture
def stream(live: Any) -> Iterator[Open]:
    """Opens the stream of events with these headers, and reads its greeting."""
    connections = []

    def make(**headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", live.client.port, timeout=SOON)
        connections.append(connection)
        connection.request("GET", "/api/events", headers=headers)
        response = connection.getresponse()
        assert response.status == 200
        while b"hello" not in response.readline():
            pass
        return response

    yield make
    for connection in connections:
        connection.close()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_revoked_token_ends_its_streams_and_no_others(live: Any, stream: Open, tokens: Path) -> None:
    """Nothing is told any more, and asking anew is refused; who holds another token reads on."""
    revoked, kept = (add_token(tokens, name, Scope.READ) for name in ("revoked", "kept"))
    ending, lasting = stream(**_bearer(revoked)), stream(**_bearer(kept))

    revoke_token(tokens, "revoked")

    assert b"event:" not in ending.read()  # to the end
    assert live.client.ask("GET", "/api/events", token=revoked).status == 401
    with BaseHandler("h", server_address=live.server.service.registration_address):
        line = lasting.readline()
        while not line.startswith(b"event:"):
            line = lasting.readline()
    assert line == b"event: handler.changed\n"


def test_a_session_ends_its_streams_with_its_token(live: Any, stream: Open, tokens: Path) -> None:
    """Opened with the cookie of a page; the token behind it expires."""
    token = add_token(tokens, "short", Scope.READ, lifetime=3.0)
    session = live.client.ask("POST", "/api/session", {"token": token})
    cookie = session.headers["set-cookie"].partition(";")[0]
    ending = stream(Cookie=cookie)
    begin = time.monotonic()

    assert b"event:" not in ending.read()
    assert time.monotonic() - begin < SOON
