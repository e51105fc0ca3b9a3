"""What of the operating system's modules a simulated world leaves alone, for which reason.

Every callable of `MODULES` is replaced in a world, in the boundary registry, or here. One that is none of these (a new
Python has brought it, nobody has thought of it) lets real time, chance or the real process into a world, unnoticed:
`forgotten` finds it, a test asks that.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, Final

from harness.sim.boundary.registry import Boundary, How

MODULES: Final = (
    *("os", "posix", "signal", "_signal", "fcntl", "resource", "select", "socket", "_socket", "time", "_thread"),
)
"""Where programs reach the operating system."""

_UNDER: Final = {"posix": "os", "_signal": "signal", "_socket": "socket"}
"""Modules of C, by those in which programs name the same things."""

_REASONS: Final[dict[str, tuple[str, str]]] = {
    "Python over names that are replaced": (
        "os",
        "_Environ _execvpe _fwalk _get_exports_list _spawnvef _walk _wrap_close fdopen fwalk get_exec_path getenv "
        "getenvb makedirs removedirs renames walk",
    ),
    "paths, folders and attributes of real files": (
        "os",
        "access chmod chown getxattr lchown link listxattr lstat mkdir pathconf readlink remove removexattr rename "
        "replace rmdir setxattr symlink unlink utime",
    ),
    "the user is the real one, and nobody can become another": (
        "os",
        "getegid geteuid getgid getgrouplist getgroups getresgid getresuid getuid",
    ),
    "computes, or names, what is the same on every machine of the kind": (
        "os",
        "PathLike WCOREDUMP WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED WIFSTOPPED WSTOPSIG WTERMSIG "
        "_exists _fspath _path_normpath _path_splitroot _path_splitroot_ex confstr "
        "ctermid device_encoding fsdecode fsencode fspath major makedev minor sched_get_priority_max "
        "sched_get_priority_min strerror sysconf waitstatus_to_exitcode _is_inputhook_installed",
    ),
    "the type of a result": (
        "os",
        "DirEntry sched_param stat_result statvfs_result terminal_size times_result uname_result waitid_result",
    ),
    "forking is fenced": ("os", "register_at_fork"),
    "takes a terminal or a timer, and none can be made": (
        "os",
        "grantpt unlockpt ptsname timerfd_gettime timerfd_gettime_ns timerfd_settime timerfd_settime_ns _inputhook",
    ),
    "names and types of signals": (
        "signal",
        "Handlers ItimerError Sigmasks Signals _enum_to_int _int_to_enum strsignal struct_siginfo valid_signals",
    ),
    "raises KeyboardInterrupt": ("signal", "default_int_handler"),
    "the size of a page of memory, the type of a result": ("resource", "getpagesize struct_rusage"),
    "Python over simulated sockets": (
        "socket",
        "SocketIO _fallback_socketpair _GiveupOnSendfile has_dualstack_ipv6 recv_fds send_fds",
    ),
    "computes, or names, addresses and numbers": (
        "socket",
        "AddressFamily AddressInfo CMSG_LEN CMSG_SPACE MsgFlag SocketKind _intenum_converter htonl htons inet_aton "
        "inet_ntoa inet_ntop inet_pton ntohl ntohs gaierror herror",
    ),
    "read from the real files /etc/protocols, /etc/services": ("socket", "getprotobyname getservbyname getservbyport"),
    "computes with times that it is given": ("time", "mktime strptime struct_time"),
    "tells of clocks, not of times": ("time", "clock_getres get_clock_info pthread_getcpuclockid"),
    "simulated threads are real ones, and each has its own": (
        "_thread",
        "_ExceptHookArgs _count _excepthook _get_main_thread_ident _is_main_interpreter _local _shutdown exit "
        "exit_thread get_ident stack_size daemon_threads_allowed",
    ),
    "the import system needs real locks and threads; those of `threading` are simulated": (
        "_thread",
        "LockType RLock _ThreadHandle _make_thread_handle _set_sentinel allocate lock",
    ),
}

_INSIDE: Final = frozenset(
    (
        *(f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime", "strftime")),
        *(f"socket.{name}" for name in ("create_connection", "create_server", "fromfd")),
    )
)
"""Functions that stay the objects that they are: time-machine redirects those of time, the others make a
``socket.socket``."""


def harmless() -> dict[str, str]:
    """The reason by the dotted name.

    >>> harmless()["os.fspath"]
    'computes, or names, what is the same on every machine of the kind'
    """
    return {f"{module}.{name}": why for why, (module, names) in _REASONS.items() for name in names.split()}


def callables() -> Iterator[tuple[str, Any]]:
    """Dotted name and object of whatever the modules of this Python offer to be called."""
    for label in MODULES:
        module = importlib.import_module(label)
        for name, value in sorted(vars(module).items()):
            if callable(value) and not name.startswith("__") and _is_of(module, value):
                yield f"{label}.{name}", value


def forgotten(before: Iterable[tuple[str, Any]], boundary: Iterable[Boundary]) -> list[str]:
    """Names of `before` (`callables` outside of a world) that are real in the world that is open, for no known reason.

    What `boundary` says to be simulated or fenced, and is real all the same, is one of them.
    """
    known = harmless() | {entry.name: entry.why for entry in boundary if entry.how is How.PASSED}
    beyond = {entry.name for entry in boundary if entry.how is not How.PASSED and entry.name in _INSIDE}
    left = []
    for name, value in before:
        label, _, own = name.rpartition(".")
        if vars(importlib.import_module(label))[own] is value:
            names = {name, f"{_UNDER.get(label, label)}.{own}"}
            if names.isdisjoint(known) and names.isdisjoint(beyond):
                left.append(name)
    return left


def _is_of(module: ModuleType, value: Any) -> bool:
    """Whether it is the module's own, not something that it has imported, and no exception of Python's."""
    home = getattr(value, "__module__", None)
    if isinstance(value, type) and issubclass(value, BaseException) and home == "builtins":
        return False
    return home is None or home in MODULES or home == "builtins"
