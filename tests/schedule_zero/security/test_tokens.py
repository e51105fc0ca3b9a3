"""Bearer tokens, their file, and the sessions they open."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from schedule_zero.errors import ConfigError
from schedule_zero.security.scopes import Scope, scope_of_verb
from schedule_zero.security.sessions import Sessions
from schedule_zero.security.tokens import TokenFile, add_token, digest, list_tokens, revoke_token

pytestmark = pytest.mark.unit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the tokens are."""
    return tmp_path / "tokens.json"


def test_a_token_opens_and_its_file_does_not_hold_it(path: Path) -> None:
    """Who steals the file has no token; the file is its owner's alone all the same."""
    token = add_token(path, "ci", Scope.WRITE)

    assert token.startswith("szt_")
    assert len(token) == 4 + 43
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    found = TokenFile(path).find(token)
    assert found is not None
    assert (found.name, found.scope) == ("ci", Scope.WRITE)


@pytest.mark.parametrize("wrong", ["", "szt_", "ci", "szt_" + "A" * 43, "\ud800", "szt_" + "x" * 10_000])
def test_what_is_no_token_opens_nothing(path: Path, wrong: str) -> None:
    """Neither the empty one, nor a name, nor what cannot be written in UTF-8."""
    add_token(path, "ci", Scope.ADMIN)
    assert TokenFile(path).find(wrong) is None


def test_an_altered_token_opens_nothing(path: Path) -> None:
    """Every character counts."""
    token, tokens = add_token(path, "ci", Scope.ADMIN), TokenFile(path)
    assert tokens.find(token[:-1]) is None
    assert tokens.find(token + " ") is None
    assert tokens.find(token.swapcase()) is None


def test_a_token_ends_when_it_is_said_to(path: Path) -> None:
    """At its very expiry it counts no more."""
    token = add_token(path, "ci", Scope.READ, 60.0)
    made = list_tokens(path)[0].created
    ages = {59.0: True, 60.0: False, 3600.0: False}
    for age, valid in ages.items():
        tokens = TokenFile(path, lambda age=age: made + timedelta(seconds=age))  # type: ignore[misc]
        assert (tokens.find(token) is not None) is valid, age


def test_a_revoked_token_opens_nothing_at_once(path: Path) -> None:
    """The server reads the file again when it has changed; other tokens go on."""
    first, second, tokens = add_token(path, "one", Scope.READ), add_token(path, "two", Scope.READ), TokenFile(path)
    assert tokens.find(first) is not None
    revoke_token(path, "one")
    assert tokens.find(first) is None
    assert tokens.find(second) is not None


def test_names_are_taken_once(path: Path) -> None:
    """A name stands for one token, so that revoking it leaves none behind."""
    add_token(path, "ci", Scope.READ)
    with pytest.raises(ConfigError, match="there is a token 'ci' already"):
        add_token(path, "ci", Scope.ADMIN)
    with pytest.raises(ConfigError, match="there is no token 'di'; there are: ci"):
        revoke_token(path, "di")
    with pytest.raises(ConfigError, match="scope"):
        add_token(path, "nothing", Scope.NONE)
    with pytest.raises(ConfigError, match="key name"):
        add_token(path, "a b", Scope.READ)


def test_tokens_made_at_the_same_time_are_all_there(path: Path) -> None:
    """No change is lost between reading and writing."""
    threads = [threading.Thread(target=add_token, args=(path, f"t{n}", Scope.READ)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20.0)
    assert sorted(token.name for token in list_tokens(path)) == [f"t{n}" for n in range(8)]


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", '{"tokens": [{}]}', '{"tokens": [], "more": 1}',
        '{"tokens":[{"name":"a","scope":"root","sha256":"x","created":"2026-01-01T00:00:00Z"}]}',
        '{"tokens":[{"name":"a","scope":"read","sha256":"x","created":"2026-01-01T00:00:00Z","expires":"2026-01-01T00:00:00"}]}',
    ],
)  # fmt: skip
def test_a_file_that_is_none_opens_nothing(path: Path, text: str) -> None:
    """Whatever is wrong with it, it is an error with the file's name, and nobody gets in."""
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"tokens\.json"):
        TokenFile(path).find("szt_x")


def test_a_file_that_others_may_read_opens_nothing(path: Path) -> None:
    """Hashes are no secret by themselves; a file that others may write is everybody's."""
    token = add_token(path, "ci", Scope.READ)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"chmod 600 tokens\.json"):
        TokenFile(path).find(token)


def test_scopes_include_those_before_them() -> None:
    """Admin may everything, read may read, and a verb that nobody knows needs the most."""
    included = [[scope.includes(other) for other in Scope] for scope in Scope]
    assert included == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]
    assert [scope_of_verb(verb).value for verb in ("GET", "HEAD", "POST", "DELETE", "PROPFIND")] == [
        "read", "read", "write", "write", "admin",
    ]  # fmt: skip


def test_a_session_stands_for_its_token() -> None:
    """The cookie says which token it was made with, and does not hold it."""
    sessions = Sessions(60.0)
    cookie = sessions.open(digest("szt_secret"))
    assert "secret" not in cookie
    assert sessions.read(cookie) == digest("szt_secret")


def test_a_session_cannot_be_made_by_hand() -> None:
    """Altered, cut, signed by another server, or nonsense: none of them is read."""
    sessions, other = Sessions(60.0), Sessions(60.0)
    cookie, foreign = sessions.open("one"), other.open("one")
    content, signature = cookie.split(".")
    for forged in ("", ".", "x", content, f"{content}.", f".{signature}", f"{content}x.{signature}", foreign,
                   f"{content}.{foreign.split('.')[1]}", f"{cookie}=", "é.é"):  # fmt: skip
        assert sessions.read(forged) is None, forged


def test_a_session_ends() -> None:
    """After its time a cookie is of no use, whatever the browser does with it."""
    now = 1000.0
    sessions = Sessions(60.0, clock=lambda: now)
    cookie = sessions.open("one")
    assert sessions.read(cookie) == "one"
    now += 60.0
    assert sessions.read(cookie) is None
