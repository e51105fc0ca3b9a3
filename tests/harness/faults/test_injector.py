"""The injector plays the plan and heals everything, whatever happens."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, cast

import psutil
import pytest

from harness.errors import FaultError, UsageError
from harness.faults.base import Args, Fault
from harness.faults.injector import Injector
from harness.faults.plan import draw_plan
from harness.faults.registry import kinds
from harness.faults.zmq_state import ZmqState
from harness.history.recorder import Recorder
from harness.history.records import Fault as FaultRecord
from harness.history.records import FaultEvent
from harness.scenario.model import Scenario
from harness.scenario.streams import Streams
from harness.targets.base import Place, PlaceKind

JOURNAL: list[str] = []
"""What the noting faults below did, in order; emptied by a fixture."""


class NoteArgs(Args):
    """What the noting fault is told."""

    inject_error: str = ""
    heal_error: str = ""
    hang: float = 0.0


class Note(Fault[NoteArgs]):
    """A fault that notes what is done with it, and fails or hangs when told to."""

    kind = "test.note"
    about = "notes what is done with it"
    accepts = (PlaceKind.HANDLER,)
    args_model = NoteArgs
    deadline = 0.2

    def inject(self) -> Any:
        """Note it."""
        if self.args.inject_error:
            raise FaultError(self.args.inject_error)
        JOURNAL.append(f"+{self.fault_id}@{self.place.name}")
        return {"threads": threading.current_thread().name}

    def heal(self) -> Any:
        """Note it, or fail, or hang."""
        time.sleep(self.args.hang)
        if self.args.heal_error:
            raise RuntimeError(self.args.heal_error)
        JOURNAL.append(f"-{self.fault_id}@{self.place.name}")
        return {}


class Instant(Note):
    """The same, over at once."""

    kind = "test.instant"

    @classmethod
    def lasts(cls, args: Any) -> Any:
        """No time at all."""
        return 0.0


class Stub:
    """A target of three handlers."""

    run_tag = ""

    def __init__(self, *places: Any) -> None:
        self.here = list(places) or [Place(PlaceKind.HANDLER, f"h{n}", "handlers") for n in (1, 2, 3)]

    def places(self) -> Any:
        """The places as a test left them."""
        return tuple(self.here)

    async def restart_handler(self, name: Any) -> None:
        """Never asked in these tests."""
        raise AssertionError(name)


@pytest.fixture(autouse=True)
def _journal() -> None:
    JOURNAL.clear()


def play(faults: Any, body: Any = None, *, target: Any = None, seed: int = 1, nemesis: Any = None) -> Any:
    """Play the plan of `faults` while `body` runs; returns the fault records."""
    scenario = Scenario.model_validate(
        {
            "scenario": 1,
            "name": "s",
            "kind": "chaos",
            "target": {"driver": "x"},
            "faults": faults,
            "nemesis": nemesis,
            "workload": [{"id": "w", "op": "o", "model": "once"}],
        }
    )
    known: Any = {**kinds(lambda: ()), Note.kind: Note, Instant.kind: Instant}
    recorder = Recorder()

    async def run() -> None:
        streams = Streams(seed)
        plan = draw_plan(
            scenario,
            streams,
            60.0,
            lasts=lambda spec: known[spec.kind].lasts(None) if "test" in spec.kind else None,
        )
        recorder.begin_run()
        async with Injector(scenario, plan, target or cast(Any, Stub()), recorder, streams, among=known) as injector:
            await (body(recorder, injector) if body else asyncio.sleep(0))

    try:
        asyncio.run(run())
    finally:
        records = recorder.close().of(FaultRecord)
    return records


def note(fault_id: Any = "f", **more: Any) -> Any:
    """A noting fault in a scenario."""
    return {"id": fault_id, "kind": "test.note", "where": "h1", **more}


def life(records: Any, fault_id: Any = "f") -> Any:
    """The life of one fault, event by event."""
    return [record.event.value for record in records if record.id == fault_id]


async def until(condition: Any, timeout: Any = 10.0) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.005)


def healed(count: Any) -> Any:
    """A body that waits until so many heals were noted."""

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: sum(entry.startswith("-") for entry in JOURNAL) >= count)

    return body


def test_it_is_injected_and_healed_in_time() -> None:
    """A fault comes at its time and goes after its length, each to within the slowness of a busy machine."""
    records = play([note(at="100ms", **{"for": "150ms"})], healed(1))
    armed, injected, gone = records
    assert life(records) == ["armed", "injected", "healed"]
    assert (armed.detail, injected.place) == ({"times": [[0.1, 0.25]]}, "h1")
    assert 0.1 <= injected.at < 2.0
    assert 0.15 <= gone.at - injected.at < 2.0


def test_what_is_on_at_the_end_is_healed_in_reverse_order() -> None:
    """The last one injected is the first one healed."""

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: len(injector.active) == 3)
        assert injector.active == ("a@h1", "b@h2", "b@h3")

    play([note("a", at="0s"), {**note("b", at="20ms"), "where": "h[23]"}], body)
    assert JOURNAL == ["+a@h1", "+b@h2", "+b@h3", "-b@h3", "-b@h2", "-a@h1"]


def test_an_error_of_the_run_heals_everything_too() -> None:
    """The run's own error comes out, and nothing stays broken."""

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: injector.active)
        raise KeyError("the load failed")

    with pytest.raises(KeyError, match="the load failed"):
        play([note(at="0s")], body)
    assert JOURNAL == ["+f@h1", "-f@h1"]


