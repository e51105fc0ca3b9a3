"""Keeping the nemesis's promises while the run goes on: never more than ``overlap`` faults at once, ``quiet``
between.

The plan keeps them for the planned times; heals may take longer than planned, and events come when they come.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.scenario.model import Nemesis


class Gate:
    """Counts what is on. Used from one event loop; `now` gives scenario time in seconds."""

    def __init__(self, nemesis: Nemesis | None, now: Callable[[], float]) -> None:
        self._overlap = nemesis.overlap if nemesis and nemesis.overlap else math.inf
        self._quiet = nemesis.quiet if nemesis else 0.0
        self._now = now
        self._on = 0
        self._calm_since = -math.inf

    def refusal(self) -> str:
        """Why no fault may begin now; empty when one may."""
        if self._on >= self._overlap:
            return f"{self._on} faults are on, and the nemesis allows no more than {self._overlap:g} at once"
        if not self._on and self._now() < self._calm_since + self._quiet:
            return f"the nemesis keeps {self._quiet:g} s of quiet after all had healed"
        return ""

    def enter(self) -> None:
        """One more is on."""
        self._on += 1

    def leave(self) -> None:
        """One fewer is on."""
        self._on -= 1
        if not self._on:
            self._calm_since = self._now()
