"""Where a simulated world meets the real one: what is replaced, what is refused, what is let through.

`harness.sim.boundary.registry.all()` lists every name; ``python -m harness.sim.boundary`` prints the list as JSON.
"""

from __future__ import annotations

from harness.sim.boundary.patcher import NotRestored, Patcher
from harness.sim.boundary.registry import Boundary, How, Registry

__all__ = ["Boundary", "How", "NotRestored", "Patcher", "Registry"]
