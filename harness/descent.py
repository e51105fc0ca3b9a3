"""A mark that every descendant of a process carries, whatever it does to its environment, its session or its parents.

A daemon leaves its parents, and ``env -i`` clears the environment, but resource limits are inherited across fork and
exec. Linux has one that limits nothing: that of file locks (``RLIMIT_LOCKS``, not enforced since 2.4.25, getrlimit(2)).
Its soft value is the mark: any process may lower it and raise it again, and no program has a reason to.

What escapes: a process that another program starts on request (``systemd-run``, ``at``, a container), one that sets
this very limit (a login through pam_limits), and every process where this is not Linux; nothing is marked there. There
is one mark at a time: a second replaces the first.

`mark` is for whoever is to be ended by it. `marked` marks whatever this process starts meanwhile, by whichever thread,
strangers included; it is for those that only tell what they have found.

>>> import subprocess
>>> child = subprocess.Popen(["env", "-i", "sleep", "60"])
>>> mark(child.pid, mark_of("an example"))
>>> carries(child.pid, mark_of("an example")), carries(child.pid, mark_of("another"))
(True, False)
>>> child.kill()
>>> child.wait()
-9
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
from collections.abc import Iterator

import psutil

_LOCKS = 10
"""``RLIMIT_LOCKS``; Python's `resource` knows the number and not the name."""
_BYTES = 7
_LOOKS = 5
"""How often `mark` looks for children that were there before their parent was marked; each generation takes a look."""
_LIMITS_LINE = b"Max file locks"
"""How the line begins in ``/proc/PID/limits``, which tells it of other users' processes, too (proc(5))."""


def mark_of(tag: str) -> int:
    """The mark that stands for a text: a number of 56 bits, never 0."""
    return int.from_bytes(hashlib.blake2b(tag.encode(), digest_size=_BYTES).digest(), "big") or 1


def mark(pid: int, number: int) -> None:
    """Have a process of ours that was started just now carry the mark `number`, and whatever it starts from then on.

    What it has started already is marked as well, as far as it is its descendant still. Does nothing where there are no
    such limits, and to a process that is gone.
    """
    if not _set(pid, number):
        return
    for _ in range(_LOOKS):  # one that was unmarked when we looked may have started another since
        unmarked = [child for child in _children(pid) if not carries(child, number)]
        if not [child for child in unmarked if _set(child, number)]:
            return


@contextlib.contextmanager
def marked(mark: int) -> Iterator[None]:
    """Whatever this process starts inside carries `mark`, by whichever thread. Does nothing where there are no such
    limits, or where somebody uses them for something else.
    """
    before = _limits(0)
    could = _set(0, mark)
    try:
        yield
    finally:
        if could and before is not None:
            resource.prlimit(0, _LOCKS, before)


def _set(pid: int, number: int) -> bool:
    """Whether the process could be marked."""
    before = _limits(pid)
    if before is None:
        return False
    try:
        resource.prlimit(pid, _LOCKS, (number, before[1]))
    except (OSError, ValueError):  # gone, of another user, or with a hard limit that is lower
        return False
    return True


def _children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def carries(pid: int, mark: int) -> bool:
    """Whether a process was started with `mark`, by whom ever; False for one that is gone."""
    limits = _limits(pid)
    return limits is not None and limits[0] == mark


def carriers(mark: int) -> list[int]:
    """Process ids of all that carry `mark`, but for this process and for zombies."""
    return [pid for pid in psutil.pids() if pid != os.getpid() and carries(pid, mark) and _lives(pid)]


def belongs(process: psutil.Process, tag: str, variable: str) -> bool:
    """Whether the run with this tag has started a process, which lives: the environment it was started with says so in
    `variable`, or it carries the mark of the tag. False for one that is gone, and where nobody may know.
    """
    try:
        ours = bool(tag) and (carries(process.pid, mark_of(tag)) or process.environ().get(variable) == tag)
        return ours and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def _limits(pid: int) -> tuple[int, int] | None:
    """Soft and hard limit of a process (0: this one)."""
    try:
        return resource.prlimit(pid, _LOCKS)
    except PermissionError:
        return _told(pid)
    except (AttributeError, OSError, ValueError):  # not Linux, an emulation without it, or no such process
        return None


def _told(pid: int) -> tuple[int, int] | None:
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:  # noqa: PTH123 - a Path for each process doubles the cost
            found = [line.removeprefix(_LIMITS_LINE).split() for line in file if line.startswith(_LIMITS_LINE)]
        return _number(found[0][0]), _number(found[0][1])
    except (OSError, ValueError, IndexError):
        return None


def _number(text: bytes) -> int:
    return resource.RLIM_INFINITY if text == b"unlimited" else int(text)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
