"""One audit hook serves everybody who watches, for as long as he watches."""

from __future__ import annotations

import sys
from typing import Any

from harness.sim.boundary.audit import AuditHook


def test_each_watcher_hears_his_events_while_he_watches() -> None:
    """Two watchers of one event both hear it; one that rests hears nothing more, and the other goes on."""
    hook, heard = AuditHook(), []

    def one(event: str, arguments: tuple[Any, ...]) -> None:
        heard.append(("one", event, arguments))

    def other(event: str, arguments: tuple[Any, ...]) -> None:
        heard.append(("other", event, arguments))

    hook.watch(("tests.sim.a", "tests.sim.b"), one)
    hook.watch(("tests.sim.b",), other)
    sys.audit("tests.sim.a", 1)
    sys.audit("tests.sim.b", 2)
    hook.rest(one)
    hook.rest(one)
    sys.audit("tests.sim.a", 3)
    sys.audit("tests.sim.b", 4)
    hook.rest(other)
    sys.audit("tests.sim.b", 5)

    assert heard == [
        ("one", "tests.sim.a", (1,)),
        ("one", "tests.sim.b", (2,)),
        ("other", "tests.sim.b", (2,)),
        ("other", "tests.sim.b", (4,)),
    ]
