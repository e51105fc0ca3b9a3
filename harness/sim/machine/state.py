"""What the operating system keeps of one process."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.sim.machine.descriptors import Descriptor, DescriptorTable
from harness.sim.machine.files import RealFile, silence
from harness.sim.machine.signals import SignalTable
from harness.sim.machine.sqlite import abandon
from harness.sim.waiting import WaitQueue

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine
    from harness.sim.process import SimProcess


class OsState:
    """Descriptors, signals, children, files and exit functions of one process."""

    def __init__(self, machine: Machine, process: SimProcess) -> None:
        self.machine = machine
        self.process = process
        self.descriptors: dict[int, Descriptor] = {}
        self.table = DescriptorTable(machine.numbers, self.descriptors)
        self.signals = SignalTable(machine, process)
        self.files: weakref.WeakSet[Any] = weakref.WeakSet()
        self.children: dict[int, SimProcess] = {}
        self.at_exit: list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]] = []
        self.connections: weakref.WeakValueDictionary[int, sqlite3.Connection] = weakref.WeakValueDictionary()
        """Open SQLite connections: closed at death, which undoes what was not committed."""
        self.child_ended = WaitQueue(machine.kernel, f"the end of a child of {process.name}")
        self.umask = 0o022

    def died(self) -> None:
        """Close everything as the kernel does, tell the parent, hand the children on."""
        for entry in self.descriptors.values():
            if isinstance(entry.file, RealFile) and entry.file.references == 1:
                entry.file.dead = True
        for connection in list(self.connections.values()):
            abandon(connection)
        self.connections.clear()
        self.signals.clear()
        self.table.close_all()
        silence(self.files, self.machine.ghost)
        self.machine.locks_changed()
        self.machine.bury(self.process)
