"""The kinds of fault there are: those of the harness, and those of packages that register some.

A package adds a kind by an entry point in the group ``harness.faults`` whose value is the `Fault` class; its
name must be the kind's.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from harness.errors import UsageError
from harness.faults.base import Fault, Surroundings
from harness.faults.handler_silent import HandlerSilent
from harness.faults.handler_slow import HandlerSlow
from harness.faults.process_kill import ProcessKill
from harness.faults.process_pause import ProcessPause
from harness.faults.process_terminate import ProcessTerminate
from harness.faults.store_disk import StoreFailing, StoreFull
from harness.faults.store_locked import StoreLocked
from harness.faults.zmq_state import ZmqState
from harness.scenario.model import FaultSpec, When
from harness.targets.base import Place

GROUP = "harness.faults"
Kinds = Mapping[str, type[Fault[Any]]]

BUILT_IN: tuple[type[Fault[Any]], ...] = (
    ProcessKill,
    ProcessTerminate,
    ProcessPause,
    ZmqState,
    HandlerSilent,
    HandlerSlow,
    StoreLocked,
    StoreFull,
    StoreFailing,
)


class UnknownFault(UsageError):
    """There is no fault of that kind."""


class BadFault(UsageError):
    """A registered kind cannot be used: it clashes, does not load, or is no `Fault`."""


class BadArguments(UsageError):
    """The arguments do not fit the kind."""


def kinds(points: Callable[[], Iterable[EntryPoint]] | None = None) -> Kinds:
    """Every kind by name. Raises `BadFault` when two packages claim one, or one does not load.

    >>> sorted(kinds())[:2]
    ['handler.silent', 'handler.slow']
    """
    found: dict[str, type[Fault[Any]]] = {}
    for kind in BUILT_IN:
        _add(found, kind.kind, kind, "the harness")
    for point in points() if points else sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value)):
        _add(found, point.name, _load(point), f"the entry point {point.value!r}")
    return found


def of_kind(kind: str, among: Kinds | None = None) -> type[Fault[Any]]:
    """The class of one kind; raises `UnknownFault`, which lists the kinds and guesses which was meant."""
    known = kinds() if among is None else among
    if kind in known:
        return known[kind]
    near = difflib.get_close_matches(kind, known, 1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    raise UnknownFault(f"there is no fault {kind!r}{guess} There are: {', '.join(sorted(known))}")


def make(
    kind: str,
    place: Place,
    args: Mapping[str, Any],
    *,
    fault_id: str = "",
    trigger: When | None = None,
    seed: int = 0,
    surroundings: Surroundings | None = None,
    among: Kinds | None = None,
) -> Fault[Any]:
    """One fault, not yet injected. Raises `UnknownFault`, `BadArguments`, or `UsageError` for a place it does
    not accept.
    """
    cls = of_kind(kind, among)
    if place.kind not in cls.accepts:
        wanted = " or ".join(accepted.value for accepted in cls.accepts)
        raise UsageError(f"{kind} acts on a {wanted}; {place.name} is a {place.kind.value}")
    if trigger is not None and not cls.takes_trigger:
        raise UsageError(f"{kind} does not wait for `when` itself; whoever plays it does")
    return cls(
        place,
        arguments(cls, args),
        fault_id=fault_id,
        trigger=trigger,
        seed=seed,
        surroundings=surroundings,
    )


def arguments(cls: type[Fault[Any]], args: Mapping[str, Any]) -> Any:
    """`args` as the kind's own model; raises `BadArguments` that says of each what was expected and what was
    found.
    """
    try:
        return cls.args_model.model_validate(dict(args))
    except ValidationError as error:
        problems = [_problem(item) for item in error.errors()]
        known = ", ".join(cls.args_model.model_fields) or "none"
        raise BadArguments(f"{cls.kind}: {'; '.join(problems)}. Its arguments: {known}") from None


def lasting(spec: FaultSpec, among: Kinds | None = None) -> float | None:
    """Seconds that the fault lasts when ``for`` is not given; None: until the run ends."""
    cls = of_kind(spec.kind, among)
    return cls.lasts(arguments(cls, spec.options))


def _problem(item: Any) -> str:
    name = ".".join(str(part) for part in item["loc"])
    if item["type"] == "missing":
        return f"{name} is missing"
    if item["type"] == "extra_forbidden":
        return f"{name} is not an argument of it"
    message = item["msg"].removeprefix("Value error, ")
    return f"{name}: {message}" + ("" if "found" in message else f", found {item['input']!r}")


def _add(found: dict[str, type[Fault[Any]]], name: str, cls: type[Fault[Any]], source: str) -> None:
    if cls.kind != name:
        raise BadFault(f"{source} is registered as {name!r} but its kind is {cls.kind!r}; name it by its kind")
    if name in found and found[name] is not cls:
        raise BadFault(
            f"the kind {name!r} is claimed twice: by {found[name].__module__}.{found[name].__qualname__} and "
            f"by {source}; rename one"
        )
    found[name] = cls


def _load(point: EntryPoint) -> type[Fault[Any]]:
    try:
        cls = point.load()
    except Exception as error:  # a foreign package can fail in any way
        raise BadFault(
            f"the fault {point.name!r} ({point.value}) does not load: {type(error).__name__}: {error}"
        ) from error
    if not (isinstance(cls, type) and issubclass(cls, Fault)):
        raise BadFault(
            f"the entry point {point.name!r} ({point.value}) is {cls!r}; expected a subclass of "
            f"harness.faults.base.Fault"
        )
    return cls
