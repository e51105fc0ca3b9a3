"""Tests whose body runs in a simulated world: the fixture `sim_world`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import inspect
import shlex
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.errors import UsageError
from harness.pytest.alarm import TimeUp, put_off, threads

if TYPE_CHECKING:
    from harness.sim import World

FIXTURE = "sim_world"
MARKER = "sim"
THREADS = pytest.StashKey[tuple[str, str]]()
"""What the threads of the world were doing when the time-out struck."""
WORLD = pytest.StashKey["World"]()


@pytest.fixture
def sim_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The body of the test runs in this simulated world: virtual time, seeded chance, simulated threads, processes,
    sockets. A coroutine function is run by `asyncio.run`.

    ``@pytest.mark.sim(seed=7, latency=(1_000, 5_000))`` gives the options of `harness.sim.World`; ``seeds=100`` makes
    one test for each of the seeds 1..100. Without them the seed is made of the test's name; ``--harness-seed`` goes
    first. Other fixtures are set up and torn down outside of the world. A test that fails says its seed and how to
    run it again.
    """
    from harness.sim import World

    options = options_of(request.node)
    options.pop("seeds", None)
    seed = options.pop("seed", None)
    given = request.config.getoption("--harness-seed")
    chosen = next((n for n in (getattr(request, "param", None), given, seed) if n is not None), None)
    world = World(zlib.crc32(request.node.nodeid.encode()) if chosen is None else chosen, **options)
    request.node.stash[WORLD] = world
    test = request.node.obj
    before = threading.enumerate()
    request.node.obj = _inside(world, test, request.node, before)
    yield world
    request.node.obj = test


def options_of(node: pytest.Item) -> dict[str, Any]:
    """The arguments of the marker ``sim``, the nearest first."""
    found: dict[str, Any] = {}
    for marker in node.iter_markers(MARKER):
        if marker.args:
            raise UsageError(f"@pytest.mark.{MARKER} takes named options only, such as seed=7; found {marker.args}")
        found = {**marker.kwargs, **found}
    return found


def one_for_each_seed(metafunc: pytest.Metafunc) -> None:
    """Make a test with ``seeds`` one test a seed; ``--harness-seed`` leaves that one."""
    options = options_of(cast("pytest.Item", metafunc.definition))
    if options and FIXTURE not in metafunc.fixturenames:
        raise UsageError(
            f"{metafunc.definition.nodeid}: @pytest.mark.{MARKER}({', '.join(options)}=…) gives options to a simulated "
            f"world, and the test has none: add the argument {FIXTURE}"
        )
    seeds = options.get("seeds")
    if seeds is None:
        return
    if isinstance(seeds, str | bool) or not (seeds >= 1 if isinstance(seeds, int) else list(seeds)):
        raise UsageError(
            f"{metafunc.definition.nodeid}: seeds={seeds!r} makes no test: give a number, 1 or more, or a list of seeds"
        )
    given = metafunc.config.getoption("--harness-seed")
    chosen: Iterable[int] = range(1, seeds + 1) if isinstance(seeds, int) else seeds
    numbers = [given] if given is not None else list(chosen)
    metafunc.parametrize(FIXTURE, numbers, indirect=True, ids=[f"seed{number}" for number in numbers])


def _inside(
    world: World, test: Callable[..., Any], node: pytest.Item, before: Sequence[threading.Thread]
) -> Callable[..., None]:
    """The test as a function that opens the world first."""

    @functools.wraps(test)
    def call(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        _refuse_real_threads(before)
        with _time_outs_told(world, node), world:
            if inspect.iscoroutinefunction(test):
                asyncio.run(test(*args, **kwargs))
            else:
                test(*args, **kwargs)

    return call


def _refuse_real_threads(before: Sequence[threading.Thread]) -> None:
    """Raise UsageError for what a fixture has started since: it would run beside the world, in real time."""
    since = [t.name for t in threading.enumerate() if t not in before and not t.name.startswith("pytest_timeout")]
    if since:
        raise UsageError(
            f"a fixture started the thread {since[0]!r} for a test with {FIXTURE}: fixtures are set up outside of the "
            "simulated world, and real threads do not meet simulated ones; start it in the body of the test, or in a "
            "context manager that the body enters"
        )


@contextlib.contextmanager
def _time_outs_told(world: World, node: pytest.Item) -> Iterator[None]:
    """Note what every simulated thread waits for when the time-out strikes; its handler comes when the world is closed.

    That handler, pytest-timeout's, looks at threads and prints: inside, it would do so as one of the world's.
    """

    def stop(again: bool) -> None:
        node.stash[THREADS] = threads(world)
        raise TimeUp

    # Dumps go back to what they were before the alarm's own handler comes: its report has a section of the threads.
    with put_off(stop), _dumps_told(world):
        yield


@contextlib.contextmanager
def _dumps_told(world: World) -> Iterator[None]:
    """Where the time-out is a thread's, which prints stacks and ends the process, print the simulated threads too."""
    try:
        plugin: Any = importlib.import_module("pytest_timeout")
    except ImportError:
        yield
        return
    dump = plugin.dump_stacks

    def dump_with_threads(terminal: Any) -> None:
        dump(terminal)
        title, text = threads(world)
        terminal.sep("~", title=title)
        terminal.write(text + "\n")

    plugin.dump_stacks = dump_with_threads
    try:
        yield
    finally:
        plugin.dump_stacks = dump


def sections(item: pytest.Item) -> Iterator[tuple[str, str]]:
    """What the report of a failed test says of its world."""
    world = item.stash.get(WORLD, None)
    if world is None:
        return
    again = ["pytest", item.nodeid]
    if "[seed" not in item.name:
        again.append(f"--harness-seed={world.seed}")
    yield (
        "simulated world",
        f"seed {world.seed}, {world.elapsed:.6f} s of virtual time, digest {world.digest}\nagain: {shlex.join(again)}",
    )
    if THREADS in item.stash:
        yield item.stash[THREADS]
