"""The driver of life cycles against a lifecycle that a test scripts."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from harness.errors import TargetError
from harness.history.recorder import Recorder
from harness.history.records import Audit, Event, Operation, Sample, Status, Step
from harness.lifecycle.governor_driver import GovernorDriver, Played
from harness.scenario.model import Cycles
from harness.targets.base import Place, PlaceKind, Reply, StopResult


class Scripted:
    """A lifecycle without processes: notes what is asked, fails where told."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.forced = False
        self.handlers = 2.0
        self.up = False

    def _ask(self, what: Any) -> None:
        self.asked.append(what)
        if error := self.fails.get(what):
            raise error

    async def start(self) -> None:
        """Note it."""
        self._ask("start")
        self.up = True

    async def stop(self, how: Any, *, timeout: Any = 30.0, times: int = 1) -> Any:
        """Note it with the signal."""
        self._ask(f"stop {how.value}")
        self.up = False
        return StopResult(0.1, 0, forced=self.forced)

    async def call(self, op: Any, args: Any, *, timeout: Any) -> Any:
        """Answer."""
        self._ask(f"call {op} {dict(args)}")
        return Reply(Status.OK, ref="job-1")

    def places(self) -> Any:
        """One handler while it is up."""
        return [Place(PlaceKind.HANDLER, "h1", "handlers", pid=4711)] if self.up else []

    async def probe(self) -> Any:
        """Sizes and the number of handlers."""
        self._ask("probe")
        return {"registered-handlers": self.handlers, "rss@h1": 1000.0}

    async def add_handler(self, name: Any) -> None:
        """Note it."""
        self._ask(f"add {name}")

    async def remove_handler(self, name: Any) -> None:
        """Note it."""
        self._ask(f"remove {name}")

    async def restart_handler(self, name: Any) -> None:
        """Note it."""
        self._ask(f"bounce {name}")

    async def audit(self, scope: Any, *, timeout: Any = 5.0) -> Any:
        """A clean search."""
        self._ask(f"audit {scope}")
        return [Audit(at=0.0, name="processes", scope=scope, looked_at=3)]


def play(lifecycle: Any, seed: int = 1, limit: Any = None, payloads: Any = None, **cycles: Any) -> Any:
    """Play the cycles; returns how far they got and the history."""
    recorder = Recorder()
    recorder.begin_run()
    driver = GovernorDriver(lifecycle, recorder, random.Random(seed), payloads=payloads)
    played = asyncio.run(driver.play(Cycles.model_validate(cycles), ("h1", "h2"), limit=limit))
    return played, recorder.close()


def steps(history: Any) -> Any:
    """What was played, and how it ended."""
    return [(step.cycle, step.step, step.status.value) for step in history.of(Step)]


def test_cycles_are_played_in_order_and_audited_when_down() -> None:
    """Start, stop, audit; and again."""
    target = Scripted()
    played, history = play(target, count=2, steps=["start", "stop"])
    assert played == Played(2, 0, cut=False)
    assert target.asked == [
        "start",
        "probe",
        "stop term",
        "audit cycle 1",
        "start",
        "probe",
        "stop term",
        "audit cycle 2",
    ]
    assert steps(history) == [(n, step, "ok") for n in (1, 2) for step in ("start", "stop")]


def test_a_stop_where_nothing_runs_is_told() -> None:
    """Nothing was stopped by it; the one after a start has stopped something."""
    _, history = play(Scripted(), count=1, steps=["stop", "start", "stop", "stop"])
    assert [step.detail.get("idle", False) for step in history.of(Step) if step.step == "stop"] == [True, False, True]


def test_a_failed_step_is_recorded_and_cleaned_up_by_force() -> None:
    """The rest of the cycle is left out, SIGKILL clears the ground, the search is made all the same, the next
    cycle runs.
    """
    target = Scripted()
    target.fails["bounce h1"] = TargetError("h1 would not stop")
    played, history = play(target, count=2, steps=["start", {"bounce": "h1"}, "stop"])
    assert played == Played(2, 2, cut=False)
    assert target.asked[:5] == ["start", "bounce h1", "stop kill", "audit cycle 1", "start"]
    failed = [step for step in history.of(Step) if step.status is Status.FAIL]
    assert failed[0].detail == {"error": "TargetError: h1 would not stop", "handler": "h1"}


def test_a_stop_that_needed_force_has_failed() -> None:
    """A process that had to be killed did not stop."""
    target = Scripted()
    target.forced = True
    played, history = play(target, count=1, steps=["start", "stop"])
    assert (played.failed, steps(history)[-1]) == (1, (1, "stop", "fail"))
    assert history.of(Step)[-1].detail == {"how": "term", "took": 0.1, "code": 0, "forced": True}


def test_steps_that_do_not_stop_it_are_followed_by_a_stop() -> None:
    """With ``start: each`` every cycle ends down, or the next start would prove nothing."""
    target = Scripted()
    play(target, count=1, steps=["start"])
    assert target.asked == ["start", "probe", "stop term", "audit cycle 1"]


