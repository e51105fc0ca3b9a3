"""Deployments: defaults, then the file, then the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedule_zero.deployment import LogSettings, RestartSettings, RetrySettings, check_handler_id, load_deployment
from schedule_zero.errors import ConfigError
from schedule_zero.governor_base import HandlerConfig, RestartPolicy

pytestmark = pytest.mark.unit

FULL = """
deployment: shop
http: {host: 127.0.0.2, port: 9001}
zmq: {host: localhost, port: 9002}
store: memory
data_dir: data
registry: known.yaml
scheduler:
  {lease: 10s, max_jobs: 7, per_handler_jobs: 3, misfire_grace: 1min, call_timeout: 250ms, stop_timeout: 4s}
retry: {attempts: 5, base: 100ms, factor: 3, jitter: 0.1, retry_errors: true}
heartbeat: {interval: 1s, timeout: 3s}
executions: {max_age: 1d, max_count: 10}
log: {level: debug, format: json, file: shop.log, max_bytes: 4096, backups: 2}
governor:
  {restart: always, max_restarts: 9, restart_delay: 1s, backoff: 1.5, max_delay: 5s, healthy_after: 2min,
   ready_timeout: 7s}
handlers:
  - {handler_id: mail, module: shop.mail, class: Mail, port: 5555, max_restarts: 2, config: {sender: me}}
  - {handler_id: bill, module: shop.bill, class: Bill, auto_restart: false}
"""


def written(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = folder / "shop.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "http", "zmq"),
    [("default", 8888, 4242), ("clock", 8889, 4243), ("test", 8890, 4244), ("production", 8888, 4242)],
)
def test_the_well_known_deployments_have_their_ports(name: str, http: int, zmq: int, tmp_path: Path) -> None:
    """Without any file the named deployments listen where the documents say, on loopback."""
    service = load_deployment(name, env={}, root=tmp_path).service

    assert (service.http_port, service.zmq_port) == (http, zmq)
    assert (service.http_host, service.zmq_host) == ("127.0.0.1", "127.0.0.1")


def test_everything_lies_in_the_deployments_folder(tmp_path: Path) -> None:
    """Two deployments of one root share no file."""
    deployment = load_deployment("clock", env={}, root=tmp_path)

    assert deployment.pids_dir == tmp_path / "clock" / "pids"
    assert deployment.logs_dir == tmp_path / "clock" / "logs"
    assert deployment.service.database == tmp_path / "clock" / "schedule_zero.db"
    assert deployment.service.registry_path == tmp_path / "clock" / "registry.yaml"


def test_a_file_sets_everything(tmp_path: Path) -> None:
    """Each key of the documented file arrives where it belongs, paths relative to the file."""
    deployment = load_deployment(None, written(tmp_path, FULL), env={}, root=tmp_path / "root")
    service = deployment.service

    assert (deployment.name, deployment.ready_timeout) == ("shop", 7.0)
    assert (service.http_host, service.http_port) == ("127.0.0.2", 9001)
    assert (service.zmq_host, service.zmq_port) == ("localhost", 9002)
    assert service.store_url == "memory://"
    assert service.database == tmp_path / "data" / "schedule_zero.db"
    assert service.registry_path == tmp_path / "known.yaml"
    assert (service.lease, service.max_jobs, service.per_handler_jobs) == (10.0, 7, 3)
    assert (service.misfire_grace, service.call_timeout, service.stop_timeout) == (60.0, 0.25, 4.0)
    assert service.retry == RetrySettings(5, 0.1, 3.0, 0.1, True)
    assert (service.heartbeat, service.heartbeat_timeout) == (1.0, 3.0)
    assert (service.executions_max_age, service.executions_max_count) == (86400.0, 10)
    assert service.log == LogSettings("DEBUG", "json", tmp_path / "shop.log", 4096, 2)
    assert deployment.restart == RestartSettings(RestartPolicy.ALWAYS, 9, 1.0, 1.5, 5.0, 120.0)
    assert deployment.handlers == (
        HandlerConfig("mail", "shop.mail", "Mail", 5555, True, 2, 1.0, sender="me"),
        HandlerConfig("bill", "shop.bill", "Bill", 0, False, 9, 1.0),
    )


def test_the_usual_file_is_found(tmp_path: Path) -> None:
    """`<root>/<name>/deployment.yaml` is read without being named."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "deployment.yaml").write_text("http: {port: 9100}")

    assert load_deployment("shop", env={}, root=tmp_path).service.http_port == 9100


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    """Every documented variable wins over what the file says."""
    env = {
        "SCHEDULEZERO_DEPLOYMENT": "shop",
        "SCHEDULEZERO_HOST": "127.0.0.9",
        "SCHEDULEZERO_PORT": "1",
        "SCHEDULEZERO_ZMQ_HOST": "127.0.0.8",
        "SCHEDULEZERO_ZMQ_PORT": "2",
        "SCHEDULEZERO_DATABASE_URL": "postgresql+asyncpg://db/shop",
        "SCHEDULEZERO_REGISTRY_PATH": "/srv/registry.yaml",
        "SCHEDULEZERO_CONFIG_PATH": str(written(tmp_path, FULL)),
        "SCHEDULEZERO_LOG_FILE": "/srv/shop.log",
        "SCHEDULEZERO_LOG_FORMAT": "Console",
        "LOG_LEVEL": "error",
    }

    service = load_deployment(env=env, root=tmp_path).service

    assert (service.deployment, service.lease) == ("shop", 10.0)
    assert (service.http_host, service.http_port) == ("127.0.0.9", 1)
    assert (service.zmq_host, service.zmq_port) == ("127.0.0.8", 2)
    assert service.store_url == "postgresql+asyncpg://db/shop"
    assert service.registry_path == Path("/srv/registry.yaml")
    assert service.log == LogSettings("ERROR", "console", Path("/srv/shop.log"), 4096, 2)