def test_a_cancelled_run_heals_everything_too() -> None:
    """Ctrl-C is no excuse."""

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: injector.active)
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        await asyncio.sleep(30)

    with pytest.raises(asyncio.CancelledError):
        play([note(at="0s")], body)
    assert JOURNAL == ["+f@h1", "-f@h1"]


def test_one_that_cannot_be_healed_keeps_no_other_from_it() -> None:
    """All others are healed first; then the error names the one that could not be."""

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: len(injector.active) == 2)

    with pytest.raises(FaultError, match=r"could not be healed: bad \(test\.note at h2\): RuntimeError: stuck"):
        play([note("good", at="0s"), {**note("bad", at="20ms", heal_error="stuck"), "where": "h2"}], body)
    assert "-good@h1" in JOURNAL


@pytest.mark.slow
def test_a_heal_that_hangs_is_given_up() -> None:
    """The end of the run waits for the deadline of the heal and no longer."""

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: injector.active)

    begin = time.monotonic()
    with pytest.raises(FaultError, match=r"f \(test\.note at h1\): not healed within 0\.2 s"):
        play([note(at="0s", hang=8.0)], body)
    assert time.monotonic() - begin < 6.0


def test_one_that_cannot_be_injected_is_a_record() -> None:
    """The run goes on, and the record says why; there is nothing to heal."""

    async def body(recorder: Any, injector: Any) -> None:
        await asyncio.sleep(0.1)

    records = play([note(at="0s", inject_error="no such luck")], body)
    assert life(records) == ["armed", "failed"]
    assert records[-1].detail == {"error": "no such luck"}


def test_a_selector_that_fits_nothing_is_skipped_and_told() -> None:
    """What should have been hit was not there: a check can see that."""

    async def body(recorder: Any, injector: Any) -> None:
        await asyncio.sleep(0.1)

    records = play([{**note(at="0s"), "where": "h9"}], body)
    assert life(records) == ["armed", "skipped"]
    assert records[-1].detail["reason"].startswith("'h9' selects nothing; there is h1 (handlers)")


