"""Faults of the simulated machine's disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine


class Disk:
    """TEMP"""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.durable = False

    def before_open(self, path: Any, flags: int) -> None: ...
    def before_write(self, real: int) -> None: ...
    def synced(self, real: int) -> None: ...
    def close(self) -> None: ...
