"""What a governor driver needs of whatever it drives: the part of a `Target` that is about living and dying."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from harness.errors import ExitCode, HarnessError
from harness.history.records import AnyRecord
from harness.targets.base import Place, Reply, StopHow, StopResult


class Lifecycle(Protocol):
    """Something that is started and stopped. Every `harness.targets.base.Target` is one; times are seconds."""

    async def start(self) -> None:
        """Start everything and return when it is ready; raises what went wrong."""

    async def stop(self, how: StopHow = StopHow.TERM, *, timeout: float = 30.0, times: int = 1) -> StopResult:
        """Tell it `times` times to end and wait, then force it; stopping what is stopped does nothing."""

    async def call(self, op: str, args: Mapping[str, Any], *, timeout: float) -> Reply:
        """Make one operation."""

    def places(self) -> Sequence[Place]:
        """Its processes as they are right now."""

    async def probe(self) -> Mapping[str, float]:
        """Numbers as they are right now, ``registered-handlers`` among them while it is up; ``rss@h1`` is of
        the place h1.
        """

    async def add_handler(self, name: str) -> None:
        """Start one handler; returns when it is there."""

    async def remove_handler(self, name: str) -> None:
        """Stop one handler and forget it; returns when it is gone."""

    async def restart_handler(self, name: str) -> None:
        """Stop and start one handler; returns when it is there again."""

    async def audit(self, scope: str, *, timeout: float = 5.0) -> Iterable[AnyRecord]:
        """Look for what should be gone when it is stopped."""


class CycleError(HarnessError):
    """A step of a life cycle failed, or something was left behind; lists every failure."""

    exit_code = ExitCode.FAIL
