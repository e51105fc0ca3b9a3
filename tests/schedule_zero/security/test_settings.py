"""The security section of a deployment: what is read, and where a mistake stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedule_zero.config_source import Section
from schedule_zero.deployment import load_deployment
from schedule_zero.errors import ConfigError
from schedule_zero.security.settings import SecuritySettings, dump_security, read_security

pytestmark = pytest.mark.unit

FULL = """
insecure: true
tokens: t.json
keys: /srv/keys
hosts: [Jobs.example.org, "*"]
session: {lifetime: 30min, secure_cookie: true}
limits: {rate: 12.5, burst: 3, body: 2048}
"""


def read(text: str) -> SecuritySettings:
    """The settings in a text, as if it were a file in /etc/shop."""
    return read_security(Section.parse(text, "shop.yaml"), Path("/etc/shop"))


def test_every_key_arrives() -> None:
    """Each documented key sets what it names; paths are relative to the file."""
    assert read(FULL) == SecuritySettings(
        insecure=True,
        tokens=Path("/etc/shop/t.json"),
        keys=Path("/srv/keys"),
        hosts=("jobs.example.org", "*"),
        session_lifetime=1800.0,
        secure_cookie=True,
        rate=12.5,
        burst=3,
        max_body=2048,
    )


def test_nothing_said_is_open_on_loopback_only() -> None:
    """Without the section nothing is asked for, and nothing is given away either."""
    assert read("") == SecuritySettings()
    assert not SecuritySettings().insecure


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("insecure: yess", "shop.yaml:1:11: insecure: expected true or false, found 'yess'"),
        ("token: t.json", "shop.yaml:1:1: token: unknown key, did you mean 'tokens'?"),
        ("hosts: jobs", "shop.yaml:1:8: hosts: expected a list of texts, found 'jobs'"),
        ("hosts: [{a: b}]", "shop.yaml:1:8: hosts: expected a list of texts, found a list"),
        (
            "hosts: ['http://a']",
            "shop.yaml:1:8: hosts: expected host names such as jobs.example.org, or \"*\", found a list",
        ),
        (
            "limits:\n  body: 12",
            "shop.yaml:2:9: limits.body: expected a whole number from 1024 to 8388608, found '12'",
        ),
        ("limits: {rate: fast}", "shop.yaml:1:16: limits.rate: expected a number, found 'fast'"),
        ("session: {lifetime: long}", "expected a length of time such as 250ms, 2s, 5min, found 'long'"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, message: str) -> None:
    """What cannot be used is refused with file, line and column."""
    with pytest.raises(ConfigError) as told:
        read(text)
    assert message in str(told.value)


def test_what_is_dumped_is_read_back() -> None:
    """The governor's server gets the settings that the governor has."""
    settings = read(FULL)
    assert read(str(dump_security(settings)).replace("True", "true")) == settings


def test_the_environment_has_the_last_word(tmp_path: Path) -> None:
    """Every documented variable wins over the file."""
    file = tmp_path / "shop.yaml"
    file.write_text("security: {insecure: true, tokens: a, keys: b, hosts: [c]}")
    env = {
        "SCHEDULEZERO_INSECURE": "false",
        "SCHEDULEZERO_TOKENS_PATH": "/srv/t.json",
        "SCHEDULEZERO_KEYS_PATH": "/srv/keys",
        "SCHEDULEZERO_ALLOWED_HOSTS": "One.example, two.example",
    }
    settings = load_deployment("shop", file, env, tmp_path).service.security
    assert settings == SecuritySettings(
        tokens=Path("/srv/t.json"), keys=Path("/srv/keys"), hosts=("one.example", "two.example")
    )


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    """A truth value that is none is refused by its variable's name."""
    with pytest.raises(ConfigError, match="SCHEDULEZERO_INSECURE: expected true or false, found 'maybe'"):
        load_deployment("shop", env={"SCHEDULEZERO_INSECURE": "maybe"}, root=tmp_path)
