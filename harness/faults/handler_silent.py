"""``handler.silent``: a handler takes calls and never answers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from harness.faults.base import Args
from harness.faults.handler_behaviour import HandlerBehaviour
from harness.mocks.behaviours import Behaviour, Silent


class SilentArgs(Args):
    """Arguments of `HandlerSilent`."""

    ping: bool = Field(default=True)
    """Whether it still answers pings, as a handler does whose method hangs while its socket's thread lives."""


class HandlerSilent(HandlerBehaviour[SilentArgs]):
    """Have a handler swallow every call, so that callers run into their time-outs."""

    kind: ClassVar[str] = "handler.silent"
    about: ClassVar[str] = "a handler takes calls and never answers: callers run into time-outs"
    args_model: ClassVar[type[Args]] = SilentArgs

    def value(self) -> Mapping[str, Any]:
        """``{"silent": true}``, or ``{"silent": {"ping": false}}``."""
        return {"silent": True if self.args.ping else {"ping": False}}

    def behaviour(self, before: Behaviour) -> Behaviour:
        """Silence, whatever it did before."""
        return Silent(ping=self.args.ping)