def test_a_sqlite_url_names_the_database_file(tmp_path: Path) -> None:
    """A SQLite URL and `database:` are two ways to say the same."""
    env = {"SCHEDULEZERO_DATABASE_URL": "sqlite+aiosqlite:////srv/jobs.db"}

    service = load_deployment("test", env=env, root=tmp_path).service

    assert (service.store, service.database) == ("sqlite", Path("/srv/jobs.db"))


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    """`SCHEDULEZERO_PORT=` does not make the port unusable."""
    assert load_deployment("test", env={"SCHEDULEZERO_PORT": ""}, root=tmp_path).service.http_port == 8890


def test_a_wrong_store_of_the_environment_is_told_without_its_password(tmp_path: Path) -> None:
    """The error names the variable, and what it expects, and nothing of the URL but its kind."""
    env = {"SCHEDULEZERO_DATABASE_URL": "mysql://me:secret@db/jobs"}
    with pytest.raises(ConfigError) as caught:
        load_deployment("test", env=env, root=tmp_path)
    assert str(caught.value) == (
        "environment variable SCHEDULEZERO_DATABASE_URL: expected sqlite, memory, or a URL such as"
        " postgresql://user@host/database, found a URL of 'mysql'"
    )


def test_a_wrong_name_in_the_file_is_told_with_its_place(tmp_path: Path) -> None:
    """A name that leads out of the folder of all deployments is refused where it is written."""
    path = tmp_path / "d.yaml"
    path.write_text("deployment: ../../etc\n")
    with pytest.raises(ConfigError) as caught:
        load_deployment(config_path=path, env={}, root=tmp_path)
    assert str(caught.value) == (
        f"{path}:1:13: deployment: expected letters, digits, '.', '_', '-', starting with one of the first two, 64 at"
        " most, found '../../etc'"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCHEDULEZERO_PORT", "80a"),
        ("SCHEDULEZERO_PORT", "65536"),
        ("SCHEDULEZERO_ZMQ_PORT", "-1"),
        ("SCHEDULEZERO_HOST", "two words"),
        ("SCHEDULEZERO_DATABASE_URL", "jobs.db"),
        ("LOG_LEVEL", "LOUD"),
        ("SCHEDULEZERO_LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_variable_is_told_by_name(name: str, value: str, tmp_path: Path) -> None:
    """The error names the variable and shows its value."""
    with pytest.raises(ConfigError, match=rf"environment variable {name}: expected .* found '{value}'"):
        load_deployment("test", env={name: value}, root=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http: {port: 65536}", "1:14: http.port: expected a whole number from 0 to 65535, found '65536'"),
        ("htpp: {port: 1}", "1:1: htpp: unknown key, did you mean 'http'?"),
        ("zmq: {peers: [east:4242]}", "1:14: zmq.peers: expected a list of addresses such as tcp://e:1, found a list"),
        (
            "store: jobs.db",
            "1:8: store: expected sqlite, memory, or a URL such as postgresql://user@host/database, found 'jobs.db'",
        ),
        (
            "store: mysql://me:secret@db/jobs",
            "1:8: store: expected sqlite, memory, or a URL such as postgresql://user@host/database, found a URL of"
            " 'mysql'",
        ),
        (
            "store: postgresql://db/jobs?schema=A-B",
            "1:8: store: schema 'A-B' of the store's URL: expected at most 50 of a-z, 0-9 and _, as clock_2",
        ),
        (
            "store: 'postgresql://[db/jobs'",
            "1:8: store: expected sqlite, memory, or a URL such as postgresql://user@host/database, found none:"
            " Invalid IPv6 URL",
        ),
        (
            "governor: {restart: maybe}",
            "1:21: governor.restart: expected one of always, on-failure, never, found 'maybe'",
        ),
        ("retry: {jitter: 2}", "1:17: retry.jitter: expected a fraction from 0 to 1, found '2'"),
        (
            "heartbeat: {interval: 9s, timeout: 9s}",
            "1:36: heartbeat.timeout: expected more than the interval of 9 s, found '9s'",
        ),
        ("scheduler: {lease: 10ms}", "1:20: scheduler.lease: expected a second or more, found '10ms'"),
        ("deployment: other", "1:13: deployment: expected the deployment asked for, 'test', found 'other'"),
        ("handlers: [{module: m, class: C}]", "1:12: handlers[0].handler_id: expected a value, found nothing"),
        ("handlers: {a: 1}", "1:11: handlers: expected a list, found a mapping"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    """Each mistake in a file is one sentence with line and column."""
    path = written(tmp_path, text)

    with pytest.raises(ConfigError) as caught:
        load_deployment("test", path, env={}, root=tmp_path)

    assert str(caught.value) == f"{path}:{message}"


def test_two_handlers_of_one_id_are_refused(tmp_path: Path) -> None:
    """An id that stands twice would make two processes fight for one pid file."""
    handler = "{handler_id: a, module: m, class: C}"

    with pytest.raises(ConfigError, match="expected each handler_id once, found 'a'"):
        load_deployment("test", written(tmp_path, f"handlers: [{handler}, {handler}]"), env={}, root=tmp_path)


@pytest.mark.parametrize("handler_id", ["", "../up", "a/b", "server", "governor", ".hidden", "a b", "x" * 65])
def test_ids_that_cannot_name_files_are_refused(handler_id: str) -> None:
    """Ids become file names: none may leave the folder or take the server's."""
    with pytest.raises(ConfigError, match="handler id: expected letters"):
        check_handler_id(handler_id)


@pytest.mark.parametrize("name", ["../up", "a/b", " ", ".x"])
def test_deployment_names_that_cannot_name_folders_are_refused(name: str, tmp_path: Path) -> None:
    """A deployment's name becomes a folder's."""
    with pytest.raises(ConfigError, match=r"^deployment .*: expected letters"):
        load_deployment(name, env={}, root=tmp_path)
