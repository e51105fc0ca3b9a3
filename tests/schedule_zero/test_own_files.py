"""Each file that a deployment names is a file of its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from schedule_zero.deployment import load_deployment
from schedule_zero.errors import ConfigError
from schedule_zero.own_files import Place, require_other_file
from schedule_zero.startable import require_startable

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("registry: d.yaml", "d.yaml:1:11: registry: {0}/d.yaml is the file of the deployment itself already"),
        ("database: d.yaml", "d.yaml:1:11: database: {0}/d.yaml is the file of the deployment itself already"),
        ("log: {file: ./x/../d.yaml}", "d.yaml:1:13: log.file: {0}/x/../d.yaml is the file of the deployment itself"),
        ("registry: link.yaml", "d.yaml:1:11: registry: {0}/link.yaml is the file of the deployment itself already"),
        ("registry: hard.yaml", "d.yaml:1:11: registry: {0}/hard.yaml is the file of the deployment itself already"),
        ("database: x.db\nregistry: x.db", "d.yaml:2:11: registry: {0}/x.db is the file of `database` already"),
        ("registry: x.db\ndatabase: x.db", "d.yaml:1:11: registry: {0}/x.db is the file of `database` already"),
        ("database: x.db\nregistry: x.db-wal", "d.yaml:2:11: registry: {0}/x.db-wal is the file of `database` already"),
        ("data_dir: .\nregistry: schedule_zero.db", "d.yaml:2:11: registry: {0}/schedule_zero.db is the file of `dat"),
        ("data_dir: .\ndatabase: registry.yaml", "d.yaml:2:11: database: {0}/registry.yaml is the file of `registry`"),
        ("log: {file: l}\nregistry: l.5", "d.yaml:1:13: log.file: {0}/l.5 is the file of `registry` already"),
        ("security: {tokens: t}\ndatabase: t", "d.yaml:1:20: security.tokens: {0}/t is the file of `database` already"),
        ("security: {keys: .}\nregistry: server.key", "d.yaml:2:11: registry: {0}/server.key is the file of `security"),
        ("security: {keys: .}\nlog: {file: h.pub}", "d.yaml:2:13: log.file: {0}/h.pub is the file of `security.keys`"),
        ("registry: d/server.json", "d.yaml:1:11: registry: {0}/d/server.json is the file of the governor already"),
    ],
)
def test_two_settings_of_one_file_are_refused_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    """Also through links, by another way to write the path, and for the files that are kept beside one."""
    path = tmp_path / "d.yaml"
    path.write_text(text)
    (tmp_path / "link.yaml").symlink_to(path)
    (tmp_path / "hard.yaml").hardlink_to(path)
    with pytest.raises(ConfigError) as refused:
        load_deployment("d", path, env={}, root=tmp_path)
    assert str(refused.value).startswith(f"{tmp_path}/{message.format(tmp_path)}")
    assert path.read_text() == text


def test_files_of_their_own_are_no_mistake(tmp_path: Path) -> None:
    """All files in one folder, keys among them; a database that is not used, since the store is another; a log among
    those of the governor.
    """
    text = "data_dir: .\nsecurity: {keys: ., tokens: tokens.json}\nlog: {file: d/logs/server.log}\nregistry: r.json"
    (tmp_path / "d.yaml").write_text(text)
    (tmp_path / "m.yaml").write_text("store: memory\ndatabase: x\nregistry: x")
    assert load_deployment("d", tmp_path / "d.yaml", env={}, root=tmp_path).name == "d"
    assert load_deployment("d", tmp_path / "m.yaml", env={}, root=tmp_path).name == "d"


def test_a_variable_that_names_the_file_of_a_setting_is_told_by_its_name(tmp_path: Path) -> None:
    """The environment has the last word, and so the mistake."""
    (tmp_path / "d.yaml").write_text("database: x.db\nregistry: r.yaml")
    env = {"SCHEDULEZERO_REGISTRY_PATH": str(tmp_path / "x.db")}
    with pytest.raises(ConfigError, match=r"^environment variable SCHEDULEZERO_REGISTRY_PATH: .*x\.db is the file of"):
        load_deployment("d", tmp_path / "d.yaml", env=env, root=tmp_path)


def test_a_registry_of_somebody_else_is_refused_before_a_start_with_its_place(tmp_path: Path) -> None:
    """The file stays, and the deployment can be loaded all the same: its governor can be asked and stopped."""
    (tmp_path / "orders.csv").write_text("order,price\n")
    (tmp_path / "d.yaml").write_text("http: {port: 0}\nregistry: orders.csv")
    deployment = load_deployment("d", tmp_path / "d.yaml", env={}, root=tmp_path)
    with pytest.raises(ConfigError, match=r"d\.yaml:2:11: registry: .*orders\.csv: this is no handler registry"):
        require_startable(deployment)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["d.yaml", "orders.csv"]
    (tmp_path / "orders.csv").unlink()
    require_startable(deployment)


def test_a_runtime_file_never_replaces_a_file_of_the_deployment(tmp_path: Path) -> None:
    """It is written anew at every start, and removed at the end."""
    (tmp_path / "d.yaml").write_text("database: x.db")
    deployment = load_deployment("d", tmp_path / "d.yaml", env={}, root=tmp_path)
    for name, owner in (("d.yaml", "the deployment itself"), ("x.db", "`database`")):
        with pytest.raises(ConfigError, match=rf"^--runtime-file: .*{name} is the file of {owner} already"):
            require_startable(deployment, tmp_path / name)
    require_startable(deployment, deployment.directory / "server.json")


def test_a_file_that_is_nobodys_is_taken(tmp_path: Path) -> None:
    """Without a deployment's own file there is nothing else to compare with."""
    service = load_deployment("d", env={}, root=tmp_path).service
    service = dataclasses.replace(service, store="sqlite", database=tmp_path / "x.db")
    require_other_file(Place("--runtime-file"), tmp_path / "run.json", service, tmp_path, None)
    with pytest.raises(ConfigError, match=r"x\.db is the file of"):
        require_other_file(Place("--runtime-file"), tmp_path / "x.db", service, tmp_path, None)
