"""A deployment written for the server is read back the same."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from schedule_zero.deployment import (
    Deployment,
    LogSettings,
    RestartSettings,
    RetrySettings,
    ServiceConfig,
    load_deployment,
)
from schedule_zero.deployment_dump import child_environment, dump_deployment, write_deployment
from schedule_zero.governor_base import HandlerConfig, RestartPolicy
from schedule_zero.security.settings import SecuritySettings

pytestmark = pytest.mark.unit


def everything_changed(folder: Path) -> Deployment:
    """A deployment without a single default."""
    service = ServiceConfig(
        deployment="shop", zmq_host="127.0.0.2", zmq_port=9002, server_id="east", peers=("tcp://127.0.0.4:9003",),
        http_host="127.0.0.3", http_port=9001,
        store="memory", database=folder / "a.db", registry_path=folder / "r.yaml", data_dir=folder / "data",
        lease=11.0, max_jobs=12, per_handler_jobs=13, misfire_grace=14.0, call_timeout=15.0,
        retry=RetrySettings(4, 0.5, 1.5, 0.25, True), heartbeat=1.5, heartbeat_timeout=4.5,
        executions_max_age=17.0, executions_max_count=18, stop_timeout=19.0,
        log=LogSettings("DEBUG", "json", folder / "l.log", 4096, 2),
        security=SecuritySettings(
            True, folder / "t.json", folder / "keys", ("jobs.example.org", "*"), 60.0, True, 7.5, 8, 4096
        ),
    )  # fmt: skip
    handlers = (HandlerConfig("h", "m", "C", 5, False, 6, 7.5, deep={"a": [1, None, True]}, on="off"),)
    restart = RestartSettings(RestartPolicy.NEVER, 1, 2.5, 3.5, 4.5, 5.5)
    return Deployment("shop", folder, service, handlers, restart, 21.0, folder / "dump.json")


def test_what_is_written_is_read_back_unchanged(tmp_path: Path) -> None:
    """No setting is lost on the way from the governor to its server."""
    deployment = everything_changed(tmp_path)
    write_deployment(deployment, tmp_path / "dump.json")

    assert load_deployment("shop", tmp_path / "dump.json", env={}, root=tmp_path) == deployment


def test_every_setting_differs_from_its_default(tmp_path: Path) -> None:
    """The proof above is worth something: a setting left out of the file would come back as its default."""
    usual, changed = ServiceConfig(), everything_changed(tmp_path).service

    assert _same(usual, changed) == []
    assert _same(usual.security, changed.security) == []


def _same(usual: Any, changed: Any) -> list[str]:
    return [f.name for f in dataclasses.fields(usual) if getattr(usual, f.name) == getattr(changed, f.name)]


def settings_of(written: Any, path: str = "") -> dict[str, Any]:
    """Every setting of a file by its path, such as ``.http.port``."""
    if path == ".handlers":
        return settings_of(written[0], f"{path}[]")
    if not isinstance(written, dict) or path == ".handlers[].config":
        return {path: written}
    return {name: value for key in written for name, value in settings_of(written[key], f"{path}.{key}").items()}


def reference() -> tuple[str, str]:
    """The file with all defaults that the reference shows, and the text about its keys."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "scheduler.md").read_text("utf-8")
    chapter = page.partition("## Configuration\n")[2].partition("\n## ")[0]
    return chapter.partition("```text\n")[2].partition("```")[0], chapter.rpartition("```")[2]


def test_the_reference_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    """What the page calls the defaults are these; a setting that has none is explained by its name below."""
    shown, told = reference()
    (tmp_path / "shop.yaml").write_text(shown)
    written = load_deployment("shop", tmp_path / "shop.yaml", env={}, root=tmp_path)
    usual = load_deployment("shop", env={}, root=tmp_path)
    database, registry = tmp_path / "schedule_zero.db", tmp_path / "registry.yaml"
    beside = dataclasses.replace(usual.service, data_dir=tmp_path, database=database, registry_path=registry)
    assert usual.service.data_dir == tmp_path / "shop"
    assert written.service == dataclasses.replace(beside, misfire_grace=60.0)
    assert (written.restart, written.ready_timeout, written.kind) == (usual.restart, usual.ready_timeout, usual.kind)

    known = settings_of(json.loads(dump_deployment(everything_changed(tmp_path))))
    document: Any = YAML(typ="safe", pure=True).load(shown)
    explained = set(re.findall(r"`[\w.]*?(\w+)`", told))
    unknown = [name for name in known if name not in settings_of(document)]
    assert [name for name in unknown if name.rpartition(".")[2] not in explained] == []
    assert ".security.limits.rate" in unknown
    assert len(known) == 56


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    """A store URL may hold a password."""
    write_deployment(everything_changed(tmp_path), tmp_path / "dump.json")

    assert (tmp_path / "dump.json").stat().st_mode & 0o777 == 0o600


def test_a_child_sees_its_service_whatever_it_inherits(tmp_path: Path) -> None:
    """Variables of the governor's own environment cannot make its server listen elsewhere."""
    deployment = everything_changed(tmp_path)
    write_deployment(deployment, tmp_path / "dump.json")
    inherited = {
        "SCHEDULEZERO_PORT": "1",
        "SCHEDULEZERO_DATABASE_URL": "sqlite:///other.db",
        "LOG_LEVEL": "ERROR",
    }

    env = {**inherited, **child_environment(deployment.service)}

    assert load_deployment(None, tmp_path / "dump.json", env=env, root=tmp_path) == deployment