def test_started_once_it_stays_up() -> None:
    """With ``start: once`` nothing is stopped or audited between the cycles, and sizes are still measured in
    each.
    """
    target = Scripted()
    _, history = play(target, count=3, steps=[{"bounce": "h1"}], start="once")
    assert target.asked == ["bounce h1", "probe"] * 3
    assert [sample.value for sample in history.of(Sample) if sample.name == "rss"] == [1000.0] * 3
    assert {sample.place for sample in history.of(Sample) if sample.name == "rss"} == {"h1"}


def test_started_once_a_failure_starts_it_anew() -> None:
    """After a failed cycle it is brought down by force and up again, so that the next one has something to play
    on.
    """
    target = Scripted()
    target.fails["remove h1"] = TargetError("no")
    play(target, count=1, steps=[{"remove": "h1"}], start="once")
    assert target.asked == ["remove h1", "stop kill", "start"]


def test_the_limit_ends_the_cycles() -> None:
    """No cycle begins after it, and that it was cut is told."""
    played, _ = play(Scripted(), count=1000, steps=["start", "stop"], gap="30ms..30ms", limit=0.2)
    assert played.cut
    assert 1 <= played.cycles < 20


def test_signals_are_drawn_from_the_mix() -> None:
    """With weights 8 to 1 both occur over many cycles, the heavy one more often; the seed decides."""

    def signals(seed: int) -> Any:
        target = Scripted()
        play(target, seed, count=40, steps=["start", {"stop": {"how": ["term", "kill"], "mix": [8, 1]}}])
        return [asked for asked in target.asked if asked.startswith("stop")]

    drawn = signals(3)
    assert set(drawn) == {"stop term", "stop kill"}
    assert drawn.count("stop term") > 25
    assert (drawn, drawn != signals(4)) == (signals(3), True)


def test_ready_is_waited_for_with_a_limit() -> None:
    """A handler that never registers fails the step with what was expected and what was seen."""
    target = Scripted()
    target.handlers = 1.0
    _, history = play(target, count=1, steps=["start", {"wait": {"until": "ready", "within": "60ms"}}])
    error = history.of(Step)[1].detail["error"]
    assert error == "NeverReady: waited 0.06 s for it to be ready: 2 registered handlers expected, seen: 1"


def test_removed_handlers_are_not_waited_for() -> None:
    """Ready means all that should be there: one fewer after a removal, all of them after the next start."""
    target = Scripted()
    target.handlers = 1.0
    wait = {"wait": {"until": "ready", "within": "5s"}}
    played, _ = play(target, count=1, steps=["start", {"remove": "h2"}, wait])
    assert played.failed == 0


def test_down_is_waited_for() -> None:
    """After a stop nothing is there; while it is up the wait fails and names what is left."""
    wait = {"wait": {"until": "down", "within": "50ms"}}
    assert play(Scripted(), count=1, steps=["start", "stop", wait])[0].failed == 0
    _, history = play(Scripted(), count=1, steps=["start", wait])
    assert (
        history.of(Step)[1].detail["error"]
        == "NeverReady: waited 0.05 s for it to be down: still there: h1 (pid 4711)"
    )


def test_calls_are_counted_and_become_operations() -> None:
    """A count is drawn from its range; each call is an operation with the target's answer, made from the
    payloads.
    """

    class Payloads:
        def draw(self, workload: Any, args: Any) -> Any:
            return {**args, "n": 1}

    target = Scripted()
    step = {"op": "job.submit", "with": {"handler": "h1"}, "count": "2..4"}
    _, history = play(target, count=5, steps=["start", step, "stop"], payloads=Payloads())
    operations = history.of(Operation)
    assert 10 <= len(operations) <= 20
    assert len({operation.id for operation in operations}) == len(operations)
    assert {(o.workload, o.op, o.place, o.status, o.ref) for o in operations} == {
        ("cycles", "job.submit", "h1", Status.OK, "job-1")
    }
    assert "call job.submit {'handler': 'h1', 'n': 1}" in target.asked


def test_a_restart_is_a_stop_and_a_start() -> None:
    """One step, both asked."""
    target = Scripted()
    _, history = play(target, count=1, steps=["start", "restart", "stop"])
    assert target.asked == ["start", "probe", "stop term", "start", "stop term", "audit cycle 1"]
    assert steps(history) == [(1, "start", "ok"), (1, "restart", "ok"), (1, "stop", "ok")]


@pytest.mark.parametrize(
    ("broken", "event"), [("probe", "measurement-problem"), ("audit cycle 1", "audit-problem")]
)
def test_a_look_that_fails_is_told_and_fails_no_cycle(broken: Any, event: Any) -> None:
    """An audit or a measurement that could not be made leaves its own trace, and the cycle goes on."""
    target = Scripted()
    target.fails[broken] = OSError("no answer")
    played, history = play(target, count=1, steps=["start", "stop"])
    assert played == Played(1, 0, cut=False)
    assert [(e.name, e.detail["error"]) for e in history.of(Event)] == [(event, "OSError: no answer")]
