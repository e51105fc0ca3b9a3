"""Children of a process: how they are started, how their end is waited for."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from harness.sim.errors import NotSimulated
from harness.sim.kernel import us
from harness.sim.machine.command_line import Program
from harness.sim.machine.descriptors import DescriptorTable, OpenFile, failure
from harness.sim.machine.files import REAL_CLOSE, REAL_DUP, REAL_FSTAT, RealFile
from harness.sim.machine.pipes import NullFile, OutsideInput, PipeWriter
from harness.sim.machine.startup import Start, run
from harness.sim.polling import not_yet
from harness.sim.process import SimProcess
from harness.sim.threads import process_main

if TYPE_CHECKING:
    from harness.sim.machine.machine import Machine
    from harness.sim.machine.state import OsState

_STANDARD: Final = (0, 1, 2)
_CHDIR: Final = "noexec:chdir" if sys.version_info >= (3, 13) else "noexec"
"""What a child tells `subprocess` when its working directory cannot be entered."""


class PidFile(OpenFile):
    """What a pidfd stands for: readable when its process has ended."""

    kind = "pidfd"

    def __init__(self, machine: Machine, process: SimProcess) -> None:
        super().__init__(machine.kernel, f"pidfd of {process.name}")
        self.process = process
        process.on_exit.append(self.became_readable)

    def poll(self) -> int:
        """POLLIN once the process is a zombie or gone."""
        return 0 if self.process.alive else select.POLLIN


class ChildCalls:
    """Each method has the meaning and the errors of the function of `os` with its name."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def fork_exec(
        self,
        args: Sequence[Any],
        executables: Sequence[bytes],
        close_fds: bool,
        keep: Sequence[int],
        cwd: Any,
        env: Sequence[bytes] | None,
        p2cread: int,
        p2cwrite: int,
        c2pread: int,
        c2pwrite: int,
        errread: int,
        errwrite: int,
        errpipe_read: int,
        errpipe_write: int,
        restore_signals: bool,
        new_session: bool,
        process_group: int,
        *rest: Any,
    ) -> int:
        """``_posixsubprocess.fork_exec``, which `subprocess.Popen` is made on, with its positional arguments."""
        machine = self._machine
        if any(value is not None for value in rest[:3]):
            raise NotSimulated("Popen(user=, group=, extra_groups=) is not simulated: there is one user")
        preexec = rest[4] if len(rest) > 4 else None
        words = [os.fsdecode(word) for word in args]
        folder = os.path.abspath(os.fsdecode(cwd)) if cwd is not None else os.getcwd()  # noqa: PTH100, PTH109
        environment = _environment(env)
        parent = machine.state()
        try:
            _require_folder(folder)
            program = machine.programs.find([os.fsdecode(one) for one in executables], words, folder, environment)
        except OSError as error:
            return self._stillborn(parent, words, error, _CHDIR if error.filename else "", errpipe_write)
        if program.kind == "input":
            _require_input(parent.table, p2cread)
        words = list(program.command) or words
        environment.update(program.env)
        name = machine.programs.name(program, words, environment)
        process = machine.kernel.new_process(name, parent=parent.process, argv=words, env=environment, cwd=folder)
        if new_session:
            process.session = process.group = process.pid
        elif process_group >= 0:
            process.group = process_group or process.pid
        state = machine.state(process)
        state.signals.inherit(parent.signals)
        state.umask = parent.umask
        self._hand_down(parent.table, state.table, (p2cread, c2pwrite, errwrite), keep, close_fds, errpipe_write)
        self._begin(state, program, preexec, errpipe_write if preexec is not None else None, parent.table)
        return process.pid

    def _begin(
        self,
        state: OsState,
        program: Program,
        preexec: Callable[[], object] | None,
        report: int | None,
        table: DescriptorTable,
    ) -> None:
        machine = self._machine
        low, high = machine.start_up
        delay = machine.kernel.draw("start", us(low), us(high), state.process.name)
        if report is not None:
            state.table.add(table.get(report).file, report)
        start = Start(machine, state, program, delay, preexec, report)
        machine.kernel.spawn(state.process, "MainThread", process_main(lambda: run(start)))

    def _hand_down(
        self,
        parent: DescriptorTable,
        child: DescriptorTable,
        standard: Sequence[int],
        keep: Sequence[int],
        close_fds: bool,
        never: int,
    ) -> None:
        """Give a child its standard streams and what it inherits."""
        for number, given in zip(_STANDARD, standard, strict=True):
            file = self._shared(parent, number if given == -1 else given)
            if number == 0 and isinstance(file, RealFile) and not stat.S_ISREG(file.status().st_mode):
                # A terminal or a pipe of the real world: whoever read it would make the whole world wait.
                given_null = given != -1 and _is_null(file.real)
                REAL_CLOSE(file.real)
                file = (NullFile if given_null else OutsideInput)(self._machine.kernel, os.devnull)
            if file is not None:
                child.add(file, number, inheritable=True)
        inherited = keep if close_fds else [number for number, entry in parent.entries.items() if entry.inheritable]
        for number in inherited:
            if number == never or number in _STANDARD:
                continue
            file = self._shared(parent, number)
            if file is None:
                raise failure(errno.EBADF)
            child.add(file, number, inheritable=True)

    def _shared(self, parent: DescriptorTable, number: int) -> OpenFile | None:
        """The open file for a child: a real one gets a descriptor of its own, with the same position."""
        entry = parent.entries.get(number)
        if entry is not None and not isinstance(entry.file, RealFile):
            return entry.file
        real = entry.file.real if entry is not None and isinstance(entry.file, RealFile) else number
        try:
            return RealFile(self._machine.kernel, self._machine, REAL_DUP(real))
        except OSError:
            return None

    def _stillborn(self, parent: OsState, words: Sequence[str], error: OSError, what: str, report: int) -> int:
        """A child that could not begin: it says why on the pipe of `subprocess`, and ends with 255."""
        machine = self._machine
        process = machine.kernel.new_process(f"unborn:{os.path.basename(words[0])}", parent=parent.process, argv=words)  # noqa: PTH119
        machine.state(process)
        writer = parent.table.get(report).file
        assert isinstance(writer, PipeWriter)
        writer.write(f"OSError:{error.errno or 0:x}:{what}".encode())
        process.kill(255)
        return process.pid

    # -- waiting

    def waitpid(self, pid: int, options: int) -> tuple[int, int]:
        """Take the exit status of a child."""
        state = self._machine.state()
        if pid > 0:
            child = state.children.get(pid)
            wanted = [] if child is None else [child]
        else:
            group = state.process.group if pid == 0 else -pid
            wanted = [one for one in state.children.values() if pid == -1 or one.group == group]
        if not wanted:
            raise failure(errno.ECHILD)
        while True:
            dead = next((child for child in wanted if not child.alive), None)
            if dead is not None:
                return self._take(state, dead)
            if options & os.WNOHANG:
                not_yet()
                return (0, 0)
            if len(wanted) == 1:
                wanted[0].exited.wait()
            else:
                state.child_ended.wait()
            if not any(child.pid in state.children for child in wanted):
                raise failure(errno.ECHILD)  # ignored SIGCHLD, or another thread was quicker

    def _take(self, state: OsState, child: SimProcess) -> tuple[int, int]:
        del state.children[child.pid]
        child.reap()
        code = child.exit_code or 0
        return child.pid, -code if code < 0 else (code & 0xFF) << 8

    def wait(self) -> tuple[int, int]:
        """``os.wait``."""
        return self.waitpid(-1, 0)

    def wait4(self, pid: int, options: int) -> tuple[int, int, Any]:
        """``os.wait4``; nobody uses resources."""
        import resource

        return (*self.waitpid(pid, options), resource.struct_rusage((0.0, 0.0, *[0] * 14)))

    def pidfd_open(self, pid: int, flags: int = 0) -> int:
        """A descriptor of a process."""
        machine = self._machine
        file = PidFile(machine, machine.find(pid))
        file.nonblocking = bool(flags)
        return machine.state().table.add(file).number

    # -- who is who

    def getpid(self) -> int:
        """Of the calling process."""
        return self._machine.kernel.current_process.pid

    def getppid(self) -> int:
        """Of its parent; 1 for orphans and for the process that opened the world."""
        parent = self._machine.kernel.current_process.parent
        return 1 if parent is None or not parent.alive else parent.pid

    def getpgid(self, pid: int) -> int:
        """The group of a process."""
        return (self._machine.find(pid) if pid else self._machine.kernel.current_process).group

    def getpgrp(self) -> int:
        """The group of the caller."""
        return self._machine.kernel.current_process.group

    def getsid(self, pid: int) -> int:
        """The session of a process."""
        return (self._machine.find(pid) if pid else self._machine.kernel.current_process).session

    def setsid(self) -> None:
        """Begin a session."""
        me = self._machine.kernel.current_process
        if me.group == me.pid:
            raise failure(errno.EPERM)
        me.session = me.group = me.pid

    def setpgid(self, pid: int, group: int) -> None:
        """Move a process into a group."""
        process = self._machine.find(pid) if pid else self._machine.kernel.current_process
        process.group = group or process.pid

    def setpgrp(self) -> None:
        """Lead a group of its own."""
        self.setpgid(0, 0)

    def exit_now(self, status: int) -> None:
        """``os._exit``."""
        self._machine.kernel.current_process.exit(int(status) & 0xFF)

    def abort(self) -> None:
        """``os.abort``."""
        self._machine.kernel.current_process.kill(-6)


