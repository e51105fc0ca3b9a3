"""Which faults are on: injected one by one, healed in reverse order whatever stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import FaultError
from harness.faults.base import Fault
from harness.faults.worker import TooLong, in_thread
from harness.history.records import Fault as FaultRecord
from harness.history.records import FaultEvent

Note = Callable[[FaultRecord], None]
GRACE = 1.0
"""Seconds beyond its own deadline after which a fault's thread is given up."""


@dataclass(eq=False)
class Entry:
    """One fault at one place that is on. ``keep`` leaves it on until the very end; ``armed`` has not struck
    yet.
    """

    fault: Fault[Any]
    keep: bool = False
    armed: bool = False


class Ledger:
    """Every fault that is on, in the order of injection. Used from one event loop.

    Each injection and each heal runs in a thread of its own and has a deadline; what it leads to is noted as a
    `Fault` record.
    """

    def __init__(
        self, note: Note, now: Callable[[], float], to_scenario: Callable[[float], float] = lambda moment: moment
    ) -> None:
        self._note = note
        self._now = now
        self._to_scenario = to_scenario
        self._on: list[Entry] = []
        self.unhealed: list[str] = []
        """One sentence for each fault that could not be healed."""
        self.told: set[str] = set()
        """The ids of the faults of which is known what became of them: injected, failed or skipped."""

    @property
    def on(self) -> tuple[Entry, ...]:
        """What is on now, oldest first."""
        return tuple(self._on)

    def record(self, fault_id: str, kind: str, event: FaultEvent, place: str = "", **detail: Any) -> None:
        """Note something in the life of a fault."""
        self._append(FaultRecord(at=self._now(), id=fault_id, kind=kind, event=event, place=place, detail=detail))

    def _append(self, record: FaultRecord) -> None:
        if record.event is not FaultEvent.ARMED:
            self.told.add(record.id)
        self._note(record)

    async def inject(self, fault: Fault[Any], *, keep: bool = False, arm: bool = False) -> Entry | None:
        """Inject one fault (or arm it); None, and a record that says why, when it could not be."""
        name = f"inject {fault.fault_id} at {fault.place.name}"
        asked = self._now()
        try:
            detail = await in_thread(
                fault.inject, timeout=fault.deadline + GRACE, name=name, late=lambda done: fault.heal()
            )
        except TooLong:
            self._tell(
                fault,
                FaultEvent.FAILED,
                {"error": f"not injected within {fault.deadline:g} s; it is undone should it come late"},
            )
            return None
        except Exception as error:  # noqa: BLE001 - a kind may fail in any way; the run goes on and the record says so
            self._tell(fault, FaultEvent.FAILED, {"error": _text(error)})
            return None
        entry = Entry(fault, keep=keep, armed=arm)
        self._on.append(entry)
        # What is armed may strike before its arming is heard of here: its time is that of the asking.
        if arm:
            self._tell(fault, FaultEvent.ARMED, detail, at=asked)
        else:
            met = {"met_by": fault.met_by.value} if fault.met_by else {}
            self._tell(fault, FaultEvent.INJECTED, {**detail, **met})
        return entry

    async def heal(self, entries: Sequence[Entry]) -> None:
        """Heal these, newest first; what cannot be healed is noted in `unhealed` and given up."""
        for entry in [e for e in reversed(self._on) if e in entries]:
            if entry in self._on:  # nobody else heals it meanwhile
                self._on.remove(entry)
                await self._heal(entry)

    async def _heal(self, entry: Entry) -> None:
        fault = entry.fault
        try:
            detail = await in_thread(
                fault.heal, timeout=fault.deadline + GRACE, name=f"heal {fault.fault_id} at {fault.place.name}"
            )
        except TooLong:
            self._failed_heal(fault, f"not healed within {fault.deadline:g} s")
        except Exception as error:  # noqa: BLE001 - the others must be healed whatever this one says
            self._failed_heal(fault, _text(error))
        else:
            self._healed(entry, detail)

    def _healed(self, entry: Entry, detail: Mapping[str, Any]) -> None:
        if entry.armed and not detail.get("struck"):
            when = entry.fault.trigger
            waited = f"{when.event} did not come often enough" if when else "its moment did not come"
            if detail.get("gone"):
                waited = "its process ended first, or right after"
            self._tell(entry.fault, FaultEvent.SKIPPED, {"reason": f"armed, but it never struck: {waited}"})
            return
        at = [self._to_scenario(moment) for moment in detail.get("at", ())]
        if entry.armed:
            self._tell(entry.fault, FaultEvent.INJECTED, {"struck": detail["struck"]}, at=at[0] if at else None)
        # A strike is over at once, so what is disarmed later has been over since its last one.
        told = {key: value for key, value in detail.items() if key != "at"} | ({"strikes": at} if at else {})
        self._tell(entry.fault, FaultEvent.HEALED, told, at=at[-1] if at else None)

    def struck(self, entry: Entry, at: Sequence[float]) -> None:
        """An armed fault is known to have struck at these moments (monotonic s): it counts as injected since the
        first."""
        entry.armed = False
        self._tell(entry.fault, FaultEvent.INJECTED, {"struck": len(at)}, at=self._to_scenario(at[0]))

    def _failed_heal(self, fault: Fault[Any], why: str) -> None:
        self.unhealed.append(f"{fault.fault_id} ({fault.kind} at {fault.place.name}): {why}")
        self._tell(fault, FaultEvent.FAILED, {"error": why, "while": "healing"})

    def _tell(
        self, fault: Fault[Any], event: FaultEvent, detail: Mapping[str, Any], *, at: float | None = None
    ) -> None:
        moment = self._now() if at is None else at
        self._append(
            FaultRecord(
                at=moment, id=fault.fault_id, kind=fault.kind, event=event, place=fault.place.name, detail=dict(detail)
            )
        )


def _text(error: BaseException) -> str:
    return str(error) if isinstance(error, FaultError) else f"{type(error).__name__}: {error}"
