"""A server's way to its governor: found by its file, asked with the deployment's keys, never waited for in vain."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.deployment import Deployment
from schedule_zero.errors import UnknownHandler
from schedule_zero.governor_control import ControlServer
from schedule_zero.governor_link import GovernorLink, GovernorSilent, NotGoverned
from schedule_zero.governor_runtime import write_governor
from schedule_zero.security.key_files import SERVER, make_pair, write_pair
from schedule_zero.security.settings import SecuritySettings
from schedule_zero.service_config import ServiceConfig

pytestmark = pytest.mark.integration


class Governor:
    """What a control server needs of a governor; handler `h1` is all that it keeps."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.runtime = None
        self.restarted: list[str] = []

    def status(self) -> dict[str, Any]:
        """Nothing runs."""
        return {}

    def list_handlers(self) -> list[str]:
        """One."""
        return ["h1"]

    def restart_handler(self, handler_id: str) -> bool:
        """Note it; True for the one."""
        self.restarted.append(handler_id)
        return handler_id == "h1"


def governor(folder: Path, security: SecuritySettings | None = None) -> Any:
    """A governor of deployment `t` in `folder`."""
    (folder / "t").mkdir()
    config = ServiceConfig(deployment="t", store="memory", security=security or SecuritySettings())
    return Governor(Deployment("t", folder, config))


@pytest.mark.parametrize("keyed", [False, True], ids=["plain", "with keys"])
def test_orders_reach_the_governor(tmp_path: Path, keyed: bool) -> None:
    """It is found, asked, and told to restart a handler; one that it does not keep is refused by name."""
    if keyed:
        (tmp_path / "keys").mkdir(mode=0o700)
        write_pair(tmp_path / "keys", SERVER, make_pair())
    kept = governor(tmp_path, SecuritySettings(keys=tmp_path / "keys") if keyed else None)
    control = ControlServer(kept, lambda: None)
    control.start()

    async def ask() -> None:
        link = GovernorLink(tmp_path / "t")
        found = await link.find()
        assert found is not None
        assert found.record.pid == os.getpid()
        assert await link.status(found) == {}
        assert await link.restart_handler("h1")
        with pytest.raises(UnknownHandler, match="h2"):
            await link.restart_handler("h2")
        link.close()

    try:
        asyncio.run(ask())
    finally:
        control.stop()
    assert kept.restarted == ["h1", "h2"]


@pytest.mark.parametrize("folder", [None, "nothing here"])
def test_without_a_governor_there_is_nobody_to_ask(tmp_path: Path, folder: str | None) -> None:
    """None is found, and an order is refused."""

    async def ask() -> None:
        link = GovernorLink(None if folder is None else tmp_path / folder)
        assert await link.find() is None
        with pytest.raises(NotGoverned, match="no governor runs this server"):
            await link.restart_handler("h1")
        link.close()

    asyncio.run(ask())


def test_a_governor_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is there and nobody listens: the question ends, and the event loop was free all the time."""
    monkeypatch.setattr("schedule_zero.governor_link._QUESTION_MS", 100)
    write_governor(tmp_path / "governor.json", "t", "tcp://127.0.0.1:9", None)

    async def ask() -> int:
        link = GovernorLink(tmp_path)
        found = await link.find()
        assert found is not None
        question = asyncio.create_task(link.status(found))
        turns = 0
        while not question.done():
            await asyncio.sleep(0.005)
            turns += 1
        with pytest.raises(GovernorSilent, match=r"did not answer status within 0\.1 s"):
            await question
        link.close()
        return turns

    assert asyncio.run(ask()) >= 3


def test_keys_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """The governor's file names a folder of keys without any: no traceback, but what is wrong."""
    write_governor(tmp_path / "governor.json", "t", "tcp://127.0.0.1:9", None, tmp_path / "no keys")
    assert json.loads((tmp_path / "governor.json").read_text())["keys"] == str(tmp_path / "no keys")

    async def ask() -> None:
        link = GovernorLink(tmp_path)
        found = await link.find()
        assert found is not None
        with pytest.raises(GovernorSilent, match="the governor cannot be asked"):
            await link.status(found)
        link.close()

    asyncio.run(ask())