def test_the_places_are_those_of_the_moment() -> None:
    """A place that appears during the run is found."""
    target = Stub(Place(PlaceKind.HANDLER, "h1", "handlers"))

    async def body(recorder: Any, injector: Any) -> None:
        target.here = [Place(PlaceKind.HANDLER, "h7", "handlers")]
        await until(lambda: injector.active)

    play([{**note(at="50ms"), "where": {"handlers": "one"}}], body, target=target)
    assert JOURNAL == ["+f@h7", "-f@h7"]


def test_the_same_seed_hits_the_same_places() -> None:
    """Draws of ``one`` come from the seed, another one each time it strikes."""

    def hits(seed: int) -> Any:
        JOURNAL.clear()
        play([{**note(every="10ms", **{"for": "1ms"}), "where": {"handlers": "one"}}], healed(8), seed=seed)
        return [entry for entry in JOURNAL if entry.startswith("+")][:8]

    assert hits(1) == hits(1)
    assert len(set(hits(1))) > 1
    assert hits(1) != hits(2)


def test_it_strikes_when_an_event_comes_for_the_nth_time() -> None:
    """Nothing happens before, and what is over at once is healed at once."""

    async def body(recorder: Any, injector: Any) -> None:
        recorder.event("job.sent")
        await asyncio.sleep(0.05)
        assert JOURNAL == []
        recorder.event("job.sent")
        await until(lambda: len(JOURNAL) == 2)

    records = play([{**note(when={"event": "job.sent", "nth": 2}), "kind": "test.instant"}], body)
    assert life(records) == ["armed", "injected", "healed"]
    assert records[0].detail == {"when": {"event": "job.sent", "nth": 2}}


def test_it_strikes_after_another_has_healed() -> None:
    """``after: a.heal`` follows the real heal."""
    play([note("a", at="0s", **{"for": "20ms"}), note("b", after="a.heal", **{"for": "1ms"})], healed(2))
    assert JOURNAL == ["+a@h1", "-a@h1", "+b@h1", "-b@h1"]


def test_no_more_at_once_than_the_nemesis_allows() -> None:
    """An event that comes while another fault is on finds no room, and that is told."""

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: injector.active)
        recorder.event("now")
        await asyncio.sleep(0.1)

    faults = [note("a", at="0s"), note("b", when={"event": "now", "nth": 1})]
    records = play(faults, body, nemesis={"overlap": 1})
    assert life(records, "b") == ["armed", "skipped"]
    assert "the nemesis allows no more than 1 at once" in records[-2].detail["reason"]


def test_a_kept_fault_stays_until_it_is_released() -> None:
    """``keep: true`` survives the end of the play; `release` lets go at the very end."""

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: injector.active)
        await injector.stop()
        assert (JOURNAL, injector.active) == (["+f@h1"], ("f@h1",))
        await injector.release()

    play([note(at="0s", keep=True)], body)
    assert JOURNAL == ["+f@h1", "-f@h1"]


def test_what_the_plan_leaves_out_is_recorded() -> None:
    """A fault that is not in the swarm is not silently missing."""
    seen = [play([note("a", at="1s"), note("b", at="1s")], nemesis={"swarm": True}, seed=seed) for seed in range(8)]
    reasons = {record.detail["reason"] for records in seen for record in records if record.event is FaultEvent.SKIPPED}
    assert reasons == {"not in the swarm of this seed"}


def test_wrong_arguments_are_found_before_anything_is_played() -> None:
    """A mistake in the last fault of the plan stops the run before the first one strikes."""
    with pytest.raises(UsageError, match="colour is not an argument of it"):
        play([note("a", at="0s"), note("b", at="50s", colour="red")])
    assert JOURNAL == []


