"""The arguments of each call: Faker values and handler globs, drawn from the run's seed."""

from __future__ import annotations

import datetime
import decimal
import difflib
import enum
import fnmatch
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from harness.errors import UsageError
from harness.scenario.values import FakerRef

if TYPE_CHECKING:
    from faker import Generator

_GLOB: Final = frozenset("*?[")


class StreamSource(Protocol):
    """Where random streams come from: `harness.scenario.streams.Streams`."""

    def stream(self, name: str) -> random.Random:
        """The stream of that name, seeded from the run's seed and the name alone."""


class Payloads:
    """Makes the arguments of calls for every workload of one run.

    Each workload draws from a stream of its own, so that adding one changes no value of another, and the nth
    call of a workload carries the same values in every run of one seed. ``handler: "h*"`` is resolved call by
    call to one of `handlers`, each as likely as the next. Dates, decimals, sets and bytes that Faker makes
    become JSON values.

    Example:
        >>> class Fixed:
        ...     def stream(self, name: str) -> random.Random:
        ...         return random.Random(name)
        >>> draw = Payloads(Fixed(), ("h1", "h2", "x1")).source("jobs", {"handler": "h*", "params": {"n": 1}})
        >>> draw()["params"], {draw()["handler"] for _ in range(50)} == {"h1", "h2"}
        ({'n': 1}, True)
    """

    def __init__(self, streams: StreamSource, handlers: Sequence[str] = ()) -> None:
        self._streams = streams
        self._handlers = tuple(handlers)
        self._sources: dict[str, _Values] = {}

    def source(self, workload: str, args: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
        """A function that makes the arguments of the next call of `workload`.

        Constant parts are shared between calls: do not change them in place. Raises `UsageError` now, not in
        the middle of a run, for a Faker provider that does not exist and for a glob that matches no handler.
        """
        values = self._sources.setdefault(workload, _Values(self._streams.stream(f"data/{workload}")))
        parts = {key: self._part(key, value, values) for key, value in args.items()}
        constant = {key: value for key, value in args.items() if parts[key] is None}
        drawn = [(key, part) for key, part in parts.items() if part is not None]

        def draw() -> dict[str, Any]:
            made = dict(constant)
            for key, part in drawn:
                made[key] = part()
            return made

        return draw

    def draw(self, workload: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of one call; `source` is quicker for many."""
        return self.source(workload, args)()

    def _part(self, key: str, value: Any, values: _Values) -> Callable[[], Any] | None:
        if key == "handler" and isinstance(value, str) and _GLOB & set(value):
            return self._handler(value, values.rng)
        return values.maker(value)

    def _handler(self, pattern: str, rng: random.Random) -> Callable[[], str]:
        names = [name for name in self._handlers if fnmatch.fnmatchcase(name, pattern)]
        if not names:
            known = ", ".join(self._handlers) or "none at all"
            raise UsageError(f"`handler: {pattern}` matches no handler of the topology; there is {known}")
        # One draw a call whatever the number of handlers, so that a wider glob shifts no other value of the
        # stream.
        return lambda: names[int(rng.random() * len(names))]


class _Values:
    """The random stream of one workload, and the Faker that is seeded from it once somebody needs one."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._faker: Generator | None = None

    def maker(self, value: Any) -> Callable[[], Any] | None:
        """A function that draws the `FakerRef` in `value`; None when there is none in it."""
        if isinstance(value, FakerRef):
            return self._provider(value)
        if isinstance(value, Mapping):
            return self._container({key: (self.maker(v), v) for key, v in value.items()})
        if isinstance(value, list | tuple):
            inner = self._container({str(n): (self.maker(v), v) for n, v in enumerate(value)})
            return None if inner is None else lambda: list(inner().values())
        return None

    @staticmethod
    def _container(
        parts: dict[str, tuple[Callable[[], Any] | None, Any]],
    ) -> Callable[[], dict[str, Any]] | None:
        if all(make is None for make, _ in parts.values()):
            return None
        return lambda: {key: value if make is None else make() for key, (make, value) in parts.items()}

    def _provider(self, ref: FakerRef) -> Callable[[], Any]:
        if self._faker is None:
            # Late: Faker looks for all its providers and loads them, which takes a tenth of a second.
            from faker import Factory

            self._faker = Factory.create("en_US")
            self._faker.seed_instance(self.rng.getrandbits(64))
        provider = None if ref.provider.startswith("_") else getattr(self._faker, ref.provider, None)
        if not callable(provider):
            raise UsageError(_unknown_provider(ref.provider, self._faker))
        try:
            provider(*ref.args)
        except Exception as error:
            raise UsageError(f"!faker {ref.provider} does not take {list(ref.args)}: {error}") from error
        return lambda: plain(provider(*ref.args))


def _unknown_provider(name: str, faker: Generator) -> str:
    known = [word for word in dir(faker) if not word.startswith("_")]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "; see https://faker.readthedocs.io/en/stable/providers.html"
    return f"Faker has no provider {name!r}{hint}"


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: dates in ISO 8601, decimals as numbers, sets sorted, bytes as hex.

    >>> plain({"on": datetime.date(2024, 5, 1), "sum": decimal.Decimal("1.5"), "tags": {"b", "a"}})
    {'on': '2024-05-01', 'sum': 1.5, 'tags': ['a', 'b']}
    """
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, enum.Enum):
        return plain(value.value)
    return str(value) if isinstance(value, uuid.UUID) else repr(value)
