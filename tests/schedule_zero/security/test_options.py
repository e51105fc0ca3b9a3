"""What the command lines of server and handler say about security reaches them."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from schedule_zero import handler as handler_module
from schedule_zero import server as server_module
from schedule_zero.errors import ConfigError
from schedule_zero.handler_registrar import RegistrationTiming
from schedule_zero.security.server_keys import handler_keys
from schedule_zero.service_config import ServiceConfig
from schedule_zero.zmq_handler_base import BaseHandler

pytestmark = pytest.mark.unit


class Told(BaseHandler):
    """Keeps what it was made with."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.options = options
        super().__init__(*args, **options)


def made(monkeypatch: pytest.MonkeyPatch, *words: str, **env: str) -> dict[str, Any]:
    """The options of the handler that a command line makes."""
    for name in ("SCHEDULEZERO_KEYS_PATH", "SCHEDULEZERO_INSECURE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(f"SCHEDULEZERO_{name}", value)
    monkeypatch.setitem(sys.modules, "told_module", sys.modules[__name__])
    named = ("--module", "told_module", "--class", "Told", "--handler-id", "h1")
    handler = handler_module.build_handler(handler_module.make_parser().parse_args([*named, *words]))
    assert isinstance(handler, Told)
    return {name: value for name, value in handler.options.items() if name != "concurrency"}


def test_a_handler_is_told_what_is_said_and_nothing_else(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """By option or by environment; a class that knows nothing of keys is passed none."""
    keys = handler_keys(folder, "h1")
    assert made(monkeypatch) == {}
    assert made(monkeypatch, "--keys", str(folder), "--advertise", "far") == {"secure": keys, "advertise": "far"}
    assert made(monkeypatch, KEYS_PATH=str(folder), INSECURE="true") == {"secure": keys, "insecure": True}
    assert made(monkeypatch, "--insecure", INSECURE="false") == {"insecure": True}
    assert made(monkeypatch, INSECURE="0", KEYS_PATH="") == {}


def test_a_handler_without_its_key_is_not_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rather than made without."""
    with pytest.raises(ConfigError, match="schedule-zero keys make h1"):
        made(monkeypatch, "--keys", str(tmp_path))


def test_a_server_is_told_that_the_network_is_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`--insecure` is for one start; the file says it for all."""
    configs: list[ServiceConfig] = []

    def run_server(config: ServiceConfig, **_: object) -> int:
        configs.append(config)
        return 0

    monkeypatch.setattr(server_module, "run_server", run_server)
    monkeypatch.setattr(server_module, "configure_logging", lambda *_, **__: None)
    monkeypatch.delenv("SCHEDULEZERO_INSECURE", raising=False)
    file = tmp_path / "shop.yaml"
    file.write_text("deployment: shop\nhttp: {host: 0.0.0.0}")
    for words in ([], ["--insecure"]):
        assert server_module.main(["--config", str(file), "--deployment", "shop", *words]) == 0
    assert [config.security.insecure for config in configs] == [False, True]


def test_a_handler_that_is_not_let_in_says_what_may_be_wrong(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Silence is all that libzmq gives; the log says what it may mean."""
    timing = RegistrationTiming(heartbeat=0.05, retry_delay=0.1)
    with caplog.at_level(logging.WARNING):
        handler = Told("h1", 0, "tcp://127.0.0.1:1", secure=handler_keys(folder, "h1"), timing=timing)
        handler.start()
        registrar = handler._registrars[0]
        for _ in range(400):
            if "schedule-zero keys list" in caplog.text:
                break
            registrar.registered.wait(0.02)
        handler.stop()
    assert "says nothing: ask it with `schedule-zero keys list`" in caplog.text
