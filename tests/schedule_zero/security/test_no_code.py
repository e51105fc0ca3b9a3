"""No code comes out of the network or out of a store: proven by looking, and by planting some."""

from __future__ import annotations

import ast
import json
import pickle
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from apscheduler import DeserializationError

from schedule_zero.errors import StoreUnusable
from schedule_zero.execution_log import Outcome
from schedule_zero.requests import NewSchedule, RunNow
from schedule_zero.rows import TASK_FUNCTION, task_of, trigger_text
from schedule_zero.scheduler import handler_task
from schedule_zero.security.stored_triggers import StoredTriggers
from schedule_zero.service import SchedulerService
from schedule_zero.service_config import ServiceConfig
from schedule_zero.triggers import build_trigger
from schedule_zero.zmq_handler_base import BaseHandler

PACKAGE = Path(__file__).parents[3] / "schedule_zero"
FORBIDDEN = {"pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "jsonpickle", "code", "codeop", "runpy"}
CALLS = {"eval", "exec", "compile", "__import__", "recv_pyobj", "send_pyobj", "system", "popen"}


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text("utf-8"))


def _offences(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN)
        elif isinstance(node, ast.ImportFrom):
            yield from (name for name in [str(node.module), *_names(node)] if _is_forbidden(name))
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            # `re.compile` is another matter.
            if called.rpartition(".")[2] in CALLS and not called.endswith(".compile"):
                yield called
        elif isinstance(node, ast.keyword) and node.arg == "shell":
            yield "shell="


def _names(node: ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names]


def _is_forbidden(name: str) -> bool:
    return name.split(".")[0] in FORBIDDEN or name in ("PickleSerializer", "CBORSerializer")


@pytest.mark.slow
@pytest.mark.unit
def test_nothing_in_the_package_makes_code_of_data() -> None:
    """No pickle, no marshal, no eval, no shell, in any module; and no serializer of APScheduler's that would."""
    assert {name: found for name, tree in _modules() if (found := list(_offences(tree)))} == {}


@pytest.mark.unit
@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "import a, marshal", "from a.serializers import PickleSerializer",
        "eval(x)", "exec(x)", "compile(x, y, z)", "s.recv_pyobj()", "os.system(x)", "run(x, shell=1)", "__import__(x)",
    ],
)  # fmt: skip
def test_the_look_finds_what_it_looks_for(source: str) -> None:
    """A clean house is not a blind guard."""
    assert list(_offences(ast.parse(source)))


@pytest.mark.slow
@pytest.mark.unit
def test_modules_are_imported_by_name_where_configuration_names_them() -> None:
    """One module imports by a name that is not in the source: a handler's, which the operator gives."""
    importers = [
        (name, ast.unparse(node))
        for name, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] == "import_module"
        and not isinstance(node.args[0], ast.Constant)
    ]
    assert importers == [("handler.py", "importlib.import_module(module_name)")]


@pytest.mark.slow
@pytest.mark.unit
def test_yaml_makes_no_objects() -> None:
    """Deployments are composed, never constructed; other YAML is loaded by the safe loader in plain Python."""
    loaders = [
        ast.unparse(node)
        for _, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "YAML"
    ]
    assert sorted(set(loaders)) == ["YAML(typ='rt', pure=True)", "YAML(typ='safe', pure=True)"]
    sources = {name: ast.unparse(tree) for name, tree in _modules()}
    assert [name for name, text in sources.items() if "typ='rt'" in text] == ["yaml_text.py"]
    assert "yaml.compose(" in sources["yaml_text.py"]
    assert "load" not in sources["yaml_text.py"]


@pytest.mark.unit
@pytest.mark.parametrize(
    "spec",
    [
        {"type": "interval", "minutes": 5},
        {"type": "cron", "minute": "*/5", "timezone": "Europe/Berlin"},
        {"type": "date", "run_date": "2030-01-01T00:00:00Z"},
        {"type": "calendar", "days": 2},
    ],
)
def test_triggers_come_back_out_of_a_store(spec: dict[str, object]) -> None:
    """What is refused below is not what the store holds."""
    trigger = build_trigger(spec)
    again = StoredTriggers().deserialize(trigger_text(trigger).encode())
    assert type(again) is type(trigger)
    assert again.next() == build_trigger(spec).next() or spec["type"] == "interval"


