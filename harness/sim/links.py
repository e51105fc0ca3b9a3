"""Which processes can reach which: latency, partitions, one way or both.

A link goes from one process to another, by name. Like a cut cable under TCP, a partition loses nothing by itself:
what is sent waits and arrives when the link heals, unless a connection's heartbeat gives up first.
"""

from __future__ import annotations

from collections.abc import Iterator

EVERYBODY = "*"
"""Stands for every process in `Links.cut`, `Links.heal` and `Links.set_latency`."""

Pair = tuple[str, str]


class Links:
    """The state of all links of one fabric. Latencies are whole microseconds, from lowest to highest."""

    def __init__(self, latency: tuple[int, int]) -> None:
        self.default = _checked(latency)
        self._latency: dict[Pair, tuple[int, int]] = {}
        self._cut: dict[Pair, None] = {}

    def set_latency(self, source: str, target: str, latency: tuple[int, int]) -> None:
        """Latency from `source` to `target` (either may be ``"*"``); the most particular entry counts."""
        self._latency[source, target] = _checked(latency)

    def latency(self, source: str, target: str) -> tuple[int, int]:
        """The range from which the latency of this link is drawn."""
        if self._latency:
            for pair in _patterns(source, target):
                if pair in self._latency:
                    return self._latency[pair]
        return self.default

    def cut(self, source: str, target: str) -> None:
        """Let nothing pass from `source` to `target` (either may be ``"*"``)."""
        self._cut[source, target] = None

    def heal(self, source: str | None = None, target: str | None = None) -> None:
        """Undo `cut` of exactly this pair; without arguments, of all."""
        if source is None and target is None:
            self._cut.clear()
        else:
            self._cut.pop((source or EVERYBODY, target or EVERYBODY), None)

    def open(self, source: str, target: str) -> bool:
        """Whether something sent now from `source` reaches `target`. A process always reaches itself."""
        if not self._cut or source == target:
            return True
        return not any(pair in self._cut for pair in _patterns(source, target))

    @property
    def cuts(self) -> tuple[Pair, ...]:
        """The pairs that are cut, in the order in which that happened."""
        return tuple(self._cut)


def _patterns(source: str, target: str) -> Iterator[Pair]:
    yield source, target
    yield source, EVERYBODY
    yield EVERYBODY, target
    yield EVERYBODY, EVERYBODY


def _checked(latency: tuple[int, int]) -> tuple[int, int]:
    low, high = latency
    if not 0 <= low <= high:
        raise ValueError(f"a latency is a range of microseconds, lowest first and not negative; got {latency}")
    return low, high