def _environment(env: Sequence[bytes] | None) -> dict[str, str]:
    if env is None:
        return dict(os.environ)
    return {os.fsdecode(key): os.fsdecode(value) for key, _, value in (entry.partition(b"=") for entry in env)}


def _require_input(table: DescriptorTable, given: int) -> None:
    """Refuse to read a program from outside of the world, where it may be a terminal, or nothing, or come in real time.

    `given` is the number that the child gets for its standard input; -1: it inherits it.
    """
    number = 0 if given == -1 else given
    entry = table.entries.get(number)
    file = None if entry is None else entry.file
    if file is None or isinstance(file, RealFile):
        real = number if file is None else file.real
        outside = not (stat.S_ISREG(REAL_FSTAT(real).st_mode) or (given != -1 and _is_null(real)))
    else:
        outside = isinstance(file, OutsideInput)
    if outside:
        raise NotSimulated("an interactive interpreter is not simulated: give it a program, or stdin= in the world")


def _is_null(real: int) -> bool:
    status, null = REAL_FSTAT(real), os.stat(os.devnull)  # noqa: PTH116 - no more than its numbers
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == null.st_rdev


def _require_folder(folder: str) -> None:
    if not os.path.isdir(folder):  # noqa: PTH112
        code = errno.ENOTDIR if os.path.exists(folder) else errno.ENOENT  # noqa: PTH110
        raise failure(code, folder)
