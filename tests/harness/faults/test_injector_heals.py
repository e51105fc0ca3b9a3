"""Whatever happens, the injector heals what it injected."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from harness.errors import FaultError


def test_what_is_on_at_the_end_is_healed_in_reverse_order(stage: Any) -> None:
    """The last one injected is the first one healed."""

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: len(injector.active) == 3)
        assert injector.active == ("a@h1", "b@h2", "b@h3")

    stage.play([stage.note("a", at="0s"), {**stage.note("b", at="20ms"), "where": "h[23]"}], body)
    assert stage.journal == ["+a@h1", "+b@h2", "+b@h3", "-b@h3", "-b@h2", "-a@h1"]


def test_a_heal_under_way_may_wait_for_what_another_fault_holds_up(stage: Any) -> None:
    """A killed handler that a standing governor is to start again: at the end, the governor must go on first."""

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: injector.active == ("stands@h2",))

    killed = stage.note("killed", kind="test.instant", at="0s", behind="-stands@h2")
    stage.play([killed, {**stage.note("stands", at="20ms"), "where": "h2"}], body)
    assert stage.journal == ["+killed@h1", "+stands@h2", "-stands@h2", "-killed@h1"]


def test_an_error_of_the_run_heals_everything_too(stage: Any) -> None:
    """The run's own error comes out, and nothing stays broken."""

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: injector.active)
        raise KeyError("the load failed")

    with pytest.raises(KeyError, match="the load failed"):
        stage.play([stage.note(at="0s")], body)
    assert stage.journal == ["+f@h1", "-f@h1"]


def test_a_cancelled_run_heals_everything_too(stage: Any) -> None:
    """Ctrl-C is no excuse."""

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: injector.active)
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        await asyncio.sleep(30)

    with pytest.raises(asyncio.CancelledError):
        stage.play([stage.note(at="0s")], body)
    assert stage.journal == ["+f@h1", "-f@h1"]


def test_one_that_cannot_be_healed_keeps_no_other_from_it(stage: Any) -> None:
    """All others are healed first; then the error names the one that could not be."""

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: len(injector.active) == 2)

    with pytest.raises(FaultError, match=r"could not be healed: bad \(test\.note at h2\): RuntimeError: stuck"):
        stage.play(
            [stage.note("good", at="0s"), {**stage.note("bad", at="20ms", heal_error="stuck"), "where": "h2"}], body
        )
    assert "-good@h1" in stage.journal


@pytest.mark.slow
def test_a_heal_that_hangs_is_given_up(stage: Any) -> None:
    """The end of the run waits for the deadline of the heal and no longer."""

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: injector.active)

    begin = time.monotonic()
    with pytest.raises(FaultError, match=r"f \(test\.note at h1\): not healed within 0\.2 s"):
        stage.play([stage.note(at="0s", hang=4.0)], body)
    assert time.monotonic() - begin < 3.5


def test_a_kept_fault_stays_until_it_is_released(stage: Any) -> None:
    """``keep: true`` survives the end of the play; `release` lets go at the very end."""

    async def body(recorder: Any, injector: Any) -> None:
        await stage.until(lambda: injector.active)
        await injector.stop()
        assert (stage.journal, injector.active) == (["+f@h1"], ("f@h1",))
        await injector.release()

    stage.play([stage.note(at="0s", keep=True)], body)
    assert stage.journal == ["+f@h1", "-f@h1"]
