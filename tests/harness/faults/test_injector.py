"""The injector plays the plan: at the right time, at the right places, and it tells what it could not do."""

from __future__ import annotations

import asyncio
from typing import Any

import psutil
import pytest

from harness.errors import UsageError
from harness.history.records import FaultEvent
from harness.targets.base import Place, PlaceKind


def test_it_is_injected_and_healed_in_time(stage: Any) -> None:
    """A fault comes at its time and goes after its length, each to within the slowness of a busy machine."""
    records = stage.play([stage.note(at="100ms", **{"for": "150ms"})], stage.healed(1))
    armed, injected, gone = records
    assert stage.life(records) == ["armed", "injected", "healed"]
    assert (armed.detail, injected.place) == ({"times": [[0.1, 0.25]]}, "h1")
    assert 0.1 <= injected.at < 2.0
    assert 0.15 <= gone.at - injected.at < 2.0


def test_one_that_cannot_be_injected_is_a_record(stage: Any) -> None:
    """The run goes on, and the record says why; there is nothing to heal."""

    async def body(recorder: Any, injector: Any) -> None:
        await asyncio.sleep(0.1)

    records = stage.play([stage.note(at="0s", inject_error="no such luck")], body)
    assert stage.life(records) == ["armed", "failed"]
    assert records[-1].detail == {"error": "no such luck"}


def test_a_selector_that_fits_nothing_is_skipped_and_told(stage: Any) -> None:
    """What should have been hit was not there: a check can see that."""

    async def body(recorder: Any, injector: Any) -> None:
        await asyncio.sleep(0.1)

    records = stage.play([{**stage.note(at="0s"), "where": "h9"}], body)
    assert stage.life(records) == ["armed", "skipped"]
    assert records[-1].detail["reason"].startswith("'h9' selects nothing; there is h1 (handlers)")


def test_the_places_are_those_of_the_moment(stage: Any) -> None:
    """A place that appears during the run is found."""
    target = stage.target(Place(PlaceKind.HANDLER, "h1", "handlers"))

    async def body(recorder: Any, injector: Any) -> None:
        target.here = [Place(PlaceKind.HANDLER, "h7", "handlers")]
        await stage.until(lambda: injector.active)

    stage.play([{**stage.note(at="50ms"), "where": {"handlers": "one"}}], body, target=target)
    assert stage.journal == ["+f@h7", "-f@h7"]


def test_the_same_seed_hits_the_same_places(stage: Any) -> None:
    """Draws of ``one`` come from the seed, another one each time it strikes."""

    def hits(seed: int) -> Any:
        stage.journal.clear()
        stage.play(
            [{**stage.note(every="10ms", **{"for": "1ms"}), "where": {"handlers": "one"}}], stage.healed(8), seed=seed
        )
        return [entry for entry in stage.journal if entry.startswith("+")][:8]

    assert hits(1) == hits(1)
    assert len(set(hits(1))) > 1
    assert hits(1) != hits(2)


def test_what_the_plan_leaves_out_is_recorded(stage: Any) -> None:
    """A fault that is not in the swarm is not silently missing."""
    faults = [stage.note("a", at="0s", **{"for": "1ms"}), stage.note("b", at="0s", **{"for": "1ms"})]
    seen = []
    for seed in range(8):
        stage.journal.clear()
        seen.append(stage.play(faults, stage.healed(1), nemesis={"swarm": True}, seed=seed))
    reasons = {record.detail["reason"] for records in seen for record in records if record.event is FaultEvent.SKIPPED}
    assert reasons == {"not in the swarm of this seed"}


def test_wrong_arguments_are_found_before_anything_is_played(stage: Any) -> None:
    """A mistake in the last fault of the plan stops the run before the first one strikes."""
    with pytest.raises(UsageError, match="colour is not an argument of it"):
        stage.play([stage.note("a", at="0s"), stage.note("b", at="50s", colour="red")])
    assert stage.journal == []


def test_a_real_process_is_paused_and_goes_on(stage: Any, spawn: Any, place_of_child: Any) -> None:
    """The whole road with a real kind: from the scenario's line to SIGSTOP and back."""
    child = psutil.Process(spawn().pid)

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: injector.active)
        assert child.status() == psutil.STATUS_STOPPED

    records = stage.play(
        [{"id": "f", "kind": "process.pause", "where": "h1", "at": "0s"}],
        body,
        target=stage.target(place_of_child(child)),
    )
    assert stage.life(records) == ["armed", "injected", "healed"]
    assert child.status() != psutil.STATUS_STOPPED


def test_a_process_that_is_not_ours_is_a_failed_fault(stage: Any) -> None:
    """The injector refuses like the fault does: this process itself is never touched."""
    me = Place(PlaceKind.HANDLER, "h1", "handlers", pid=psutil.Process().pid)

    async def body(recorder: Any, injector: Any) -> None:
        await asyncio.sleep(0.1)

    records = stage.play(
        [{"id": "f", "kind": "process.kill", "where": "h1", "at": "0s"}], body, target=stage.target(me)
    )
    assert stage.life(records) == ["armed", "failed"]
    assert "the harness itself" in records[-1].detail["error"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"at": "30s"}, "before its time, 30 s"),
        ({"from": "20s", "to": "30s"}, "before its time, 20 s"),
        ({"when": {"event": "job.sent", "nth": 3}}, "job.sent had come 1 times, and it waited for number 3"),
        ({"when": {"event": "job.sent", "odds": "0%"}}, "job.sent had come 1 times, and the odds never fell on it"),
        ({"after": "other.heal"}, "other.heal had come 0 times, and the odds never fell on it"),
    ],
)
def test_one_that_was_never_tried_is_skipped_with_the_reason(stage: Any, fault: Any, reason: str) -> None:
    """Its time was still to come, or what it waited for did not come: somebody must say so."""

    async def body(recorder: Any, injector: Any) -> None:
        recorder.event("job.sent")

    records = stage.play([stage.note(**fault), stage.note("other", at="40s")], body)

    assert stage.life(records) == ["armed", "skipped"]
    (told,) = (record.detail["reason"] for record in records if (record.id, record.event) == ("f", FaultEvent.SKIPPED))
    assert told.startswith("the run phase ended at 0.")
    assert told.endswith(reason)
