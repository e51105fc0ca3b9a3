"""Each fixture does what it says, used alone by a project that knows nothing else of the harness."""

from __future__ import annotations

import socket
import textwrap
from collections.abc import Callable

import pytest

from harness.pytest.fixtures import _claim

pytestmark = pytest.mark.integration

PASSING = {
    "mock_handler": """
        def test_it(mock_handler):
            import json, zmq
            with zmq.Context() as context, context.socket(zmq.REQ) as req:
                req.connect(mock_handler.address)
                req.send(b'{"method": "work", "params": {"n": 7}}')
                assert req.poll(5000), "no reply"
                assert json.loads(req.recv())["result"] == {"n": 7}
            assert [call.method for call in mock_handler.calls] == ["work"]
        """,
    "mock_handler_factory": """
        def test_it(mock_handler_factory):
            one, two = mock_handler_factory(), mock_handler_factory("other")
            assert one.address != two.address
            assert two.name == "other"
        """,
    "zmq_client": """
        def test_it(zmq_client):
            assert zmq_client.call("work", {"n": 7}) == {"n": 7}
        """,
    "fault": """
        import subprocess, sys, psutil
        def test_it(fault):
            child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
            try:
                with fault("process.pause", where=child):
                    assert psutil.Process(child.pid).status() == "stopped"
                assert psutil.Process(child.pid).status() != "stopped"
            finally:
                child.communicate(b"x")
        """,
    "governor": """
        def test_it(governor):
            assert governor.list_handlers() == ["h1"]
            assert governor.start()
            assert all(governor.health_check().values())
        """,
    "governor_driver": """
        def test_it(governor_driver):
            governor_driver.cycle(1)
        """,
    "scheduler_server": """
        def test_it(scheduler_server):
            assert scheduler_server.call("health.check").status.value == "ok"
            assert scheduler_server.probe()["registered-handlers"] == 0
        """,
    "free_port": """
        import socket
        def test_it(free_port):
            with socket.socket() as mine:
                mine.bind(("127.0.0.1", free_port))
        """,
    "fake": """
        import pytest
        drawn = []
        @pytest.mark.parametrize("n", [1, 2])
        def test_it(fake, n):
            drawn.append(fake.iban())
            assert len(set(drawn)) == n
        """,
    "leak_guard": """
        def test_it(leak_guard):
            assert leak_guard.leaks(timeout=1.0) == []
        """,
}


def test_each_alone(project: Callable[..., pytest.RunResult]) -> None:
    """A test that uses one fixture and no other passes, and leaves nothing behind; so for each of them."""
    files = {f"test_{name}.py": textwrap.dedent(text) for name, text in PASSING.items()}
    guard = "import pytest\n@pytest.fixture(autouse=True)\ndef clean(leak_guard):\n    yield\n"
    result = project({**files, "conftest.py": guard}, "-v")
    result.assert_outcomes(passed=len(PASSING) + 1)
    result.stdout.fnmatch_lines_random([f"test_{name}.py::test_it* PASSED*" for name in PASSING])


def test_scenario(project: Callable[..., pytest.RunResult], short_scenario: Callable[[str], str]) -> None:
    """The verdict of a file: pass clean, fail with a mutant, and a file of two needs a choice."""
    test = """
import pytest
from harness.checks.verdict import Outcome
from harness.errors import UsageError
def test_clean(scenario, leak_guard):
    assert scenario("short.yaml", seed=9).outcome is Outcome.PASS
def test_broken(scenario, leak_guard):
    verdict = scenario("short.yaml", mutant="accepted-not-stored")
    assert verdict.outcome is Outcome.FAIL
    assert [check.name for check in verdict.failures] == ["no-lost-job"]
def test_two(scenario):
    with pytest.raises(UsageError, match="found short.one with seed 5, short.two with seed 5"):
        scenario("two.yaml")
"""
    one, two = short_scenario("short.one"), short_scenario("short.two")
    result = project({"test_it.py": test, "short.yaml": one, "two.yaml": f"{one}---\n{two}"}, "test_it.py")
    result.assert_outcomes(passed=3)


def test_what_a_failing_test_started_is_ended(project: Callable[..., pytest.RunResult]) -> None:
    """A test that fails or is cut by its time-out with a server, a mock and a fault in hand leaves nothing."""
    test = """
import time, pytest
def body(server, factory, fault):
    mock = factory(register_with=server.registration_address)
    fault("handler.silent", where=mock).inject()
@pytest.mark.timeout(20)
def test_fails(leak_guard, scheduler_server, mock_handler_factory, fault):
    body(scheduler_server, mock_handler_factory, fault)
    assert not "it fails"
@pytest.mark.timeout(6, method="signal")
def test_hangs(leak_guard, scheduler_server, mock_handler_factory, fault):
    body(scheduler_server, mock_handler_factory, fault)
    time.sleep(60)
"""
    result = project({"test_it.py": test})
    result.assert_outcomes(failed=2, errors=0)
    result.stdout.fnmatch_lines(["*Failed: Timeout*6*"])


def test_what_is_left_fails_the_test_that_left_it(project: Callable[..., pytest.RunResult]) -> None:
    """`leak_guard` names a socket that a test keeps; the next test is not blamed for it."""
    test = """
import zmq
kept = []
def test_leaves(leak_guard):
    context = zmq.Context()
    kept.extend([context, context.socket(zmq.REQ)])
def test_is_clean(leak_guard):
    pass
"""
    result = project({"test_it.py": test})
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        ["E*1 open ZeroMQ socket(s): REQ", "E*1 ZeroMQ context(s) that nobody has ended"]
    )


def test_a_port_is_given_to_one_test_at_a_time(free_port: int) -> None:
    """While a test holds a port no other gets it; nothing listens there."""
    assert _claim(free_port) is None
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", free_port)) != 0


def test_fake_repeats_itself(project: Callable[..., pytest.RunResult]) -> None:
    """The same test draws the same values in every run, alone or after others."""
    test = "def test_a(fake):\n    fake.name()\ndef test_b(fake):\n    print('drew', fake.iban())\n"
    lines = []
    for arguments in (["-s"], ["-s", "-k", "test_b"]):
        result = project({"test_it.py": test}, *arguments)
        lines += [line for line in result.outlines if "drew" in line]
    assert len(lines) == 2
    assert lines[0].split("drew")[1] == lines[1].split("drew")[1]
