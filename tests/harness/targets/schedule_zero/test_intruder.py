"""Attempts to get in: what counts as refused, as let in, and as no proof of either; and who holds which keys."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from harness.history.records import Status
from harness.targets.base import Reply
from harness.targets.schedule_zero import intruder
from harness.targets.schedule_zero.api import Answer, ApiClient
from harness.targets.schedule_zero.credentials import Credentials, made_for
from harness.targets.schedule_zero.intruder import HTTP, Intruder
from harness.targets.schedule_zero.options import IntrudeArgs, Way
from schedule_zero.errors import CallTimeout
from schedule_zero.security.allowed_keys import AllowedKeys
from schedule_zero.security.curve import Curve
from schedule_zero.security.key_files import read_public
from schedule_zero.security.scopes import Scope

pytestmark = pytest.mark.unit


class Client(ApiClient):
    """Answers what it was made with, and notes with which headers it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, Any]] = []

    async def anywhere(
        self, bases: Sequence[str], method: str, path: str, body: Any = None, **options: Any
    ) -> Answer:
        """Note it."""
        self.asked.append((method, path, dict(options["headers"])))
        return self.answer


def attempt(way: Way, answer: Answer, held: Credentials | None = None) -> tuple[Reply, list[tuple[str, str, Any]]]:
    """One try of this way, and what was sent."""
    client = Client(answer)
    made = Intruder(client, held or Credentials({scope: scope.value for scope in Scope}))
    other = "h2" if way is Way.ANOTHERS_NAME else ""
    args = IntrudeArgs(way=way, handler="h1", other=other)
    return asyncio.run(made.attempt(args, ["http://x"], "tcp://x", "tcp://y", 1.0)), client.asked


@pytest.mark.parametrize(("way", "code"), [(way, request.code) for way, request in HTTP.items()])
def test_only_the_documented_refusal_is_one(way: Way, code: int) -> None:
    """Any other answer counts as let in, also an error: a server that breaks at the wrong place is no door."""
    refused, _ = attempt(way, Answer(Status.FAIL, code, None))
    served, _ = attempt(way, Answer(Status.OK, 200, {}))
    broken, _ = attempt(way, Answer(Status.FAIL, 404, None))

    assert refused == Reply(Status.OK)
    assert (served.status, broken.status) == (Status.FAIL, Status.FAIL)
    assert served.error.startswith(f"{way.value}: let in: ")
    assert served.error.endswith(f"was answered 200, not {code}")


def test_a_server_that_is_away_has_refused_nobody() -> None:
    """Neither a refused connection nor a time-out proves anything."""
    for answer in (Answer(Status.FAIL, 0, None, "refused"), Answer(Status.INFO, 0, None, "timed out")):
        assert attempt(Way.NO_BEARER, answer)[0].status is Status.INFO


def test_each_way_shows_what_its_name_says() -> None:
    """No token, a wrong one, one that may do less, and one that may do all from another site's page."""
    sent = {way: attempt(way, Answer(Status.FAIL, 401, None))[1] for way in HTTP}

    assert sent[Way.NO_BEARER] == [("POST", "/api/run_now", {})]
    assert sent[Way.READER_WRITES] == [("POST", "/api/run_now", {"Authorization": "Bearer read"})]
    assert sent[Way.WRITER_ADMINISTERS] == [("DELETE", "/api/executions", {"Authorization": "Bearer write"})]
    page = {"Authorization": "Bearer admin", "Origin": "http://evil.example"}
    assert sent[Way.FOREIGN_PAGE] == [("POST", "/api/run_now", page)]


def test_doors_that_do_not_exist_are_not_tried() -> None:
    """Over ZeroMQ in plain text anybody on this machine is in; and a key of another's is shown for one way alone."""
    reply, _ = attempt(Way.ANOTHERS_NAME, Answer(Status.OK, 200, {}))

    assert (reply.status, reply.error) == (
        Status.FAIL,
        "anothers-name: ZeroMQ is in plain text without `security: keys`",
    )
    with pytest.raises(ValidationError, match="`other` says whose key is shown"):
        IntrudeArgs(way=Way.ANOTHERS_NAME, handler="h1")


