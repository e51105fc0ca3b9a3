"""Arguments of faults: what would inject nothing is refused, with what was given and what was expected."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from harness.errors import ExitCode
from harness.sim import World
from harness.sim.errors import BadFault
from harness.sim.fault_arguments import check_process, check_seconds, check_whole

pytestmark = [pytest.mark.sim, pytest.mark.unit]


@pytest.mark.parametrize("value", ["x", None, True, -0.001, float("nan"), float("inf")])
def test_seconds_are_a_finite_number_from_the_least(value: Any) -> None:
    """Text, truth values, negative and endless ones are refused; 0 and fractions are not."""
    with pytest.raises(BadFault, match=r"^it was given .*: expected seconds, 0 or more$"):
        check_seconds("it", value)
    check_seconds("it", 0)
    check_seconds("it", 0.25, least=0.25)


def test_whole_numbers() -> None:
    """A fraction is none, neither is a truth value, nor what is below the least."""
    for value in (1.0, True, "2", 1):
        with pytest.raises(BadFault, match=r"expected a whole number, 2 or more"):
            check_whole("it", value, 2)
    check_whole("it", 2, 2)


def test_names_of_processes() -> None:
    """An unknown name is answered with those there are, each once, and with the nearest."""
    with pytest.raises(BadFault, match=r"'sever': expected the name of a process, one of \*, server; did you mean"):
        check_process("it", "sever", ["*", "server", "server"])
    with pytest.raises(BadFault, match=r"given 3: expected the name of a process, one of \*$"):
        check_process("it", 3, ["*"])


def test_a_bad_fault_is_an_error_of_use() -> None:
    """It is the caller's mistake for a command, and a ValueError for whoever catches those of `World`."""
    assert issubclass(BadFault, ValueError)
    assert BadFault.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda fabric: fabric.partition("nobody-such"), r"fabric\.partition was given 'nobody-such'"),
        (lambda fabric: fabric.partition("harness", "nobody"), r"fabric\.partition was given 'nobody'"),
        (lambda fabric: fabric.heal("nobody"), r"fabric\.heal was given 'nobody'"),
        (lambda fabric: fabric.heal("harness", "nobody"), r"fabric\.heal was given 'nobody'"),
        (lambda fabric: fabric.set_latency("nobody", "*", 1), r"fabric\.set_latency was given 'nobody'"),
        (lambda fabric: fabric.set_latency("*", "nobody", 1), r"fabric\.set_latency was given 'nobody'"),
        (lambda fabric: fabric.set_latency("*", "harness", -1), r"\(low=\.\.\.\) was given -1: expected seconds, 0 or"),
        (lambda fabric: fabric.set_latency("*", "harness", "5ms"), r"\(low=\.\.\.\) was given '5ms'"),
        (lambda fabric: fabric.set_latency("*", "*", 0.5, 0.1), r"\(high=\.\.\.\) was given 0\.1: expected seconds"),
        (lambda fabric: fabric.release(-1), r"release\(count=\.\.\.\) was given -1: expected a whole number"),
        (lambda fabric: fabric.rule(None).__enter__(), r"fabric\.rule was given None: expected a function of"),
    ],
)  # fmt: skip
def test_the_fabric_refuses_what_does_nothing(call: Any, words: str) -> None:
    """Names nobody has, latencies no link can have, rules that are none: refused at once, and nothing has changed."""
    with World(seed=1) as world:
        before = world.fabric.links.latency("a", "b"), world.fabric.links.cuts, list(world.fabric.rules)
        with pytest.raises(BadFault, match=words):
            call(world.fabric)
        assert (world.fabric.links.latency("a", "b"), world.fabric.links.cuts, world.fabric.rules) == before


def test_who_is_dead_can_be_healed_and_not_cut() -> None:
    """A process has its name from its start; dead, nothing can be cut from it, and what was cut can be healed."""
    with World(seed=1) as world:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        [name] = [process.name for process in world.machine.existing() if process.pid == child.pid]
        world.fabric.partition(name)
        world.fabric.set_latency("*", name, 0.25)
        child.kill()
        child.wait()
        with pytest.raises(BadFault, match=r"one of \*, harness$"):
            world.fabric.partition(name)
        world.fabric.heal(name, "*")
        assert world.fabric.links.cuts == ()
