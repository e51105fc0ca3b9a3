"""``process.pause``: a process stands still by SIGSTOP: it holds its sockets, locks and leases, and answers
nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import psutil

from harness.errors import FaultError
from harness.faults.base import Fault, NoArgs, Surroundings
from harness.faults.ownership import ProcessGone, own_process
from harness.faults.signals import ended, send, stopped, wait_for
from harness.targets.base import Place, PlaceKind

_STOPPED_WITHIN = 5.0
_ROUNDS = 5


class ProcessPause(Fault[NoArgs]):
    """Stop one process with the members of its process group; continue them all to heal.

    The kernel keeps accepting connections for a stopped process and libzmq's heartbeats fall silent, which a
    hung handler's do not. A pause longer than the scheduler's lease is the most revealing of all faults.
    """

    kind: ClassVar[str] = "process.pause"
    about: ClassVar[str] = "a process and its group stand still by SIGSTOP; SIGCONT heals"
    accepts: ClassVar[tuple[PlaceKind, ...]] = (PlaceKind.PROCESS, PlaceKind.HANDLER)

    _members: tuple[psutil.Process, ...] = ()

    def inject(self) -> Mapping[str, Any]:
        """Stop them; returns when every one of them stands still."""
        leader = own_process(self.place, self.surroundings)
        try:
            self._stop_all(leader)
        except BaseException:
            self.heal()
            raise
        return {"pids": [member.pid for member in self._members]}

    def heal(self) -> Mapping[str, Any]:
        """Continue whoever is still there."""
        members, self._members = self._members, ()
        continued = [member for member in reversed(members) if send(member, signal.SIGCONT)]
        frozen = [m.pid for m in continued if not wait_for(lambda m=m: not stopped(m), _STOPPED_WITHIN)]  # type: ignore[misc]
        if frozen:
            raise FaultError(
                f"{self.place.name}: pids {frozen} still stand still {_STOPPED_WITHIN:g} s after SIGCONT"
            )
        return {"pids": [member.pid for member in continued]}

    def _stop_all(self, leader: psutil.Process) -> None:
        """Stop the leader, then its group, again until no new member was forked meanwhile."""
        for _ in range(_ROUNDS):
            known = {member.pid for member in self._members}
            new = [m for m in _group(leader, self.place, self.surroundings) if m.pid not in known]
            if not new:
                return
            for member in new:
                self._stop(member, must=member.pid == leader.pid)
        raise FaultError(f"{self.place.name}: its process group grew faster than it could be stopped")

    def _stop(self, member: psutil.Process, *, must: bool) -> None:
        if not send(member, signal.SIGSTOP):
            if must:
                raise FaultError(
                    f"{self.place.name} (pid {member.pid}) ended by itself just before it was to be paused"
                )
            return
        self._members += (member,)
        if not wait_for(lambda: stopped(member) or ended(member), _STOPPED_WITHIN):
            raise FaultError(
                f"{self.place.name}: pid {member.pid} does not stand still {_STOPPED_WITHIN:g} s after SIGSTOP"
            )


def _group(leader: psutil.Process, place: Place, surroundings: Surroundings) -> list[psutil.Process]:
    """The leader first, then the others of its group, by pid. A process in somebody else's group is paused
    alone.
    """
    try:
        if os.getpgid(leader.pid) != leader.pid:
            return [leader]
    except ProcessLookupError:
        return [leader]
    members = [leader]
    for pid in sorted(psutil.pids()):
        if pid != leader.pid and _group_of(pid) == leader.pid:
            try:
                members.append(own_process(replace(place, pid=pid, started=0.0), surroundings))
            except ProcessGone:
                continue
    return members


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return 0
