"""Time and chance as SQL sees them: ``CURRENT_TIMESTAMP``, ``datetime('now')``, ``random()``, ``randomblob()``.

SQLite reads the machine's clock and the machine's entropy in C. Each connection of a world gets functions of the same
names (https://sqlite.org/lang_datefunc.html) that put the process's wall clock in the place of ``'now'`` and leave
everything else to the engine's own, asked through a connection of the world's that nobody else sees. SQLite uses them
for a column's DEFAULT, in views and triggers, too.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from harness.sim.boundary.registry import Boundary, How
from harness.sim.kernel import current_thread

_REAL_CONNECT: Final = sqlite3.connect
_TIMES: Final = {
    **dict.fromkeys(("date", "time", "datetime", "julianday", "unixepoch"), (0,)),
    "strftime": (1,),
    "timediff": (0, 1),
}
"""Functions by name, with the places of their arguments that may say ``'now'``."""
_ALONE: Final = {"current_date": "date", "current_time": "time", "current_timestamp": "datetime"}
_SMALLEST: Final = -(2**63)

BOUNDARY = (
    *(
        Boundary(f"sqlite3: {name}", How.SIMULATED, "'now' is the wall clock of the calling process")
        for name in sorted([*_TIMES, *(name.upper() for name in _ALONE)])
    ),
    Boundary("sqlite3: random()", How.SIMULATED, "draws from os.urandom, which is simulated"),
    Boundary("sqlite3: randomblob()", How.SIMULATED, "draws from os.urandom, which is simulated"),
    Boundary("sqlite3.Connection", How.PASSED, "made directly it is not simulated: call sqlite3.connect"),
)


class SqlFunctions:
    """The functions of one world.

    >>> with World(seed=1):                                                       # doctest: +SKIP
    ...     sqlite3.connect(":memory:").execute("SELECT datetime('now')").fetchone()
    ('2026-01-01 00:00:00',)
    """

    def __init__(self) -> None:
        self._engine: sqlite3.Connection | None = None
        self._known: frozenset[str] = frozenset()

    def give(self, connection: sqlite3.Connection) -> None:
        """Have `connection` call these instead of the engine's."""
        self._open()
        make = connection.create_function
        for name, places in _TIMES.items():
            if name in self._known:
                # As the engine's own they may stand in an index; with constants they are computed once a statement.
                make(name, -1, self._at(name, places), deterministic=True)
        for name, function in _ALONE.items():
            make(name, 0, self._at(function, (0,)), deterministic=True)
        make("random", 0, _random)
        make("randomblob", 1, self._random_blob)

    def close(self) -> None:
        """Let go of the engine that was asked."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _at(self, name: str, places: tuple[int, ...]) -> Callable[..., Any]:
        def function(*arguments: Any) -> Any:
            given = list(arguments)
            if len(given) == places[0]:
                given.append("now")  # what a left out time means
            for place in places:
                if place < len(given) and _is_now(given[place]):
                    given[place] = _now()
            return self._ask(f"SELECT {name}({', '.join('?' * len(given))})", given)

        return function

    def _random_blob(self, size: Any) -> bytes:
        return os.urandom(max(1, self._ask("SELECT CAST(? AS INTEGER)", (size,)) or 0))

    def _ask(self, sql: str, arguments: Any) -> Any:
        """One value from an engine without these functions."""
        return self._open().execute(sql, arguments).fetchone()[0]

    def _open(self) -> sqlite3.Connection:
        if self._engine is None:
            self._engine = _REAL_CONNECT(":memory:", check_same_thread=False, isolation_level=None)
            self._known = frozenset(name for (name,) in self._engine.execute("SELECT name FROM pragma_function_list"))
        return self._engine


def _is_now(argument: Any) -> bool:
    if isinstance(argument, bytes):
        return argument.lower() == b"now"
    return isinstance(argument, str) and argument.lower() == "now"


def _now() -> str:
    """The caller's wall clock, as SQLite writes times; read without the wait that reading a clock often may cost."""
    me = current_thread()
    instant = time.time() if me is None else me.process.clock.wall(me.kernel.now) / 1e6
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _random() -> int:
    value = int.from_bytes(os.urandom(8), "big", signed=True)
    return value if value != _SMALLEST else 0
