"""The agent inside a process: its door, its journal, and how it gets in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.agent import journal, protocol
from harness.agent.client import AgentClient
from harness.agent.journal import Journal
from harness.agent.server import AgentServer
from harness.errors import FaultError

pytestmark = pytest.mark.unit


@pytest.fixture
def door() -> Iterator[Path]:
    """A folder for sockets, short as they need it."""
    with tempfile.TemporaryDirectory(prefix="hf-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def agent(door: Path) -> Iterator[AgentServer]:
    """An agent in this process."""
    made = AgentServer(door, Journal(door / "journal" / "1.jsonl"))
    made.start()
    yield made
    made.close()
    made.journal.close()


@pytest.fixture
def client(agent: AgentServer, door: Path) -> AgentClient:
    """Who asks it."""
    return AgentClient(str(protocol.socket_path(door, os.getpid())))


def test_a_switch_is_set_and_what_it_was_is_told(agent: AgentServer, client: AgentClient) -> None:
    """And whether anybody looks at it, so that nobody believes in vain."""
    set_it = {"before": None, "obeyed": False, "layer": 1}
    assert client.call("switch", name="handler", value={"silent": True}) == set_it
    assert agent.switches == {"handler": {"silent": True}}
    agent.obey("handler")
    assert client.call("switch", name="handler", lift=1) == {"before": {"silent": True}, "obeyed": True, "layer": 1}
    assert agent.switches == {"handler": None}


def test_settings_of_a_switch_are_lifted_in_any_order(agent: AgentServer, client: AgentClient) -> None:
    """The topmost that is left counts; one that is lifted twice, or that was never laid, changes nothing."""
    agent.switches["handler"] = "first"
    low, middle, top = (client.call("switch", name="handler", value=v)["layer"] for v in ("low", "middle", "top"))
    found = []
    for layer in (middle, middle, top, 99, low):
        client.call("switch", name="handler", lift=layer)
        found.append(agent.switches["handler"])
    assert found == ["top", "top", "low", "low", "first"]


def test_status_tells_the_process_and_what_plug_ins_add(agent: AgentServer, client: AgentClient) -> None:
    """Facts are asked at that moment."""
    strikes = [1.5]
    agent.tell("struck", lambda: {"f": strikes})
    strikes.append(2.5)

    told = client.call("status")

    assert (told["pid"], told["struck"]) == (os.getpid(), {"f": [1.5, 2.5]})


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("fly", {}, "refused 'fly': KeyError"),
        ("switch", {"colour": "red"}, "refused 'switch': TypeError"),
        ("fail", {}, "refused 'fail': ValueError: on purpose"),
    ],
)
def test_nonsense_is_refused_and_the_agent_lives_on(
    agent: AgentServer, client: AgentClient, command: str, arguments: dict[str, str], message: str
) -> None:
    """Whatever is wrong with a command is told to who asked."""

    def fail() -> dict[str, str]:
        raise ValueError("on purpose")

    agent.command("fail", fail)

    with pytest.raises(FaultError, match=message):
        client.call(command, **arguments)
    assert client.call("status")["pid"] == os.getpid()


@pytest.mark.parametrize("line", [b"no json\n", b"[]\n", b"{}\n", b"\xff\xfe\n"])
def test_a_line_that_is_no_command_is_answered_as_an_error(
    agent: AgentServer, client: AgentClient, line: bytes
) -> None:
    """And the next one is heard."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(5.0)
        raw.connect(client.address)
        raw.sendall(line)
        assert raw.recv(4096).startswith(b'{"ok": false')
    assert client.call("status")["pid"] == os.getpid()


def test_nobody_at_the_door_is_told_with_the_command(door: Path) -> None:
    """A process that is gone, or never had an agent."""
    with pytest.raises(
        FaultError, match=r"no agent answers at .*/none.sock: .*No such file.*\(command 'status'\)"
    ):
        AgentClient(str(door / "none.sock")).call("status")


def test_an_agent_that_does_not_answer_is_given_up(door: Path) -> None:
    """A process that is frozen: the connection is taken by the kernel, an answer never comes."""
    path = door / "frozen.sock"
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(path))
        frozen.listen(1)
        with pytest.raises(FaultError, match=r"no agent answers at .*timed out"):
            AgentClient(str(path), timeout=0.1).call("status")


def test_an_agent_that_was_closed_is_gone(agent: AgentServer, client: AgentClient) -> None:
    """Its socket and its thread; closing twice is harmless."""
    agent.close()
    agent.close()

    assert not Path(client.address).exists()
    with pytest.raises(FaultError, match="no agent answers"):
        client.call("status")


def test_a_torn_last_line_ends_the_reading(tmp_path: Path) -> None:
    """A process that was killed while it wrote leaves what it had told before."""
    path = tmp_path / "1.jsonl"
    written = Journal(path)
    written.write("born", pid=1)
    written.write("event", name="x")
    written.close()
    written.close()
    with path.open("ab") as file:
        file.write(b'{"kind":"ev')

    assert [line["kind"] for line in journal.read(path)] == ["born", "event"]


def _child(door: Path, code: str, *, site: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    variables = {protocol.ENV_DIR: str(door), protocol.ENV_JOURNAL: str(door / "journal"), **more}
    base = dict(os.environ) if site is None else {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=protocol.child_environment(base, **variables),
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_process_gets_the_agent_by_its_environment_alone(door: Path) -> None:
    """The first line of its journal says who was born, with its command and interpreter."""
    done = _child(door, "from harness.agent import boot; print(boot.current() is not None)")

    assert (done.stdout, done.stderr) == ("True\n", "")
    (path,) = (door / "journal").glob("*.jsonl")
    (born,) = journal.read(path)
    assert (born["kind"], born["pid"], born["prefix"]) == ("born", int(path.stem), sys.prefix)


def test_a_sitecustomize_that_ours_hides_runs_all_the_same(door: Path, tmp_path: Path) -> None:
    """An environment with its own (a coverage tool's, say) is not robbed of it."""
    (tmp_path / "sitecustomize.py").write_text("print('theirs')", "utf-8")

    assert _child(door, "print('body')", site=tmp_path).stdout == "theirs\nbody\n"


def test_a_process_whose_agent_cannot_start_says_so_and_runs(door: Path) -> None:
    """The code under test must not fail for the harness's sake."""
    done = _child(door, "print('body')", HARNESS_AGENT_PLUGINS="no.such.module")

    assert done.stdout == "body\n"
    assert done.stderr.startswith("harness agent did not start: ModuleNotFoundError")


def test_without_the_environment_there_is_no_agent(door: Path) -> None:
    """A folder that is gone (the run is over) is no reason to complain."""
    done = _child(door / "gone", "from harness.agent import boot; print(boot.current())")

    assert (done.stdout, done.stderr) == ("None\n", "")
