"""Faults that wait for an event of the history."""

from __future__ import annotations

import asyncio
from typing import Any


def test_it_strikes_when_an_event_comes_for_the_nth_time(stage: Any) -> None:
    """Nothing happens before, and what is over at once is healed at once."""

    async def body(recorder: Any, injector: Any) -> None:
        recorder.event("job.sent")
        await asyncio.sleep(0.05)
        assert stage.journal == []
        recorder.event("job.sent")
        await stage.until(lambda: len(stage.journal) == 2)

    records = stage.play([{**stage.note(when={"event": "job.sent", "nth": 2}), "kind": "test.instant"}], body)
    assert stage.life(records) == ["armed", "injected", "healed"]
    assert records[0].detail == {"when": {"event": "job.sent", "nth": 2}}


def test_it_strikes_after_another_has_healed(stage: Any) -> None:
    """``after: a.heal`` follows the real heal."""
    stage.play(
        [stage.note("a", at="0s", **{"for": "20ms"}), stage.note("b", after="a.heal", **{"for": "1ms"})],
        stage.healed(2),
    )
    assert stage.journal == ["+a@h1", "-a@h1", "+b@h1", "-b@h1"]


def test_no_more_at_once_than_the_nemesis_allows(stage: Any) -> None:
    """An event that comes while another fault is on finds no room, and that is told."""

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: injector.active)
        recorder.event("now")
        await asyncio.sleep(0.1)

    faults = [stage.note("a", at="0s"), stage.note("b", when={"event": "now", "nth": 1})]
    records = stage.play(faults, body, nemesis={"overlap": 1})
    assert stage.life(records, "b") == ["armed", "skipped"]
    assert "the nemesis allows no more than 1 at once" in records[-2].detail["reason"]
