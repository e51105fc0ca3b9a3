"""Named semaphores of one world: what `multiprocessing`'s locks, events and queues are Python over.

None is real. Names are those of the world, so that nothing is left in ``/dev/shm``, and what another run has left
there changes no history. All processes that have opened a name have the same semaphore, and wait for it in virtual
time.
"""

from __future__ import annotations

import _multiprocessing  # type: ignore[import-not-found]
import errno
import itertools
from typing import TYPE_CHECKING, Any, Final

from harness.sim.errors import SimError
from harness.sim.kernel import current_thread
from harness.sim.machine.descriptors import failure
from harness.sim.waiting import WaitQueue

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine

_RealSemLock = _multiprocessing.SemLock
_RECURSIVE: Final = 0
_KINDS: Final = (_RECURSIVE, 1)


class Semaphore:
    """What the system keeps of one: its value, and who waits."""

    def __init__(self, machine: Machine, handle: int, value: int) -> None:
        self.handle = handle
        self.value = value
        self.freed = WaitQueue(machine.kernel, "a semaphore of multiprocessing")


class Semaphores:
    """The semaphores of one world, by name and by the handle that programs know them by."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._names: dict[str, Semaphore] = {}
        self._handles = itertools.count(1)

    def create(self, name: str, value: int, *, unlink: bool) -> Semaphore:
        """``sem_open`` of a name that is new. Raises FileExistsError."""
        self.machine.state()  # refuses the dead
        if name in self._names:
            raise failure(errno.EEXIST)
        made = Semaphore(self.machine, next(self._handles), value)
        if not unlink:
            self._names[name] = made
        return made

    def find(self, name: str) -> Semaphore:
        """``sem_open`` of a name that there is. Raises FileNotFoundError."""
        self.machine.state()
        found = self._names.get(name)
        if found is None:
            raise failure(errno.ENOENT)
        return found

    def unlink(self, name: str, /) -> None:
        """``_multiprocessing.sem_unlink``. Raises FileNotFoundError."""
        self.find(name)
        del self._names[name]


def semaphore_class(semaphores: Semaphores) -> type[Any]:
    """What stands for ``_multiprocessing.SemLock`` in one world."""

    class SemLock:
        """Threads of the host get a real one."""

        SEM_VALUE_MAX = _RealSemLock.SEM_VALUE_MAX

        def __new__(cls, *arguments: Any, **options: Any) -> Any:
            if current_thread() is None:
                return _RealSemLock(*arguments, **options)
            return _create(semaphores, *arguments, **options)

        @staticmethod
        def _rebuild(*arguments: Any) -> Any:
            if current_thread() is None:
                return _RealSemLock._rebuild(*arguments)
            _, kind, maxvalue, name = arguments
            return _SimSemLock(semaphores.machine, semaphores.find(name), kind, maxvalue, name)

    return SemLock


def _create(semaphores: Semaphores, kind: int, value: int, maxvalue: int, name: str, unlink: bool) -> _SimSemLock:
    if kind not in _KINDS:
        raise ValueError("unrecognized kind")
    if not 0 <= value <= _RealSemLock.SEM_VALUE_MAX:
        raise failure(errno.EINVAL)
    made = semaphores.create(name, value, unlink=unlink)
    return _SimSemLock(semaphores.machine, made, kind, maxvalue, None if unlink else name)


class _SimSemLock:
    """One process's hold on a semaphore: how often it has it, in which thread.

    Texts and order of the checks are those of CPython's ``Modules/_multiprocessing/semaphore.c``.
    """

    def __init__(self, machine: Machine, semaphore: Semaphore, kind: int, maxvalue: int, name: str | None) -> None:
        self._machine = machine
        self._semaphore = semaphore
        self._times = 0
        self._thread: object = None
        self.kind = kind
        self.maxvalue = maxvalue
        self.name = name

    @property
    def handle(self) -> int:
        """What the semaphore is known by."""
        return self._semaphore.handle

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take it, waiting up to `timeout` seconds, None: for ever."""
        if self.kind == _RECURSIVE and self._is_mine():
            self._times += 1
            return True
        semaphore = self._semaphore
        if not semaphore.value and not (block and self._wait(timeout)):
            return False
        semaphore.value -= 1
        self._times += 1
        self._thread = current_thread()
        return True

    def _wait(self, timeout: float | None) -> bool:
        """Whether its value is above zero in time."""
        if current_thread() is None:
            raise SimError("a semaphore of a simulated world is waited for outside of it: nobody will release it")
        machine, semaphore = self._machine, self._semaphore
        machine.state()  # refuses the dead
        kernel = machine.kernel
        end = None if timeout is None else kernel.now + machine.us(max(timeout, 0.0))
        while not semaphore.value:
            left = None if end is None else end - kernel.now
            if left is not None and left <= 0:
                return False
            semaphore.freed.wait(left)
        return True

    def release(self) -> None:
        """Let it go. Raises AssertionError, ValueError as the real one does."""
        if self.kind == _RECURSIVE:
            if not self._is_mine():
                raise AssertionError("attempt to release recursive lock not owned by thread")
            if self._times > 1:
                self._times -= 1
                return
        elif self._semaphore.value >= self.maxvalue:
            raise ValueError("semaphore or lock released too many times")
        self._semaphore.value += 1
        self._times -= 1
        if current_thread() is not None:
            self._semaphore.freed.notify()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    def _count(self) -> int:
        return self._times

    def _is_mine(self) -> bool:
        return self._times > 0 and self._thread is current_thread()

    def _get_value(self) -> int:
        return self._semaphore.value

    def _is_zero(self) -> bool:
        return not self._semaphore.value

    def _after_fork(self) -> None:
        self._times = 0
