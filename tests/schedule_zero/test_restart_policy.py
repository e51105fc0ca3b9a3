"""When an ended process is started again."""

from __future__ import annotations

import pytest

from schedule_zero.deployment import RestartSettings
from schedule_zero.governor_base import RestartPolicy
from schedule_zero.restart_policy import Restarts

pytestmark = [pytest.mark.unit, pytest.mark.governor]


@pytest.mark.parametrize(
    ("policy", "exit_code", "delay"),
    [
        ("always", 0, 5.0), ("always", 1, 5.0), ("always", -9, 5.0),
        ("on-failure", 0, None), ("on-failure", 1, 5.0), ("on-failure", -9, 5.0),
        ("never", 0, None), ("never", 1, None), ("never", -9, None),
    ],
)  # fmt: skip
def test_the_policy_decides_by_the_exit_code(policy: str, exit_code: int, delay: float | None) -> None:
    """`always` restarts a clean end too, `on-failure` every other, `never` none."""
    restarts = Restarts(RestartSettings(RestartPolicy(policy)))

    assert restarts.delay_after(exit_code, uptime=1.0) == delay


def test_delays_grow_to_their_bound_and_end() -> None:
    """Back-off multiplies, is bounded, and stops at max_restarts."""
    restarts = Restarts(RestartSettings(max_restarts=4, restart_delay=1.0, backoff=3.0, max_delay=10.0))

    assert [restarts.delay_after(1, 0.5) for _ in range(6)] == [1.0, 3.0, 9.0, 10.0, None, None]


def test_a_healthy_period_starts_the_count_anew() -> None:
    """A process that ran well for long has all its restarts again."""
    restarts = Restarts(RestartSettings(max_restarts=1, restart_delay=1.0, healthy_after=60.0))
    assert [restarts.delay_after(1, 1.0), restarts.delay_after(1, 59.9)] == [1.0, None]

    assert restarts.delay_after(1, 60.0) == 1.0


def test_a_reset_starts_the_count_anew() -> None:
    """A restart by hand gives all automatic ones back."""
    restarts = Restarts(RestartSettings(max_restarts=1, restart_delay=1.0))
    restarts.delay_after(1, 0.0)

    restarts.reset()

    assert restarts.delay_after(1, 0.0) == 1.0


@pytest.mark.parametrize("policy", list(RestartPolicy))
def test_a_wrong_configuration_is_not_tried_again(policy: RestartPolicy) -> None:
    """Exit code 2 would be the same next time."""
    assert Restarts(RestartSettings(policy)).delay_after(2, 0.0) is None


def test_a_store_that_is_away_is_waited_for_however_long() -> None:
    """Exit code 9 is no crash: it is tried again for ever, at most the longest delay apart, and uses up no restart."""
    restarts = Restarts(RestartSettings(max_restarts=1, restart_delay=1.0, backoff=3.0, max_delay=10.0))

    assert [restarts.delay_after(9, 15.0) for _ in range(2000)] == [1.0, 3.0, 9.0] + [10.0] * 1997
    assert [restarts.delay_after(1, 1.0), restarts.delay_after(1, 1.0)] == [1.0, None]
