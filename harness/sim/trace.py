"""The trace of a run: what happened in which order, as one rolling hash or event by event."""

from __future__ import annotations

import hashlib
import sys
from types import CodeType, FrameType
from typing import NamedTuple

Stack = tuple[tuple[CodeType, int], ...]
"""Innermost first: code and line of each frame."""

Raw = tuple[int, str, str, tuple[str | int, ...]] | int
"""An event as it is kept; a bare number is a moment at which time stopped."""


class Event(NamedTuple):
    """One happening at `now` (microseconds of world time) in the thread labelled `who`."""

    now: int
    who: str
    kind: str
    detail: tuple[str | int, ...]
    stack: Stack = ()

    def __str__(self) -> str:
        return " ".join([f"{self.now / 1e6:.6f}", self.who, self.kind, *map(str, self.detail)])


class Difference(NamedTuple):
    """The first event in which two runs differ; None stands for the end of that run's trace."""

    at: int
    left: Event | None
    right: Event | None

    def __str__(self) -> str:
        lines = [f"the runs differ first at event {self.at}:"]
        for side, event in (("one run", self.left), ("the other", self.right)):
            lines.append(f"  {side}: {event if event is not None else 'had ended'}")
            if event is not None:
                lines += (f"    {code.co_filename}:{line} in {code.co_name}" for code, line in event.stack)
        return "\n".join(lines)


class Trace:
    """Takes in events; their hash is the identity of the run.

    :param keep: keep every event, not only the hash.
    :param stacks: keep also where each event happened: frames of that many levels; 0: none.
    """

    __slots__ = ("_batch", "_events", "_hash", "_stacks", "count", "keep", "stacks")

    BATCH = 1024
    """Events hashed in one go: joining them first is four times as fast as hashing one by one."""

    def __init__(self, *, keep: bool = False, stacks: int = 0) -> None:
        self.keep = keep or stacks > 0
        self.stacks = stacks
        self.count = 0
        self._hash = hashlib.blake2b(digest_size=16)
        self._batch: list[Raw] = []
        self._events: list[Raw] = []
        self._stacks: list[Stack] = []

    def add(self, now: int, who: str, kind: str, detail: tuple[str | int, ...] = ()) -> None:
        """Take in one event; `detail` holds nothing that differs from run to run (addresses, real times)."""
        batch = self._batch
        batch.append((now, who, kind, detail))
        if self.stacks:
            self._stacks.append(stack_of(sys._getframe(1), self.stacks))
        if len(batch) >= self.BATCH:
            self._flush()

    def moment(self, now: int) -> None:
        """Time went on to `now`: by far the most frequent event, hence kept as a bare number."""
        batch = self._batch
        batch.append(now)
        if self.stacks:
            self._stacks.append(())
        if len(batch) >= self.BATCH:
            self._flush()

    def _flush(self) -> None:
        batch = self._batch
        if batch:
            self._hash.update(("\n".join(map(repr, batch)) + "\n").encode("utf-8", "surrogatepass"))
            self.count += len(batch)
            if self.keep:
                self._events += batch
            batch.clear()

    @property
    def digest(self) -> str:
        """Hexadecimal hash of everything taken in so far (BLAKE2b, 16 bytes)."""
        self._flush()
        return self._hash.hexdigest()

    def __len__(self) -> int:
        return self.count + len(self._batch)

    @property
    def events(self) -> list[Event]:
        """All events, oldest first.

        :raises ValueError: they were not kept.
        """
        if not self.keep:
            raise ValueError("this trace keeps only its hash; make it with Trace(keep=True)")
        self._flush()
        stacks = self._stacks or [()] * len(self._events)
        return [
            Event(raw, "-", "time", ()) if isinstance(raw, int) else Event(*raw, stack)
            for raw, stack in zip(self._events, stacks, strict=True)
        ]


def stack_of(frame: FrameType | None, depth: int) -> Stack:
    """Where a frame stands, without holding on to it, and without the frames of the simulation itself."""
    found: list[tuple[CodeType, int]] = []
    while frame is not None and len(found) < depth:
        if not frame.f_globals.get("__name__", "").startswith("harness.sim."):
            found.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return tuple(found)


def first_difference(left: Trace, right: Trace) -> Difference | None:
    """Where two kept traces part; None when they are equal. Stacks are shown, not compared.

    :raises ValueError: one of them was not kept.
    """
    ours, theirs = left.events, right.events
    for index, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one[:4] != other[:4]:
            return Difference(index, one, other)
    if len(ours) == len(theirs):
        return None
    index = min(len(ours), len(theirs))
    return Difference(index, *(side[index] if index < len(side) else None for side in (ours, theirs)))
