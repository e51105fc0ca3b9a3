"""Runs a function in a world of its own, once or twice."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from harness.errors import ExitCode
from harness.sim.errors import SimError
from harness.sim.results import result_difference
from harness.sim.tape import Tape
from harness.sim.trace import Difference, Event, Trace, first_difference
from harness.sim.world import World

T = TypeVar("T")

STACK = 24
"""Levels of the stack kept with each event when two runs are compared."""


@dataclass(frozen=True, slots=True)
class RunResult(Generic[T]):
    """What one run in a world gave.

    `value` is what the function returned; `digest` the hash of the history; `events` how many events it has; `tape`
    the choices, to replay; `elapsed` virtual seconds; `trace` the events themselves when ``trace=True`` was asked
    for.
    """

    value: T
    digest: str
    events: int
    tape: Tape
    elapsed: float
    trace: Trace


SIDES = ("one run", "the other")
"""As `Difference` calls them."""


class Nondeterministic(SimError):
    """Two runs of one seed had different histories; holds the first different event of both, with stacks."""

    exit_code = ExitCode.NONDETERMINISTIC

    def __init__(self, message: str, difference: Difference) -> None:
        super().__init__(message)
        self.difference = difference


def run(function: Callable[..., Any], *args: Any, seed: int = 0, **options: Any) -> RunResult[Any]:
    """Call ``function(*args)`` in a world; a coroutine function is run by `asyncio.run`.

    Raises what the function raises, and what ends a world: `Deadlock`, `Livelock`, `ThreadFailed`.

    >>> import time
    >>> run(time.sleep, 3600.0, seed=1).elapsed
    3600.0

    :param options: see `World`.
    """
    world = World(seed, **options)
    with world:
        value = _call(function, args)
    return RunResult(value, world.digest, len(world.trace), world.tape, world.elapsed, world.trace)


def check_determinism(function: Callable[..., Any], *args: Any, seed: int = 0, **options: Any) -> RunResult[Any]:
    """`run` twice, and compare the histories event by event, then the results; the result of the second run.

    The results show what no event does: a clock or a source of chance below the simulation. An error that `function`
    raises is part of the history: both runs must end with it, and then it is raised.

    :raises Nondeterministic: the runs differ; its text shows the first different event of both, and where each
    happened.
    """
    options = {**options, "trace": STACK}
    runs = [_observed(function, args, seed, options) for _ in range(2)]
    worlds = [world for world, _, _ in runs]
    difference = first_difference(*(world.trace for world in worlds))
    if difference is not None:
        told = "".join(_who_was_it(side, world.trace, difference.at) for side, world in zip(SIDES, worlds, strict=True))
        told += "".join(f"\n  real, and not replaced: {escape}" for escape in worlds[1].patcher.escapes())
        raise Nondeterministic(f"seed {seed} does not give one history: {difference}{told}", difference)
    _compare_results(seed, *((world, value) for world, value, _ in runs))
    world, value, error = runs[1]
    if error is not None:
        raise error
    return RunResult(value, world.digest, len(world.trace), world.tape, world.elapsed, world.trace)


def _compare_results(seed: int, *runs: tuple[World, Any]) -> None:
    """Raise `Nondeterministic` when the values that the two runs returned differ."""
    found = result_difference(*(value for _, value in runs))
    if found is None:
        return
    told = "".join(f"\n  real, and not replaced: {escape}" for escape in runs[1][0].patcher.escapes())
    events = [Event(world.kernel.now, "-", "result", (repr(value)[:200],)) for world, value in runs]
    raise Nondeterministic(
        f"seed {seed} gives one history, but two results: {found}{told}", Difference(len(runs[1][0].trace), *events)
    )


def _who_was_it(side: str, trace: Trace, index: int) -> str:
    """A moment at which time stopped has no stack: what happened next has, and is whose deadline it was."""
    events = trace.events[index:]
    if not events or events[0].stack:
        return ""
    following = next((event for event in events if event.stack), None)
    if following is None:
        return ""
    lines = [f"    {code.co_filename}:{line} in {code.co_name}" for code, line in following.stack]
    return "\n".join([f"\n  then {side}: {following}", *lines])


def _observed(
    function: Callable[..., Any], args: tuple[Any, ...], seed: int, options: dict[str, Any]
) -> tuple[World, Any, Exception | None]:
    """One run whose end is an event of its history."""
    world = World(seed, **options)
    value, error = None, None
    try:
        with world:
            value = _call(function, args)
    except Exception as raised:  # noqa: BLE001 - compared, then raised by the caller
        error = raised
    world.trace.add(world.kernel.now, "-", "outcome", (type(error).__name__,))
    return world, value, error


def _call(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return asyncio.run(function(*args)) if inspect.iscoroutinefunction(function) else function(*args)
