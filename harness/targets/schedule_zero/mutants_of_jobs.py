"""Defects in what a job is given and in what is recorded of it (see `mutants`)."""

from __future__ import annotations

import threading
from typing import Any

from harness.targets.schedule_zero.mutant_registry import mutant


@mutant("results-mixed")
def _results_mixed() -> None:
    """Every fifth job is given the result of the job before it."""
    from schedule_zero.execution_log import Outcome
    from schedule_zero.job_executor import JobExecutor

    attempt = JobExecutor._attempt
    count, last = 0, None

    async def mix(self: Any, *args: Any) -> Any:
        nonlocal count, last
        outcome, result, error = await attempt(self, *args)
        count, before, last = count + 1, last, result
        mixed = count % 5 == 0 and outcome is Outcome.SUCCESS and before is not None
        return outcome, before if mixed else result, error

    JobExecutor._attempt = mix  # type: ignore[method-assign,assignment]


@mutant("timeouts-called-success")
def _timeouts_called_success() -> None:
    """A call that was not answered in time counts as done, with nothing for its result."""
    from schedule_zero.execution_log import Outcome
    from schedule_zero.job_executor import JobExecutor

    attempt = JobExecutor._attempt

    async def gloss_over(self: Any, *args: Any) -> Any:
        outcome, result, error = await attempt(self, *args)
        return (Outcome.SUCCESS, None, None) if outcome is Outcome.TIMEOUT else (outcome, result, error)

    JobExecutor._attempt = gloss_over  # type: ignore[method-assign,assignment]


@mutant("params-lost")
def _params_lost() -> None:
    """Every fifth call goes out without its parameters."""
    from schedule_zero.zmq_client import ZMQClient

    call = ZMQClient.call
    count = 0

    def lose(self: Any, method: str, params: Any = None, *args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        lost = count % 5 == 0 and method in ("work", "tick")
        return call(self, method, {} if lost else params, *args, **options)

    ZMQClient.call = lose  # type: ignore[method-assign]


@mutant("outcome-written-twice")
def _outcome_written_twice() -> None:
    """Every tenth outcome is written once more, as an error, over the first."""
    from schedule_zero import execution_log
    from schedule_zero.execution_log import Outcome
    from schedule_zero.job_executor import JobExecutor

    vars(execution_log)["_UPSERT"] = execution_log._UPSERT.rpartition("WHERE")[0]
    finish = JobExecutor._finish
    count = 0

    async def twice(self: Any, record: Any, outcome: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        final = await finish(self, record, outcome, **more)
        return final if count % 10 else await finish(self, record, Outcome.ERROR, error="written again")

    JobExecutor._finish = twice  # type: ignore[method-assign]


@mutant("one-call-at-a-time")
def _one_call_at_a_time() -> None:
    """One lock stands round all calls: who waits for a silent handler keeps all others waiting."""
    from schedule_zero.job_executor import JobExecutor

    call, lock = JobExecutor._call, threading.Lock()

    def alone(self: Any, *args: Any) -> Any:
        with lock:
            return call(self, *args)

    JobExecutor._call = alone  # type: ignore[method-assign,assignment]
