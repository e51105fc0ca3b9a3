"""Named barriers."""

from __future__ import annotations

from typing import Any

import pytest

from schedule_zero import barriers

pytestmark = pytest.mark.unit


def test_listener_gets_the_context_until_it_is_taken_off() -> None:
    """A listener is called with the barrier's context, for its own barrier only, and not after its end."""
    seen: list[dict[str, Any]] = []
    end = barriers.listen("executor.attempt", lambda **context: seen.append(context))

    barriers.reached("executor.attempt", job_id="j", handler_id="h", attempt=1)
    barriers.reached("executor.before_record", job_id="j")
    end()
    end()
    barriers.reached("executor.attempt", job_id="j", handler_id="h", attempt=2)

    assert seen == [{"job_id": "j", "handler_id": "h", "attempt": 1}]
    assert not barriers.listening()


def test_what_a_listener_raises_strikes_the_code_at_the_barrier() -> None:
    """An exception of a listener is raised at the barrier."""

    def strike(**_: Any) -> None:
        raise MemoryError("struck")

    end = barriers.listen("executor.after_record", strike)
    with pytest.raises(MemoryError, match="struck"):
        barriers.reached("executor.after_record", job_id="j")
    end()


def test_the_same_listener_twice_is_two_subscriptions() -> None:
    """Ending one subscription of a function leaves its other one."""
    seen: list[str] = []

    def note(job_id: str) -> None:
        seen.append(job_id)

    first, second = (barriers.listen("executor.after_record", note) for _ in range(2))
    first()
    barriers.reached("executor.after_record", job_id="j")
    second()

    assert seen == ["j"]


def test_unknown_barrier() -> None:
    """A misspelt barrier would never be reached, so it is refused, with the list of those there are."""
    with pytest.raises(ValueError, match=r"'client\.sent'; there are: client\.before_send, "):
        barriers.listen("client.sent", print)


def test_a_context_may_hold_a_name() -> None:
    """governor.spawned has a `name` in its context, which is not the barrier's."""
    seen: list[str] = []
    end = barriers.listen("governor.spawned", lambda name, pid: seen.append(name))
    barriers.reached("governor.spawned", name="h1", pid=7)
    end()
    assert seen == ["h1"]