class Peers:
    """Who listens over ZeroMQ: ``registration`` and ``handler`` are asked what they answer to which key and method.

    An answer of None is none.
    """

    def __init__(self) -> None:
        self.registration: Callable[[Curve | None, str], object] = lambda key, method: "pong"
        self.handler: Callable[[Curve | None, str], object] = lambda key, method: "pong"

    def client(self, address: str, *, timeout: int, secure: Curve | None) -> Peers.Client:
        """Stands for `ZMQClient`."""
        return Peers.Client(self.registration if address == "tcp://x" else self.handler, secure)

    class Client(AbstractContextManager["Peers.Client"]):
        """Calls one of them."""

        def __init__(self, peer: Callable[[Curve | None, str], object], secure: Curve | None) -> None:
            self._peer, self._secure = peer, secure

        def call(self, method: str, params: object) -> object:
            """The answer; raises `CallTimeout` when there is none."""
            answer = self._peer(self._secure, method)
            if answer is None:
                raise CallTimeout("no answer")
            return answer

        def __exit__(self, *error: object) -> None:
            """Nothing is held."""


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Peers:
    """They answer everybody, until a test says otherwise."""
    made = Peers()
    monkeypatch.setattr(intruder, "ZMQClient", made.client)
    return made


CALLS = pytest.mark.parametrize("way", [Way.PLAIN_CALL, Way.STRANGER_CALLS])


@CALLS
def test_a_handler_that_answers_a_stranger_has_let_it_in_however_long_its_work_takes(
    way: Way, peers: Peers, tmp_path: Path
) -> None:
    """It is asked for what is answered at once: silence over a piece of work would be no refusal."""
    peers.handler = lambda key, method: "pong" if method == "ping" else None

    reply, _ = attempt(way, Answer(Status.OK, 200, {}), made_for("keys", tmp_path, ["h1"]))

    assert (reply.status, reply.error) == (Status.FAIL, f"{way.value}: let in: ping was answered 'pong'")


@CALLS
def test_only_a_handler_that_answers_its_server_has_refused_a_stranger(
    way: Way, peers: Peers, tmp_path: Path
) -> None:
    """One that is silent to everybody has refused nobody, however well the registration is."""
    held = made_for("keys", tmp_path, ["h1"])
    server, first = held.curve(), read_public(tmp_path / "keys", "h1")
    assert server is not None
    right = Curve(server.own, first)

    peers.handler = lambda key, method: "pong" if key == right else None
    refused, _ = attempt(way, Answer(Status.OK, 200, {}), held)
    peers.handler = lambda key, method: None
    silent, _ = attempt(way, Answer(Status.OK, 200, {}), held)

    assert refused == Reply(Status.OK)
    assert (silent.status, silent.error) == (Status.INFO, f"{way.value}: h1 answers nobody")


@pytest.mark.parametrize("way", [Way.PLAIN_REGISTRATION, Way.UNKNOWN_KEY])
def test_only_a_registration_that_answers_has_refused_a_stranger(way: Way, peers: Peers, tmp_path: Path) -> None:
    """It is the one that was asked, not the handler."""
    held = made_for("keys", tmp_path, ["h1"])
    peers.registration = lambda key, method: "pong" if key == held.curve() else None
    refused, _ = attempt(way, Answer(Status.OK, 200, {}), held)
    peers.registration = lambda key, method: None
    silent, _ = attempt(way, Answer(Status.OK, 200, {}), held)

    assert refused == Reply(Status.OK)
    assert (silent.status, silent.error) == (Status.INFO, f"{way.value}: the registration answers nobody")


def test_keys_are_made_for_the_server_and_each_handler_and_nobody_else_can_read_them(tmp_path: Path) -> None:
    """A handler may be itself alone; the stranger's pair is in no list."""
    held = made_for("keys", tmp_path, ["h1", "h2"])

    assert held.setting() == {"tokens": "tokens.json", "keys": "keys"}
    allowed = AllowedKeys(tmp_path / "keys")
    first = read_public(tmp_path / "keys", "h1")
    assert (allowed.may_be(first, "h1"), allowed.may_be(first, "h2")) == (True, False)
    assert held.stranger is not None
    assert not allowed.is_allowed(held.stranger.public)
    files = [tmp_path / "tokens.json", *(tmp_path / "keys").glob("*.key")]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len(files) == 4


def test_who_asks_for_nothing_gets_nothing(tmp_path: Path) -> None:
    """No file is made, no token is sent."""
    held = made_for("none", tmp_path, ["h1"])

    assert (held.token, held.curve(), held.setting(), list(tmp_path.iterdir())) == ("", None, {}, [])
