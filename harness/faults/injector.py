"""Plays a fault plan against a target while a run goes on, and heals everything whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

from harness.errors import FaultError, HarnessError
from harness.faults.base import Fault
from harness.faults.gate import Gate
from harness.faults.ledger import Entry, Ledger
from harness.faults.plan import DrawsFrom, PlannedFault
from harness.faults.registry import Kinds, kinds, lasting, make, of_kind
from harness.faults.run_surroundings import RunSurroundings
from harness.faults.selectors import select
from harness.faults.triggers import Trigger, trigger_of
from harness.faults.worker import TooLong, in_thread
from harness.history.recorder import Recorder
from harness.history.records import AnyRecord, FaultEvent
from harness.scenario.model import Scenario
from harness.targets.base import Place, Target

_LOOK_AGAIN = 0.05
"""Seconds between two looks whether the nemesis lets a fault begin."""
_ASK_STRUCK = 0.25
"""Seconds between two questions to an agent whether an armed fault has struck."""


class Injector:
    """Plays `plan` at scenario time, from `start` to `stop`; as an async context manager it does both.

    A fault whose selector fits nothing at its moment is recorded as ``skipped`` with the reason, one that
    cannot be injected as ``failed``; the run goes on in both cases. `stop` heals all that is on, in reverse
    order, each with a deadline, and only then raises `FaultError` for what could not be healed. Faults with
    ``keep: true`` stay on until `release`.

    `allow` names places outside the run that may be touched all the same.
    """

    def __init__(
        self,
        scenario: Scenario,
        plan: Sequence[PlannedFault],
        target: Target,
        recorder: Recorder,
        streams: DrawsFrom,
        *,
        allow: Sequence[str] = (),
        among: Kinds | None = None,
    ) -> None:
        self._plan = tuple(plan)
        self._target = target
        self._recorder = recorder
        self._streams = streams
        self._allow = tuple(allow)
        self._kinds = kinds() if among is None else among
        self._ledger = Ledger(recorder.append, recorder.now, recorder.to_scenario)
        self._gate = Gate(scenario.nemesis, recorder.now)
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._healing: set[asyncio.Task[Any]] = set()
        self._moved = asyncio.Event()
        """Some task has begun to heal."""
        self._busy: set[str] = set()
        self._draws: dict[str, int] = {}
        self._triggers: dict[str, Trigger] = {}
        self._unsubscribe: Callable[[], None] = lambda: None

    @property
    def active(self) -> tuple[str, ...]:
        """The faults that are on now, as ``id@place``, oldest first."""
        return tuple(
            f"{entry.fault.fault_id}@{entry.fault.place.name}" for entry in self._ledger.on if not entry.armed
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        except FaultError as unhealed:
            if error is None:
                raise
            error.add_note(str(unhealed))

    async def start(self) -> None:
        """Begin to play; scenario time must have begun. Raises `UsageError` when the plan names a kind or
        arguments that do not exist.
        """
        for planned in self._plan:
            lasting(planned.spec, self._kinds)
        self._loop = asyncio.get_running_loop()
        self._surroundings = RunSurroundings(self._target, self._loop, self._allow)
        begun = [(planned.spec.id, self._begin(planned)) for planned in self._plan]
        self._triggers = {name: trigger for name, trigger in begun if trigger is not None}

        def see_all(record: AnyRecord) -> None:
            for trigger in self._triggers.values():
                trigger.see(record)

        if self._triggers:
            self._unsubscribe = self._recorder.subscribe(see_all)

    async def stop(self) -> None:
        """End the play and heal everything but what is to be kept. A second call does nothing more.

        When the caller is cancelled meanwhile, the healing is still finished first: each step of it has a
        deadline.
        """
        ending = asyncio.create_task(self._stop(), name="heal all faults")
        cancelled: asyncio.CancelledError | None = None
        while not ending.done():
            try:
                await asyncio.wait({ending})
            except asyncio.CancelledError as error:
                cancelled = error
        ending.result()
        if cancelled is not None:
            raise cancelled
        if self._ledger.unhealed:
            raise FaultError("could not be healed: " + "; ".join(self._ledger.unhealed))

    async def release(self) -> None:
        """Heal also what was to be kept; called when the run has been judged: nothing is left behind."""
        await self._ledger.heal(self._ledger.on)

    async def _stop(self) -> None:
        self._unsubscribe()
        self._stopping.set()
        # A heal that is under way may wait for what another fault holds up: a handler for a governor that stands still.
        while beginning := [task for task in self._tasks if task not in self._healing]:
            moved = asyncio.ensure_future(self._moved.wait())
            await asyncio.wait({moved, *beginning}, return_when=asyncio.FIRST_COMPLETED)
            moved.cancel()
            self._moved.clear()
        await self._ledger.heal([entry for entry in self._ledger.on if not entry.keep])
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        for planned in self._plan:
            if planned.spec.id not in self._ledger.told:
                self._skip(planned, self._unmet(planned))

    def _unmet(self, planned: PlannedFault) -> str:
        """Why a fault was never tried."""
        over = f"the run phase ended at {self._recorder.now():.3f} s"
        trigger = self._triggers.get(planned.spec.id)
        if trigger is None:
            begin = planned.occurrences[0].start if planned.occurrences else planned.window[0]
            return f"{over}, before its time, {begin:g} s"
        nth = trigger.when.nth
        waited = "the odds never fell on it" if nth is None else f"it waited for number {nth}"
        return f"{over}; {trigger.when.event} had come {trigger.seen} times, and {waited}"

    def _begin(self, planned: PlannedFault) -> Trigger | None:
        """Start what plays one fault; returns its trigger when it waits for an event of the history."""
        spec = planned.spec
        if planned.left_out:
            self._ledger.record(spec.id, spec.kind, FaultEvent.SKIPPED, reason=planned.left_out)
            return None
        if spec.when is not None and of_kind(spec.kind, self._kinds).takes_trigger:
            self._spawn(self._armed(planned))
            return None
        when = trigger_of(spec)
        if when is None:
            times = [[o.start, o.end] for o in planned.occurrences]
            self._ledger.record(spec.id, spec.kind, FaultEvent.ARMED, times=times)
            self._spawn(self._timed(planned))
            return None
        self._ledger.record(
            spec.id, spec.kind, FaultEvent.ARMED, when=when.model_dump(mode="json", exclude_none=True)
        )

        def fire() -> None:
            self._loop.call_soon_threadsafe(lambda: self._spawn(self._fired(planned)))

        return Trigger(when, planned.window, self._streams.stream(f"faults/{spec.id}/odds"), fire, own=spec.id)

    async def _timed(self, planned: PlannedFault) -> None:
        for occurrence in planned.occurrences:
            await self._until(occurrence.start)
            while (refusal := self._gate.refusal()) and not await self._pause(_LOOK_AGAIN):
                pass
            if self._stopping.is_set():
                if refusal:
                    self._skip(planned, refusal)
                return
            await self._episode(planned, None if occurrence.end is None else occurrence.end - occurrence.start)

    async def _fired(self, planned: PlannedFault) -> None:
        spec = planned.spec
        if self._stopping.is_set() or spec.id in self._busy:
            return
        if refusal := self._gate.refusal():
            self._skip(planned, refusal)
            return
        over_at_once = lasting(spec, self._kinds) is not None
        await self._episode(planned, None if spec.keep else spec.length or (0.0 if over_at_once else None))

    async def _episode(self, planned: PlannedFault, length: float | None) -> None:
        """Inject one fault wherever it is meant; heal it `length` seconds later, or leave that to the end."""
        self._gate.enter()
        self._busy.add(planned.spec.id)
        entries = [
            entry
            for fault in self._resolve(planned)
            if (entry := await self._ledger.inject(fault, keep=planned.spec.keep))
        ]
        if entries and (length is None or await self._pause(length)):
            return  # still on: `stop` heals it, in its turn
        await self._heal_in_time(entries)
        self._busy.discard(planned.spec.id)
        self._gate.leave()

    async def _heal_in_time(self, entries: Sequence[Entry]) -> None:
        """Heal what is over; the end of the run does not wait for that before it heals the rest."""
        task = asyncio.current_task()
        assert task is not None
        self._healing.add(task)
        self._moved.set()
        try:
            await self._ledger.heal(entries)
        finally:
            self._healing.discard(task)

    async def _armed(self, planned: PlannedFault) -> None:
        """Have agents wait for the event inside the processes, for as long as the window is open."""
        begin, end = planned.window
        await self._until(begin)
        if self._stopping.is_set():
            return
        entries = await self._arm(planned)
        while entries and self._recorder.now() < end and not await self._pause(_ASK_STRUCK):
            for entry in list(entries):
                at = await self._strikes(entry)
                if entry.armed and at:
                    self._ledger.struck(entry, at)
                if len(at) == entry.fault.most_strikes:
                    await self._ledger.heal([entry])  # it is over: who waits for its heal need not wait for the end
                    entries.remove(entry)
            if lost := [entry for entry in entries if self._came_back(entry)]:
                await self._ledger.heal(lost)
                entries = await self._arm(planned)
        if not self._stopping.is_set():
            await self._ledger.heal(entries)

    async def _arm(self, planned: PlannedFault) -> list[Entry]:
        faults = self._resolve(planned, armed=True)
        return [entry for fault in faults if (entry := await self._ledger.inject(fault, arm=True))]

    def _came_back(self, entry: Entry) -> bool:
        """Whether the process that was armed has a successor, which knows nothing of the arming."""
        old = entry.fault.place
        return bool(old.pid) and any(
            place.name == old.name and place.kind is old.kind and place.pid not in (0, old.pid)
            for place in self._target.places()
        )

    async def _strikes(self, entry: Entry) -> Sequence[float]:
        try:
            return await in_thread(
                entry.fault.strikes, timeout=entry.fault.deadline, name=f"ask {entry.fault.fault_id}"
            )
        except (TooLong, FaultError):
            return ()  # its process is gone or busy; disarming will tell

    def _resolve(self, planned: PlannedFault, *, armed: bool = False) -> list[Fault[Any]]:
        """The faults at the places that ``where`` means now; none, and a record that says why, when it means
        nothing.
        """
        spec = planned.spec
        rng = self._streams.stream(f"faults/{spec.id}/where/{self._next(spec.id)}")
        try:
            cls = of_kind(spec.kind, self._kinds)
            places = select(spec.where, self._target.places(), rng, accepts=cls.accepts)
            return [self._make(planned, place, rng, armed=armed) for place in places]
        except HarnessError as error:
            self._skip(planned, str(error))
            return []

    def _make(self, planned: PlannedFault, place: Place, rng: random.Random, *, armed: bool) -> Fault[Any]:
        spec = planned.spec
        return make(
            spec.kind,
            place,
            spec.options,
            fault_id=spec.id,
            trigger=spec.when if armed else None,
            seed=rng.getrandbits(31),
            surroundings=self._surroundings,
            among=self._kinds,
        )

    def _next(self, fault_id: str) -> int:
        """Counts the times that a fault's places were drawn, so that each draw has a stream of its own."""
        self._draws[fault_id] = self._draws.get(fault_id, 0) + 1
        return self._draws[fault_id]

    def _skip(self, planned: PlannedFault, reason: str) -> None:
        self._ledger.record(planned.spec.id, planned.spec.kind, FaultEvent.SKIPPED, reason=reason)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="fault")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until(self, moment: float) -> None:
        """Sleep until `moment` in scenario time, or until the end of the play."""
        await self._pause(max(0.0, moment - self._recorder.now()))

    async def _pause(self, seconds: float) -> bool:
        """Whether the play ended within `seconds`."""
        if seconds > 0:
            # Not asyncio.wait_for: it takes another number of turns of the loop on Python 3.11 than on later ones.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
        return self._stopping.is_set()
