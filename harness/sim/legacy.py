"""What a world leaves behind: nothing that would keep it alive, or a descriptor open.

A killed process closes nothing and forgets nothing: its tasks are pending for ever, its loops open. Libraries have
registries for all of an interpreter's loops and tasks, from which closing or ending takes them; through those one
object would keep the whole world. A campaign plays hundreds of worlds in one process.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from harness.sim.boundary.order import SimTask
from harness.sim.errors import SimError
from harness.sim.loop import SimLoop
from harness.sim.queues import SimpleQueue
from harness.sim.thread import LOCAL
from harness.sim.unwinding import unwound

if TYPE_CHECKING:
    from harness.sim.kernel import Kernel

REGISTRIES = (
    ("anyio._backends._asyncio", "_task_states"),  # a task's state knows its scope, and that the task: weak in vain
    ("anyio._backends._asyncio", "_run_vars"),
    ("anyio.lowlevel", "_run_vars"),
    ("tornado.ioloop", "IOLoop._ioloop_for_asyncio"),  # open loops are looked for there, and strong
)
"""Modules that may be loaded, and mappings in them whose keys are tasks or loops."""


class _Gone:
    """Stands for the machine of a world that has ended, in what was made of it and is still held."""

    def __getattr__(self, name: str) -> Any:
        raise SimError(f"this belongs to a simulated world that has ended; its machine is asked for {name}")


_GONE = _Gone()


def let_go(kernel: Kernel) -> None:
    """Take apart what an ended world is still held by, then collect it; all of its threads have ended.

    Its processes and what they report (names, exit codes) stay: they are looked at after the end, too.
    """
    if LOCAL.thread is not kernel.main or kernel.broken:
        return
    with unwound(kernel):
        _close_coroutines(kernel)
    for module, path in REGISTRIES:
        _purge(module, path, kernel)
    machine = getattr(kernel, "machine", None)
    for made in gc.get_objects():  # what was there before the world is frozen, hence not among them
        if type(made) is SimLoop and made._kernel is kernel:
            _empty(made)
        elif type(made) is SimpleQueue:
            made.forget()  # a module that was imported inside may keep it
        elif isinstance(made, type) and vars(made).get("machine", kernel) is machine:
            made.machine = _GONE  # type: ignore[attr-defined] # socket.socket, which signatures of such modules name
    for process in kernel.processes:
        if process is not kernel.main.process:
            process.values.clear()
            process.on_exit.clear()
            process.threads.clear()
    kernel.timers.heap.clear()
    with unwound(kernel):
        gc.collect()


def _close_coroutines(kernel: Kernel) -> None:
    """End what tasks of the dead still run, from where it waits: their frames hold everything that was in use."""
    tasks: list[Any] = [made for made in gc.get_objects() if type(made) is SimTask and not made.done()]
    for task in tasks:
        if getattr(task.get_loop(), "_kernel", None) is kernel:
            task._log_destroy_pending = False
            with contextlib.suppress(BaseException):  # it is not the program's any more, whatever it raises
                task.get_coro().close()


def _purge(module: str, path: str, kernel: Kernel) -> None:
    """Take the tasks and loops of this world out of a library's mapping."""
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, MutableMapping):
        return
    for key in list(found):
        loop = key.get_loop() if isinstance(key, SimTask) else key
        if isinstance(loop, SimLoop) and loop._kernel is kernel:
            with contextlib.suppress(KeyError):
                del found[key]


def _empty(loop: Any) -> None:
    """A loop that nobody will ever run again, and that holds nobody."""
    loop._ready.clear()
    loop._scheduled.clear()
    loop._signal_handlers.clear()
    loop._sim_selector.forget()
    loop._default_executor = None
    loop._exception_handler = None
    loop._closed = True
