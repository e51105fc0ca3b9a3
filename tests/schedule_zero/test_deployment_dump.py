"""A deployment written for the server is read back the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.deployment import (
    Deployment,
    LogSettings,
    RestartSettings,
    RetrySettings,
    ServiceConfig,
    load_deployment,
)
from schedule_zero.deployment_dump import child_environment, write_deployment
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
