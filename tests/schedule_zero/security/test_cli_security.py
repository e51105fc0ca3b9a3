"""`schedule-zero keys` and `schedule-zero tokens`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schedule_zero.cli import main
from schedule_zero.security.allowed_keys import AllowedKeys
from schedule_zero.security.key_files import read_pair, read_public
from schedule_zero.security.scopes import Scope
from schedule_zero.security.tokens import TokenFile

pytestmark = pytest.mark.unit


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, without any setting of this machine's."""
    for name in ("DEPLOYMENT", "CONFIG_PATH", "KEYS_PATH", "TOKENS_PATH"):
        monkeypatch.delenv(f"SCHEDULEZERO_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    """One command."""
    return CliRunner().invoke(main, words)


def test_keys_for_server_and_handlers_in_one_command(home: Path) -> None:
    """Each pair lies in a file of its own; the handlers are allowed to be themselves; the setting is told."""
    done = run("keys", "make", "h1", "h2")
    folder = home / "deployments" / "default" / "keys"

    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [
        "server", read_public(folder, "server"), "h1", read_public(folder, "h1"), "h2", read_public(folder, "h2"),
    ]  # fmt: skip
    assert f"`security: {{keys: {folder}}}`" in done.stderr
    assert read_pair(folder, "h1").secret not in done.output
    assert [(key.name, key.handlers) for key in AllowedKeys(folder).all()] == [("h1", ("h1",)), ("h2", ("h2",))]


def test_a_pair_is_never_overwritten(home: Path) -> None:
    """The server's is kept when handlers are added; a handler's is not made twice, nor anything beside it."""
    folder = home / "k"
    run("keys", "make", "h1", "--keys", str(folder))
    server = read_pair(folder, "server")
    assert run("keys", "make", "h2", "--keys", str(folder)).exit_code == 0
    again = run("keys", "make", "h3", "h1", "--keys", str(folder))

    assert (again.exit_code, again.stderr) == (
        2, f"schedule-zero: {folder}/h1.key: there is such a key already: remove the file first to make another\n",
    )  # fmt: skip
    assert read_pair(folder, "server") == server
    assert not (folder / "h3.key").exists()


def test_a_handler_of_another_machine(home: Path) -> None:
    """Its secret half never leaves it: what travels are two public halves."""
    run("keys", "make", "--keys", "server-machine")
    there = run("keys", "make", "far", "--no-allow", "--keys", "far-machine")
    assert sorted(path.name for path in (home / "far-machine").glob("[a-z]*")) == ["far.key", "far.pub"]

    assert run("keys", "allow", "far", "far-machine/far.pub", "--keys", "server-machine").exit_code == 0
    public = there.stdout.split()[1]
    assert AllowedKeys(home / "server-machine").may_be(public, "far")
    assert run("keys", "revoke", "far", "--keys", "server-machine").exit_code == 0
    both = run("keys", "allow", "f", "--handler", "f1", "--handler", "f2", "--keys", "server-machine", "--", public)
    assert both.exit_code == 0
    listed = json.loads(run("keys", "list", "--json", "--keys", "server-machine").stdout)
    assert listed == [{"name": "f", "public": public, "handlers": "f1,f2"}]
    assert run("keys", "allow", "x", "nonsense", "--keys", "server-machine").exit_code == 2


def test_tokens_come_and_go(home: Path) -> None:
    """Printed once, listed by name, and gone."""
    made = run("tokens", "add", "ci", "--scope", "write", "--expires", "90d")
    file = home / "deployments" / "default" / "tokens.json"
    token = made.stdout.strip()

    assert (made.exit_code, token[:4]) == (0, "szt_")
    assert f"SCHEDULEZERO_TOKENS_PATH={file}" in made.stderr
    found = TokenFile(file).find(token)
    assert found is not None
    assert (found.name, found.scope) == ("ci", Scope.WRITE)
    listed = run("tokens", "list")
    assert listed.stdout.split()[:6] == ["NAME", "SCOPE", "CREATED", "EXPIRES", "ci", "write"]
    assert token not in listed.output
    assert run("tokens", "revoke", "ci").exit_code == 0
    assert TokenFile(file).find(token) is None
    assert run("tokens", "revoke", "ci").exit_code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--scope", "root"), "Invalid value for '--scope'"),
        (("--scope", "read", "--expires", "soon"), "--expires: expected a length of time such as 90d or 12h"),
        (("--scope", "read", "--expires", "0s"), "--expires: expected a length of time"),
        ((), "Missing option '--scope'"),
    ],
)
def test_a_token_that_cannot_be_is_refused(home: Path, words: tuple[str, ...], said: str) -> None:
    """Exit code 2, and no file."""
    done = run("tokens", "add", "ci", *words)
    assert (done.exit_code, said in done.stderr) == (2, True)
    assert not (home / "deployments" / "default" / "tokens.json").exists()


def test_the_configured_place_is_used_without_a_hint(home: Path) -> None:
    """What the deployment says counts; nothing is left to be configured."""
    (home / "shop.yaml").write_text("security: {keys: k, tokens: t.json}")
    for words in (("keys", "make"), ("tokens", "add", "ci", "--scope", "read")):
        done = run(*words, "--config", "shop.yaml")
        assert (done.exit_code, done.stderr) == (0, "")
    assert (home / "k" / "server.key").exists()
    assert (home / "t.json").exists()