def test_an_armed_agent_that_never_struck_is_skipped_and_one_that_did_is_injected(agent: Any) -> None:
    """Where the process itself waits for the event, the record follows what the agent says in the end."""
    target = Stub(Place(PlaceKind.SOCKET, "scheduler.req", control=agent.address))
    fault = {
        "id": "f",
        "kind": ZmqState.kind,
        "where": "scheduler.req",
        "how": "recv-first",
        "when": {"event": "job.sent", "nth": 5},
    }

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: agent.armed)
        assert injector.active == ()

    records = play([fault], body, target=target)
    assert life(records) == ["armed", "injected", "healed"]
    assert records[1].detail == {"struck": 3}
    agent.strikes = 0
    records = play([fault], body, target=target)
    assert life(records) == ["armed", "skipped"]
    assert records[-1].detail["reason"] == "armed, but it never struck: job.sent did not come often enough"


def test_a_process_that_was_started_again_is_armed_again(agent: Any, spawn: Any) -> None:
    """The successor of an armed process knows nothing of it, so it is armed too; with several, one arming is
    enough.
    """
    first, second = spawn(), spawn()
    sockets = [
        Place(PlaceKind.SOCKET, "scheduler.req", "sockets", pid=child.pid, control=agent.address)
        for child in (first, second)
    ]
    target = Stub(sockets[0])
    when = {"event": "job.sent", "nth": 5}
    fault = {"id": "f", "kind": ZmqState.kind, "where": "scheduler.req", "how": "recv-first", "when": when}

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: agent.armings == 1)
        target.here = [sockets[1]]
        await until(lambda: agent.armings == 2)

    play([fault], body, target=target)
    assert agent.armed == {}


def test_a_real_process_is_paused_and_goes_on(spawn: Any, place_of_child: Any) -> None:
    """The whole road with a real kind: from the scenario's line to SIGSTOP and back."""
    child = psutil.Process(spawn().pid)

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: injector.active)
        assert child.status() == psutil.STATUS_STOPPED

    records = play(
        [{"id": "f", "kind": "process.pause", "where": "h1", "at": "0s"}],
        body,
        target=Stub(place_of_child(child)),
    )
    assert life(records) == ["armed", "injected", "healed"]
    assert child.status() != psutil.STATUS_STOPPED


def test_a_process_that_is_not_ours_is_a_failed_fault() -> None:
    """The injector refuses like the fault does: this process itself is never touched."""
    me = Place(PlaceKind.HANDLER, "h1", "handlers", pid=psutil.Process().pid)

    async def body(recorder: Any, injector: Any) -> None:
        await asyncio.sleep(0.1)

    records = play([{"id": "f", "kind": "process.kill", "where": "h1", "at": "0s"}], body, target=Stub(me))
    assert life(records) == ["armed", "failed"]
    assert "the harness itself" in records[-1].detail["error"]


def test_an_armed_fault_is_injected_and_healed_when_it_struck(agent: Any) -> None:
    """What an agent tells of the times of its strikes is what the record says: injected at the first, over with the
    last."""
    target = Stub(Place(PlaceKind.SOCKET, "scheduler.req", control=agent.address))
    fault = {
        "id": "f",
        "kind": ZmqState.kind,
        "where": "scheduler.req",
        "how": "recv-first",
        "when": {"event": "job.sent", "nth": 5},
    }
    at: list[float] = []
    agent.server.tell("struck", lambda: {"f@scheduler.req": at})
    agent.server.command("disarm", lambda id: {"struck": len(at), "at": at})

    async def body(recorder: Any, injector: Any) -> None:
        await until(lambda: agent.armed)
        struck = recorder.clock()
        at.extend([struck, struck + 0.01])
        await until(lambda: injector.active == ("f@scheduler.req",))
        await asyncio.sleep(0.1)

    records = play([fault], body, target=target)

    armed, injected, healed = [r for r in records if isinstance(r, FaultRecord)]
    assert [r.event.value for r in (armed, injected, healed)] == ["armed", "injected", "healed"]
    assert healed.at - injected.at == pytest.approx(0.01, abs=0.002)
    assert healed.detail == {"struck": 2, "strikes": [injected.at, healed.at]}
