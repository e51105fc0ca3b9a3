"""What the scheduler's simulated processes share, what they do not, and that nothing of it outlives the world."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import zmq
import zmq.asyncio

from harness import session
from harness.agent import boot
from harness.checks.verdict import Outcome
from harness.scenario.model import World
from harness.sim import World as SimWorld
from harness.targets.schedule_zero import hooks, mutants
from harness.targets.schedule_zero.mutant_registry import PATCHED
from harness.targets.schedule_zero.simulated import SharedModules
from schedule_zero import barriers
from schedule_zero.restart_policy import Restarts

ROOT = Path(__file__).parents[4]

pytestmark = pytest.mark.sim


def code() -> dict[tuple[str, str], Any]:
    """Every attribute of every module and class that a mutant may change."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in PATCHED:
            own = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == name]
            owners: list[Any] = [module, *own]
            for owner in owners:
                found.update({(f"{name}:{owner.__name__}", key): value for key, value in vars(owner).items()})
    return found


def changed(before: dict[tuple[str, str], Any]) -> list[tuple[str, str]]:
    """What is another object now, or is new, or gone."""
    after = code()
    return [key for key in sorted({*before, *after}) if before.get(key, code) is not after.get(key, code)]


def child(text: str) -> None:
    """Run `text` as a process of the world, to its end."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(text)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.thorough] * (number % 8 > 0))
        for number, name in enumerate(sorted(mutants.REGISTRY))
    ],
)
def test_a_mutant_is_undone_with_its_world(name: str) -> None:
    """Inside, some attribute of the scheduler or of APScheduler is another; afterwards each is what it was."""
    with SimWorld(parts=(SharedModules(),)):
        pass  # imports all there is
    before = code()

    with SimWorld(parts=(SharedModules(),)):
        mutants.apply(name)
        assert changed(before)

    assert changed(before) == []


def test_a_mutant_is_undone_when_the_world_fails() -> None:
    """Whatever ended the block."""
    before = Restarts.delay_after

    def fail() -> None:
        with SimWorld(parts=(SharedModules(),)):
            mutants.apply("never-restarted")
            assert Restarts.delay_after is not before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert Restarts.delay_after is before


def test_what_was_imported_meanwhile_stays_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module is found as an attribute of its package also when a world was the first to import it."""
    import schedule_zero

    late = ModuleType("schedule_zero.late")
    monkeypatch.setitem(sys.modules, late.__name__, late)
    with SimWorld(parts=(SharedModules(),)):
        vars(schedule_zero).update(late=late, later=1)

    monkeypatch.delitem(sys.modules, late.__name__)
    assert vars(schedule_zero).pop("late") is late
    assert "later" not in vars(schedule_zero)


def test_a_mutant_is_applied_once_for_all_processes() -> None:
    """A second time it would wrap what it has wrapped: the second process finds the code as the first left it."""
    with SimWorld(parts=(SharedModules(),)):
        mutants.apply("never-restarted")
        broken = Restarts.delay_after
        child("""
            from harness.targets.schedule_zero import mutants
            from schedule_zero.restart_policy import Restarts
            before = Restarts.delay_after
            mutants.apply("never-restarted")
            assert Restarts.delay_after is before
            """)

        assert Restarts.delay_after is broken


def test_the_process_that_meets_the_mutant_tells() -> None:
    """Not the one in which it was applied, which may be long dead; and only once, as in a process of the real world."""
    met: list[int] = []
    vars(mutants)["_met"] = met
    try:
        with SimWorld(parts=(SharedModules(),)):
            mutants.apply("never-restarted", lambda: met.append(os.getpid()))
            child("""
                import os
                from harness.targets.schedule_zero import mutants
                from schedule_zero.restart_policy import Restarts
                mutants.apply("never-restarted", lambda: mutants._met.append(-os.getpid()))
                Restarts.delay_after(None, 1, 0.0)
                Restarts.delay_after(None, 1, 0.0)
                mutants._met.append(os.getpid())
                """)
            Restarts.delay_after(None, 1, 0.0)  # type: ignore[arg-type]
    finally:
        del vars(mutants)["_met"]

    assert len(met) == 2
    assert met[0] == -met[1]


def test_listeners_and_the_agent_are_per_process() -> None:
    """A new process has neither, and what it adds is its own."""
    with SimWorld(parts=(SharedModules(),)):
        stop = barriers.listen("handler.before_call", print)
        boot._running.append(boot)  # type: ignore[arg-type]
        child("""
            from harness.agent import boot
            from schedule_zero import barriers
            assert (barriers._entries, boot.current()) == ([], None)
            barriers.listen("handler.after_call", print)
            boot._running.append("an agent")
            """)

        assert [entry.name for entry in barriers._entries] == ["handler.before_call"]
        assert len(boot._running) == 1
        stop()
        boot._running.clear()

    assert (barriers._entries, boot._running) == ([], [])


def test_sockets_are_counted_for_the_process_that_asks() -> None:
    """Open ones, by type; neither closed ones nor those of others."""
    walk = hooks.open_sockets
    with SimWorld(parts=(SharedModules(),)):
        context = zmq.Context()
        kept = [context.socket(kind) for kind in (zmq.REQ, zmq.REQ, zmq.ROUTER)]
        asynchronous = zmq.asyncio.Socket(context, zmq.DEALER)
        context.socket(zmq.PUB).close()
        child("""
            import zmq
            from harness.targets.schedule_zero import hooks
            assert hooks.open_sockets() == {"open": {}}
            context = zmq.Context()
            socket = context.socket(zmq.PULL)
            assert hooks.open_sockets() == {"open": {"PULL": 1}}
            socket.close()
            context.term()
            """)
        found = hooks.open_sockets()
        assert found == walk() == {"open": {"REQ": 2, "ROUTER": 1, "DEALER": 1}}
        for socket in (*kept, asynchronous):
            socket.close()
        context.term()
        assert hooks.open_sockets() == {"open": {}}

    assert hooks.open_sockets is walk


@pytest.mark.slow
@pytest.mark.integration
def test_a_real_run_after_a_broken_simulated_one_is_clean(tmp_path: Path) -> None:
    """One interpreter plays both: nothing of the simulated mutant is left for the real run."""
    path = ROOT / "scenarios" / "regression" / "pid_file_cleanup.yaml"
    outcomes = []
    for world, mutant in ((World.SIM, "pid-file-kept"), (World.SIM, ""), (World.REAL, "")):
        (planned,) = session.plan([path], world=world, mutant=mutant, overrides=["cycles.count=1"])
        outcomes.append(session.Session(tmp_path).play(planned).verdict.outcome)

    assert outcomes == [Outcome.FAIL, Outcome.PASS, Outcome.PASS]


def test_a_world_needs_no_package_of_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the driver of a store is not installed, the modules that need it are passed over; ours must be there."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for name in [name for name in sys.modules if name.startswith("schedule_zero.postgres")]:
        monkeypatch.delitem(sys.modules, name)

    with SimWorld(parts=(SharedModules(),)):
        assert "schedule_zero.postgres_session" not in sys.modules
        assert "schedule_zero.service" in sys.modules