@pytest.mark.unit
@pytest.mark.parametrize(
    "ref",
    [
        "subprocess:Popen", "os:system", "planted:Evil", "schedule_zero.server:Server", "apscheduler.triggers:x",
        "apscheduler.triggers.cron.fields:BaseField", "apscheduler.triggers.date:datetime",
        "apscheduler.triggers..date:DateTrigger", "apscheduler.triggers.date:DateTrigger.__init__", "", 7, None, ["a"],
    ],
)  # fmt: skip
def test_a_stored_trigger_names_no_other_class(ref: object) -> None:
    """Whatever stands there, nothing is imported for it and nothing is made."""
    with pytest.raises(DeserializationError):
        StoredTriggers().deserialize(json.dumps({"_apscheduler_json": [ref, {}]}).encode())
    assert "planted" not in sys.modules


@pytest.mark.unit
def test_a_stored_task_names_no_function() -> None:
    """What APScheduler would import for a task is written here, not in the store."""
    stored = task_of(("handler:h", "planted:evil", "async", 1, None, "{}"))
    assert stored.func == TASK_FUNCTION == handler_task("h", 1).func


class Worker(BaseHandler):
    """The handler of these tests."""

    def echo(self, text: str = "") -> str:
        """Return the text."""
        return text


PLANTED = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
class Evil:
    def __setstate__(self, state): pass
def evil(**_): pass
"""


class Bomb:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (open, (str(self.path), "w"))


@asynccontextmanager
async def _serving(config: ServiceConfig) -> AsyncIterator[SchedulerService]:
    """A service that knows the handler `h`."""
    async with SchedulerService(config) as service:
        handler = Worker("h", server_address=service.registration_address)
        await anyio.to_thread.run_sync(handler.start)
        try:
            with anyio.fail_after(10.0):
                while not handler.is_registered:
                    await anyio.sleep(0.01)
            yield service
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(handler.stop)


async def _fill(config: ServiceConfig) -> None:
    async with _serving(config) as service:
        for name in ("sound", "pickled", "named"):
            trigger = {"type": "date", "run_date": datetime.now(UTC).isoformat()}
            body = {"text": name}
            await service.add_schedule(
                NewSchedule(
                    handler_id="h", job_method="echo", job_params=body, job_id=name, trigger=trigger, paused=True
                )
            )


def _tamper(database: Path, planted: Path) -> None:
    bomb = pickle.dumps(Bomb(planted / "ran"))
    with sqlite3.connect(database) as store:
        changed = [
            store.execute("UPDATE tasks SET func = 'planted:evil'").rowcount,
            store.execute("UPDATE schedules SET \"trigger\" = ? WHERE id = 'pickled'", (bomb,)).rowcount,
            store.execute(
                "UPDATE schedules SET \"trigger\" = ? WHERE id = 'named'",
                ('{"_apscheduler_json": ["planted:Evil", {}]}',),
            ).rowcount,
            store.execute("UPDATE schedules SET paused = 0").rowcount,
        ]
        assert changed == [1, 1, 1, 3]
    store.close()


@pytest.mark.integration
@pytest.mark.anyio
async def test_code_that_was_planted_in_a_store_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle, a class and a function of others lie in the store: none is loaded, and the sound schedule fires."""
    (tmp_path / "planted.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    config = ServiceConfig(database=tmp_path / "jobs.db", stop_timeout=0.2)
    await _fill(config)
    _tamper(tmp_path / "jobs.db", tmp_path)

    async with _serving(config) as service:
        await service.run_now(RunNow(handler_id="h", job_method="echo", job_params={"text": "now"}))
        with anyio.fail_after(20.0):
            while len(done := await service.executions()) < 2:
                await anyio.sleep(0.01)

    assert {(one.schedule_id, one.outcome) for one in done} == {("sound", Outcome.SUCCESS), (None, Outcome.SUCCESS)}
    assert not (tmp_path / "ran").exists()
    assert "planted" not in sys.modules


@pytest.mark.integration
@pytest.mark.anyio
async def test_a_store_of_pickles_is_refused_unread(tmp_path: Path) -> None:
    """APScheduler's own store pickles by default: one is not opened, and left as it is."""
    database = tmp_path / "apscheduler.db"
    with sqlite3.connect(database) as store:
        store.execute("CREATE TABLE metadata (schema_version INTEGER NOT NULL)")
        store.execute('CREATE TABLE schedules (id VARCHAR(500) PRIMARY KEY, task_id VARCHAR(500), "trigger" BLOB)')
        store.execute("INSERT INTO schedules VALUES ('s', 't', ?)", (pickle.dumps(Bomb(tmp_path / "ran")),))
    store.close()
    before = database.read_bytes()

    with pytest.raises(StoreUnusable, match="belongs to another application"):
        async with SchedulerService(ServiceConfig(database=database)):
            pytest.fail("it was opened")

    assert database.read_bytes() == before
    assert not (tmp_path / "ran").exists()
